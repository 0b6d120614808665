//===- Target.cpp - The targets of this build -----------------------------===//

#include "targets/Target.h"

#include "targets/cuda/Cuda.h"
#include "targets/opencl/OpenCL.h"
#include "targets/x86/X86.h"

namespace nnc::targets {

static std::vector<const Target *> getTargets() { return {&getX86(), &getCuda(), &getOpenCL()}; }

const Target *findTarget(const std::string &name) {
  for (const Target *target : getTargets())
    if (target->name() == name)
      return target;
  return nullptr;
}

std::vector<std::string> targetNames() {
  std::vector<std::string> names;
  for (const Target *target : getTargets())
    names.push_back(target->name());
  return names;
}

} // namespace nnc::targets
