//===- Cuda.cpp - NVIDIA's GPUs -------------------------------------------===//

#include "targets/cuda/Cuda.h"

namespace nnc::targets {

namespace {

class Cuda final : public Gpu {
public:
  std::string name() const override { return "cuda"; }
  Device device() const override { return Device::Cuda; }
  unsigned branches() const override { return 8; } // the runtime's NNC_MAX_BRANCHES

  /// Code for capability 8.0 runs on every later device, which compiles it on loading.
  std::vector<Isa> isas() const override {
    return {{"cuda",
             Halide::Target("x86-64-linux-sse41-cuda-cuda_capability_80-no_runtime-no_asserts-no_bounds_query-"
                            "user_context"),
             4}};
  }
};

} // namespace

const Target &getCuda() {
  static const Cuda target;
  return target;
}

} // namespace nnc::targets
