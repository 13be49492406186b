# What `cmake --install` puts under the prefix: the program, the shared library with its one header
# and pkg-config file, man pages, presets and models. The program is linked with the static library,
# because it uses parts that the shared one hides.
add_library(mdf_shared SHARED $<TARGET_OBJECTS:mdf>)
set_target_properties(mdf_shared PROPERTIES OUTPUT_NAME mdf LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
get_target_property(mdf_links mdf LINK_LIBRARIES)
target_link_libraries(mdf_shared PRIVATE ${mdf_links})

# The file finds its prefix from where it lies, so that the tree can be moved.
file(RELATIVE_PATH mdf_pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/mdf.pc.in ${CMAKE_BINARY_DIR}/mdf.pc @ONLY)

install(TARGETS mdf_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS mdf_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/mdf.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/mdf.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
  FILES_MATCHING PATTERN "*.1")
install(DIRECTORY presets DESTINATION ${CMAKE_INSTALL_DATADIR}/mdf FILES_MATCHING PATTERN "*.json")
if(EXISTS ${PROJECT_SOURCE_DIR}/models)
  install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/mdf)
endif()
