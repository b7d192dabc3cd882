# What `cmake --install` puts where: the program, libraries, headers, package files, man pages, completions.
include(CMakePackageConfigHelpers)

set(CKPT_LIBRARIES ckpt_core ckpt_h5 ckpt_zip ckpt_gzip ckpt_pickle ckpt_npy ckpt_views ckpt_value_text ckpt_json ckpt_shards ckpt_torch_archive ckpt_safetensors_header ckpt_native ckpt_torch ckpt_hdf5
    ckpt_jld2 ckpt_pickle_layout ckpt_npy_layout ckpt_pyhopper ckpt_blackit ckpt_safetensors ckpt_zero ckpt_dcp ckpt_scan ckpt_formats)
install(TARGETS ckpt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ${CKPT_LIBRARIES} EXPORT ckptTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY libckpt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(FILES formats/all.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/formats)

set(CKPT_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/ckpt)
install(EXPORT ckptTargets NAMESPACE ckpt:: DESTINATION ${CKPT_CMAKE_DIR})
configure_package_config_file(cmake/ckptConfig.cmake.in ${PROJECT_BINARY_DIR}/ckptConfig.cmake
                              INSTALL_DESTINATION ${CKPT_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ckptConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ckptConfig.cmake ${PROJECT_BINARY_DIR}/ckptConfigVersion.cmake cmake/FindAEC.cmake
        DESTINATION ${CKPT_CMAKE_DIR})

configure_file(cmake/ckpt.pc.in ${PROJECT_BINARY_DIR}/ckpt.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ckpt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Man pages are written in Markdown and rendered by man/md2man.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.1.md ${PROJECT_SOURCE_DIR}/man/*.5.md)
set(rendered)
foreach(page IN LISTS pages)
  get_filename_component(name ${page} NAME)
  string(REGEX REPLACE "\\.md$" "" name ${name})
  string(REGEX REPLACE "^.*\\." "" section ${name})
  add_custom_command(
    OUTPUT ${PROJECT_BINARY_DIR}/man/${name}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/man/md2man ${page} ${PROJECT_BINARY_DIR}/man/${name}
    DEPENDS ${page} ${PROJECT_SOURCE_DIR}/man/md2man)
  list(APPEND rendered ${PROJECT_BINARY_DIR}/man/${name})
  install(FILES ${PROJECT_BINARY_DIR}/man/${name} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
add_custom_target(ckpt_man ALL DEPENDS ${rendered})

install(FILES completions/ckpt.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ckpt)
install(FILES completions/_ckpt DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES completions/ckpt.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
