# The parts that the compiler stands on, each behind one target:
#   nnc-mlir    MLIR and LLVM, shared libraries
#   nnc-halide  is a room of the compiler; it links Halide::Halide

find_package(MLIR REQUIRED CONFIG PATHS /usr/lib/llvm-22 NO_DEFAULT_PATH)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include_directories(SYSTEM ${MLIR_INCLUDE_DIRS})

add_library(nnc-mlir INTERFACE)
target_include_directories(nnc-mlir SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_include_directories(nnc-mlir INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(nnc-mlir INTERFACE MLIR LLVM)
# LLVM is built without exceptions: none may cross its frames.
target_compile_options(nnc-mlir INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wno-unused-parameter>)

find_package(Halide 21 REQUIRED)
