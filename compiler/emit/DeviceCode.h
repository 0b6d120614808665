//===- DeviceCode.h - The part of a kernel that a device runs -------------===//

#ifndef NNC_COMPILER_EMIT_DEVICECODE_H
#define NNC_COMPILER_EMIT_DEVICECODE_H

#include "targets/Target.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace nnc::emit {

/// What a module carries for a device: PTX, or OpenCL C. "" when it has nothing for one.
std::string getDeviceCode(const Halide::Module &module);

/// The same module with its PTX assembled for these architectures ("sm_90"), in one
/// binary that holds the PTX too, for later ones. Needs NVIDIA's ptxas and fatbinary.
llvm::Expected<Halide::Module> assembleDeviceCode(const Halide::Module &module,
                                                  const std::vector<std::string> &architectures);

/// What NVIDIA's assembler says of one function of a device.
struct DeviceResources {
  std::string function;
  int64_t registers = 0; ///< of a thread
  int64_t shared = 0;    ///< bytes of a block, those aside that a launch asks for
  int64_t spills = 0;    ///< bytes of a thread that are stored and read since registers are too few
};

/// The resources of each function of PTX, on this architecture. Needs ptxas.
llvm::Expected<std::vector<DeviceResources>> getDeviceResources(llvm::StringRef ptx, const std::string &architecture);

/// Whether NVIDIA's assembler is there.
bool hasAssembler();

/// The architectures that it knows ("sm_90"), as it says itself; none where it does not say.
std::vector<std::string> getKnownArchitectures();

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_DEVICECODE_H
