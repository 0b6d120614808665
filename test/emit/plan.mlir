// RUN: nnc -emit=llvm %s | FileCheck %s
// RUN: nnc -emit=llvm -target=cuda %s | FileCheck %s --check-prefix=DEVICE

!s = tensor<?x?x8xf32, #nn.dims<"(T-4)/2", "batch">>
!k = tensor<?x8xf32, #nn.dims<"d0">>

// A plan gives the offset of each arena, and behind the last its end. A length
// after a window is 0 where the window does not fit. A value of 2 GiB or more
// makes the size negative; on a device one of so many elements, which is what its
// kernels count.
module @plan {
  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: !k):
    %0 = nn.exp %a : (!k) -> !k
    nn.yield outputs(%0 : !k)
  }

  // CHECK-LABEL: define internal void @plan_infer_plan(ptr {{.*}}%0, ptr {{.*}}%1)
  // CHECK: store i64 0, ptr %1
  // CHECK: %[[T:.+]] = load i64
  // CHECK: %[[LESS:.+]] = add i64 %[[T]], -4
  // CHECK: %[[MOST:.+]] = tail call i64 @llvm.smax.i64(i64 %[[LESS]], i64 0)
  // CHECK: %[[HALF:.+]] = lshr i64 %[[MOST]], 1
  // CHECK: mul i64
  // CHECK: and i64 %{{.+}}, -64
  // CHECK: fmul double %{{.+}}, 3.200000e+01
  // CHECK: fcmp ogt double %{{.+}}, 0x41DFFFFFFFC00000
  // CHECK: select i1 %{{.+}}, i64 -1, i64 %
  // DEVICE-LABEL: define internal void @plan_infer_plan
  // DEVICE: fmul double %{{.+}}, 8.000000e+00
  // DEVICE: fcmp ogt double %{{.+}}, 0x41DFFFFFFFC00000
  func.func @infer(%x: !s {nn.name = "x"}, %lengths: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"})
      -> (!s {nn.name = "y"})
      attributes {nn.arenas = [{unit = "(T-4)/2*batch", bytes = 40}, {unit = "1", bytes = 64}]} {
    %0 = nn.launch @elementwise0 ["(T-4)/2*batch"](%x) {places = [#nn.place<workspace 0>]} : (!s) -> !s
    %1 = nn.launch @elementwise0 ["(T-4)/2*batch"](%0) {places = [#nn.place<output 0>]} : (!s) -> !s
    return %1 : !s
  }
}
