//===- X86.cpp - x86-64 with AVX2 or AVX-512 ------------------------------===//

#include "targets/x86/X86.h"

namespace nnc::targets {

namespace {

class X86 final : public Target {
public:
  std::string name() const override { return "x86"; }

  std::vector<Isa> isas() const override {
    const std::string flags = "-no_runtime-no_asserts-no_bounds_query-user_context";
    const std::string avx2 = "x86-64-linux-avx-avx2-f16c-fma-sse41";
    return {{"avx2", Halide::Target(avx2 + flags), 8},
            {"avx512", Halide::Target(avx2 + "-avx512-avx512_skylake" + flags), 16}};
  }

  int64_t panelWidth(int64_t columns) const override {
    if (columns <= 8)
      return 8;
    for (int64_t width : {16, 32, 48})
      if (columns <= width)
        return width;
    return columns % 48 == 0 ? 48 : columns % 32 == 0 ? 32 : 48;
  }

  std::vector<int64_t> variants(const KernelShape &) const override { return {1}; }

  void schedule(Group &group, const Isa &isa, int64_t) const override { x86::scheduleDefault(group, isa); }
};

} // namespace

const Target &getX86() {
  static const X86 target;
  return target;
}

} // namespace nnc::targets
