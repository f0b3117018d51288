# SPDX-License-Identifier: Apache-2.0
# What is installed where, and the Debian package of it: cpack --config <build>/CPackConfig.cmake, or ./dev package.

include(GNUInstallDirs)

# The unit, the users and the configuration have places that do not move with the prefix.
set(SL_SYSTEM_LIB "/usr/lib" CACHE PATH "where systemd looks for what packages bring")

install(TARGETS sluiced sluice RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(FILES packaging/sluiced.service DESTINATION "${SL_SYSTEM_LIB}/systemd/system")
install(FILES packaging/sluice.sysusers DESTINATION "${SL_SYSTEM_LIB}/sysusers.d" RENAME sluice.conf)
install(FILES packaging/sluice.tmpfiles DESTINATION "${SL_SYSTEM_LIB}/tmpfiles.d" RENAME sluice.conf)
install(FILES packaging/sluiced.yaml DESTINATION /etc/sluice
  PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES README.md LICENSE SECURITY.md DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/sluice")
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/sluice"
  FILES_MATCHING PATTERN "*.md" PATTERN "openapi.json" PATTERN "*.svg" PATTERN "*.pml" PATTERN "man" EXCLUDE)
# What other programs load.
install(FILES packaging/alerts.yml DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice")
install(DIRECTORY packaging/grafana DESTINATION "${CMAKE_INSTALL_DATADIR}/sluice")

# Manual pages, if what makes them is there.
find_program(SL_SCDOC scdoc)
mark_as_advanced(SL_SCDOC)
file(GLOB manuals CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/*.scd")
if(SL_SCDOC)
  foreach(source IN LISTS manuals)
    get_filename_component(page "${source}" NAME_WLE)
    string(REGEX MATCH "[0-9]$" section "${page}")
    set(made "${PROJECT_BINARY_DIR}/man/${page}")
    file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/man")
    add_custom_command(OUTPUT "${made}" COMMAND sh -c "'${SL_SCDOC}' < '${source}' > '${made}'" DEPENDS "${source}" VERBATIM)
    list(APPEND pages "${made}")
    install(FILES "${made}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
  endforeach()
  if(pages)
    add_custom_target(man ALL DEPENDS ${pages})
  endif()
endif()

# The program writes its own completion.
set(completion "${PROJECT_BINARY_DIR}/completion/sluice")
add_custom_command(OUTPUT "${completion}"
  COMMAND sh -c "mkdir -p completion && bin/sluice completion bash > completion/sluice"
  WORKING_DIRECTORY "${PROJECT_BINARY_DIR}" DEPENDS sluice VERBATIM)
add_custom_target(completion ALL DEPENDS "${completion}")
install(FILES "${completion}" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_CONTACT "Sluice maintainers <maintainers@sluice.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "change-data-capture cluster whose nodes can be drained with one command")
set(CPACK_PACKAGE_DESCRIPTION
  "Sluice streams row changes from a database to other databases and files and spreads the work over nodes.
 Any node can be taken away with one command, without a lost row, and with a proof that it is safe to stop.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${PROJECT_SOURCE_DIR}/packaging/postinst" "${PROJECT_SOURCE_DIR}/packaging/prerm"
  "${PROJECT_SOURCE_DIR}/packaging/postrm" "${PROJECT_SOURCE_DIR}/packaging/conffiles")
include(CPack)
