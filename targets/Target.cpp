//===- Target.cpp - The targets of this build -----------------------------===//

#include "targets/Target.h"

#include "targets/x86/X86.h"

namespace nnc::targets {

const Target *findTarget(const std::string &name) { return name == "x86" ? &getX86() : nullptr; }

std::vector<std::string> targetNames() { return {"x86"}; }

} // namespace nnc::targets
