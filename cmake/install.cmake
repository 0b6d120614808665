# What an installation holds: nnc, nnc-opt, the standard library, the runtime and
# its headers, and what CMake and pkg-config look for.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(NNC_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/nnc)

# The compiler finds the libraries that it was linked with. Halide's folder is
# named, as CMake leaves out what lies in the source tree's Python environment.
set_target_properties(nnc nnc-opt PROPERTIES
  INSTALL_RPATH_USE_LINK_PATH ON
  INSTALL_RPATH "$<TARGET_FILE_DIR:Halide::Halide>")
install(TARGETS nnc nnc-opt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/dsl/std DESTINATION ${CMAKE_INSTALL_DATADIR}/nnc FILES_MATCHING PATTERN "*.nn")

install(TARGETS nnc_runtime nnc_runtime_shared
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/nnc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/nncConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/nncConfig.cmake
  INSTALL_DESTINATION ${NNC_CMAKE_DIR}
  PATH_VARS CMAKE_INSTALL_BINDIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/nncConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/nncConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/nncConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/nnc.cmake
  DESTINATION ${NNC_CMAKE_DIR})

# From the folder of nnc.pc back to the prefix, so that an installation can move.
file(RELATIVE_PATH NNC_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/nnc.pc.in ${PROJECT_BINARY_DIR}/cmake/nnc.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/nnc.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
