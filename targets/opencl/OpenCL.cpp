//===- OpenCL.cpp - Devices of OpenCL -------------------------------------===//

#include "targets/opencl/OpenCL.h"

#include "targets/opencl/ConstantLets.h"
#include "targets/opencl/PackedVectors.h"

namespace nnc::targets {

namespace {

class OpenCL final : public Gpu {
public:
  std::string name() const override { return "opencl"; }
  Device device() const override { return Device::OpenCL; }

  /// The library carries source, which the device's driver compiles on loading.
  std::vector<Isa> isas() const override {
    return {
        {"opencl", Halide::Target("x86-64-linux-sse41-opencl-no_runtime-no_asserts-no_bounds_query-user_context"), 4}};
  }

  void schedule(Group &group, const Isa &isa, int64_t minRows) const override {
    Gpu::schedule(group, isa, minRows);
    group.passes.push_back(packVectors());
    group.passes.push_back(inlineConstantLets());
  }
};

} // namespace

const Target &getOpenCL() {
  static const OpenCL target;
  return target;
}

} // namespace nnc::targets
