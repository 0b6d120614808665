//===- X86.cpp - x86-64 with AVX2 or AVX-512 ------------------------------===//

#include "targets/x86/X86.h"

#include <algorithm>

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

  /// One core: two multiply-adds of 16 floats a cycle at the most, a cache line in two cycles from L2, and the share of
  /// memory that one core gets.
  Machine machine() const override { return {"one core with AVX-512", 64, 32, 4, 1 << 20}; }

  /// The width that pads least, of those whose tiles reach the peak. Rows of a matrix
  /// come by fours, as in tiles of 48 lanes; pixels are many.
  int64_t panelWidth(Family family, int64_t columns) const override {
    for (int64_t width : {8, 16, 32, 48})
      if (columns <= width)
        return width;
    auto padded = [columns](int64_t width) { return divideCeil(columns, width) * width; };
    if (padded(48) == padded(32))
      return family == Family::Conv ? 32 : 48;
    return padded(48) < padded(32) ? 48 : 32;
  }

  ConvForm convForm(const ConvShape &conv) const override { return x86::chooseConvForm(conv); }

  /// A tile has a vector of each.
  unsigned gradientsInKernel() const override { return 4; }

  /// A single row reads the weight once as it is; several share what they read.
  std::vector<int64_t> variants(const KernelShape &shape) const override {
    if (shape.family != Family::Dense || !shape.dynamicRows)
      return {1};
    return {1, 2};
  }

  void schedule(Group &group, const Isa &isa, int64_t minRows) const override {
    bool isGradient = std::any_of(group.stages.begin(), group.stages.end(), [](const Stage &stage) {
      return stage.role == Role::InnerProduct || stage.role == Role::OuterProduct;
    });
    switch (group.family) {
    case Family::Dense:
      return isGradient ? x86::scheduleDenseGradient(group, isa) : x86::scheduleDense(group, isa, minRows);
    case Family::Conv:
      return isGradient ? x86::scheduleConvGradient(group, isa) : x86::scheduleConv(group, isa);
    case Family::Pool:
      return x86::schedulePool(group, isa);
    case Family::Reduce:
    case Family::Norm:
      return x86::scheduleReduce(group, isa);
    case Family::Elementwise:
      return x86::scheduleElementwise(group, isa);
    case Family::Reshape:
      return x86::scheduleReshape(group, isa);
    default:
      return x86::scheduleDefault(group, isa);
    }
  }
};

} // namespace

Halide::Expr x86::countThreads() {
  using Halide::Internal::Call;
  return Call::make(Halide::Int(32), "nnc_kernel_threads", {Halide::user_context_value()}, Call::PureExtern);
}

const Target &getX86() {
  static const X86 target;
  return target;
}

} // namespace nnc::targets
