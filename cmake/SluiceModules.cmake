# SPDX-License-Identifier: Apache-2.0
# One static library per folder. A folder that is missing or holds no .c file is skipped, so the
# tree may grow without touching the build.

set(SL_MODULES "" CACHE INTERNAL "libraries so far, against the include direction: users first")

# All modules added from here on may use the library.
macro(sl_module_is_next name)
  set(SL_MODULES ${name} ${SL_MODULES} CACHE INTERNAL "")
endmacro()

# sl_add_module(<folder> [HOSTED] [EXCEPT <file>...]): src/core/drain becomes sl_core_drain.
function(sl_add_module folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "HOSTED" "" "EXCEPT")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.c")
  foreach(name IN LISTS arg_EXCEPT)
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/${folder}/${name}")
  endforeach()
  if(NOT sources)
    return()
  endif()

  string(REGEX REPLACE "^src/" "" name "${folder}")
  string(REPLACE "/" "_" name "sl_${name}")
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PRIVATE sl_flags PUBLIC ${SL_MODULES})
  if(arg_HOSTED)
    target_link_libraries(${name} PRIVATE sl_hosted)
  endif()
  sl_module_is_next(${name})
endfunction()

# sl_add_program(<name> <source>...): a hosted program over all modules, in bin/.
function(sl_add_program name)
  foreach(source IN LISTS ARGN)
    if(NOT EXISTS "${PROJECT_SOURCE_DIR}/${source}")
      return()
    endif()
  endforeach()
  list(TRANSFORM ARGN PREPEND "${PROJECT_SOURCE_DIR}/" OUTPUT_VARIABLE sources)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE sl_flags sl_hosted ${SL_MODULES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

# sl_add_benches(<folder>): each .c file is one program of the same name.
function(sl_add_benches folder)
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
    "${PROJECT_SOURCE_DIR}/${folder}/*.c")
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    sl_add_program(${name} ${source})
  endforeach()
endfunction()
