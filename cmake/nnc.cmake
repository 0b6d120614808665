# nnc_add_library(<target> SOURCE <file.nn>
#                 [NAME <name>]        the library's and its functions' prefix; by default the network's,
#                                      which must then be the source's file name
#                 [TARGET <machine>]   x86
#                 [SHARED]             link the shared library
#                 [OPTIONS <option>...])
#
# Compiles a network when its source, what it imports, or nnc has changed. Link
# <target>: it brings the header <name>.h and the runtime. The same call serves
# inside nnc's own build and after find_package(nnc).
function(nnc_add_library target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "SHARED" "SOURCE;NAME;TARGET" "OPTIONS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "nnc_add_library(${target}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_SOURCE)
    message(FATAL_ERROR "nnc_add_library(${target}): no SOURCE")
  endif()
  cmake_path(ABSOLUTE_PATH ARG_SOURCE NORMALIZE OUTPUT_VARIABLE source)
  if(ARG_NAME)
    set(name ${ARG_NAME})
    set(options -name=${ARG_NAME})
  else()
    cmake_path(GET source STEM LAST_ONLY name)
    set(options)
  endif()
  if(ARG_TARGET)
    list(APPEND options -target=${ARG_TARGET})
  endif()
  list(APPEND options ${ARG_OPTIONS})

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.nnc)
  file(MAKE_DIRECTORY ${folder})
  set(outputs ${folder}/lib${name}.a ${folder}/${name}.h)
  if(ARG_SHARED)
    list(APPEND options -shared)
    list(APPEND outputs ${folder}/lib${name}.so)
  endif()
  # Inside nnc's own build the compiler is one of its targets.
  set(namespace nnc::)
  if(TARGET nnc)
    set(namespace)
  endif()
  set(compiler ${namespace}nnc)
  set(runtime ${namespace}nnc_runtime)
  set(linked)
  if(ARG_SHARED)
    string(APPEND runtime _shared)
    set(linked ${runtime})
  endif()
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${compiler} ${source} -o ${folder} -MD -MF ${folder}/${name}.d ${options}
    DEPENDS ${source} ${compiler} ${linked}
    DEPFILE ${folder}/${name}.d
    COMMENT "Compiling network ${name}"
    VERBATIM)
  add_custom_target(${target}_nnc DEPENDS ${outputs})

  if(ARG_SHARED)
    add_library(${target} SHARED IMPORTED)
    set_target_properties(${target} PROPERTIES
      IMPORTED_LOCATION ${folder}/lib${name}.so
      IMPORTED_SONAME lib${name}.so)
  else()
    add_library(${target} STATIC IMPORTED)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${folder}/lib${name}.a)
  endif()
  target_include_directories(${target} INTERFACE ${folder})
  target_link_libraries(${target} INTERFACE ${runtime})
  add_dependencies(${target} ${target}_nnc)
endfunction()
