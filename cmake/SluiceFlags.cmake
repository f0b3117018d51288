# SPDX-License-Identifier: Apache-2.0
# Compiler and linker flags. Our code links the interface target sl_flags; generated code does not.

include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

# NDEBUG turns off SL_HOT alone; the other checks stay on in every build (src/base/check.h).
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")

find_program(SL_CCACHE ccache)
mark_as_advanced(SL_CCACHE)
if(SL_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${SL_CCACHE}")
endif()

# Everything that is linked into one program, generated code too.
add_library(sl_codegen INTERFACE)
target_compile_options(sl_codegen INTERFACE
  "-ffile-prefix-map=${PROJECT_BINARY_DIR}/=build/"
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=")

if(SL_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "SL_FUZZ needs clang: use the preset 'fuzz' or set CMAKE_C_COMPILER=clang-19")
  endif()
  target_compile_options(sl_codegen INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(SL_SANITIZE)
  # A sanitizer instruments code in ways that make gcc guess wrong about initialisation; the
  # release build keeps that warning.
  target_compile_options(sl_codegen INTERFACE
    -fsanitize=${SL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(sl_codegen INTERFACE -fsanitize=${SL_SANITIZE})
elseif(NOT SL_FUZZ AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(sl_codegen INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong)
  foreach(flag -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero)
    string(MAKE_C_IDENTIFIER "SL_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
      target_compile_options(sl_codegen INTERFACE ${flag})
    endif()
  endforeach()
  target_link_options(sl_codegen INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

add_library(sl_flags INTERFACE)
target_link_libraries(sl_flags INTERFACE sl_codegen)
target_include_directories(sl_flags INTERFACE
  "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
target_compile_options(sl_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wformat=2
  -Wimplicit-fallthrough -Wcast-align -Wundef
  $<$<BOOL:${SL_WERROR}>:-Werror>)

# Code that talks to the operating system. src/base, src/wire and src/core get plain C17 only.
add_library(sl_hosted INTERFACE)
target_compile_definitions(sl_hosted INTERFACE _POSIX_C_SOURCE=200809L)
