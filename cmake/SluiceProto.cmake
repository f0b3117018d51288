# SPDX-License-Identifier: Apache-2.0
# proto/*.proto -> C by protoc-c, in the build tree: #include "proto/heartbeat.pb-c.h".

find_package(PkgConfig REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(JSON_C REQUIRED IMPORTED_TARGET json-c)
find_program(SL_PROTOC_C protoc-c REQUIRED)
mark_as_advanced(SL_PROTOC_C)

# What must exist before a tool may look at the sources.
add_custom_target(generated)

function(sl_add_proto target)
  file(GLOB protos CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/proto/*.proto")
  if(NOT protos)
    return()
  endif()
  set(out "${PROJECT_BINARY_DIR}/gen")
  file(MAKE_DIRECTORY "${out}/proto")

  set(generated "")
  foreach(proto IN LISTS protos)
    get_filename_component(stem "${proto}" NAME_WE)
    set(files "${out}/proto/${stem}.pb-c.c" "${out}/proto/${stem}.pb-c.h")
    # One file may import another, so each depends on all of them.
    add_custom_command(
      OUTPUT ${files}
      COMMAND "${SL_PROTOC_C}" "--proto_path=${PROJECT_SOURCE_DIR}/proto"
              "--c_out=${out}/proto" "${proto}"
      DEPENDS ${protos}
      COMMENT "protoc-c ${stem}.proto"
      VERBATIM)
    list(APPEND generated ${files})
  endforeach()

  # No warning flags: the code is protoc-c's. Users see it as system headers for the same reason.
  add_library(${target} STATIC ${generated})
  target_link_libraries(${target} PRIVATE sl_codegen PUBLIC PkgConfig::PROTOBUF_C PkgConfig::JSON_C)
  target_include_directories(${target} SYSTEM PUBLIC "${out}" "${out}/proto")
  add_dependencies(generated ${target})
  sl_module_is_next(${target})
endfunction()
