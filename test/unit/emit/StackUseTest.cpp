//===- StackUseTest.cpp - How much of the stack a kernel takes ------------===//

#include "compiler/emit/StackUse.h"

#include <gtest/gtest.h>

using namespace nnc::emit;

/// Two copies of a row on the stack, made in the tasks of a parallel loop.
static Halide::Module makeModule(int columns) {
  Halide::Var x("x"), y("y");
  Halide::ImageParam in(Halide::Float(32), 2, "in");
  Halide::Func first("first"), second("second"), out("out");
  first(x, y) = in(x, y) * 2.0f;
  second(x, y) = first(columns - 1 - x, y) + 1.0f;
  out(x, y) = second(columns - 1 - x, y) + first(x, y);
  out.bound(x, 0, columns).parallel(y);
  for (Halide::Func copy : {first, second})
    copy.compute_at(out, y).store_in(Halide::MemoryType::Stack).bound_extent(x, columns);
  Halide::Target target = Halide::get_host_target().with_feature(Halide::Target::NoRuntime);
  return out.compile_to_module({in}, "copies", target);
}

TEST(StackUse, CountsWhatLivesAtOnce) {
  EXPECT_EQ(countStackBytes(makeModule(1000)), 2 * 1000 * 4);
  EXPECT_EQ(countStackBytes(makeModule(100000)), 2 * 100000 * 4);
}

TEST(StackUse, RefusesWhatNoStackHolds) {
  EXPECT_FALSE(llvm::errorToBool(checkStackUse(makeModule(100000))));
  EXPECT_EQ(llvm::toString(checkStackUse(makeModule(200000))),
            "needs 1600000 bytes of the stack, of which a kernel may have 1048576");
}
