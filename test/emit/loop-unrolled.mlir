// RUN: nnc -O0 -emit=llvm %s | FileCheck %s


!s = tensor<?x?x8xf32, #nn.dims<"T", "batch">>
!h = tensor<?x8xf32, #nn.dims<"batch">>
!k = tensor<?x8xf32, #nn.dims<"d0">>

// An unrolled loop is two: one goes on by three steps as long as there are so many, the
// other, from where that one ends, by one.
module @unrolled {
  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: !k, %b: !k):
    %0 = nn.add %a, %b : (!k, !k) -> !k
    nn.yield outputs(%0 : !k)
  }

  // CHECK-LABEL: define internal i32 @unrolled_infer_run
  // CHECK: %[[T:.+]] = phi i64
  // CHECK: %[[LAST:.+]] = add i64 %[[T]], 2
  // CHECK: icmp slt i64 %[[LAST]], %[[TRIP:.+]]
  // CHECK: call i32 %
  // CHECK: %[[SECOND:.+]] = add i64 %[[T]], 1
  // CHECK: call i32 %
  // CHECK: %[[THIRD:.+]] = add i64 %[[SECOND]], 1
  // CHECK: call i32 %
  // CHECK: add i64 %[[THIRD]], 1
  // CHECK: %[[REST:.+]] = phi i64 [ %{{.+}}, %{{.+}} ], [ %[[T]], %{{.+}} ]
  // CHECK: icmp slt i64 %[[REST]], %[[TRIP]]
  // CHECK: call i32 %
  func.func @infer(%x: !s {nn.name = "x"}, %h0: !h {nn.name = "h"},
                   %lengths: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"})
      -> (!h {nn.name = "y"}) attributes {nn.arenas = [{unit = "batch", bytes = 128}]} {
    %end = nn.each "T" sequences(%x) start(%h0)
        attributes {places = [#nn.place<workspace 0>], unroll = 3 : i64} {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %0 = nn.launch @elementwise0 ["batch"](%x_t, %h) {places = [#nn.place<carry 0>]} : (!h, !h) -> !h
      nn.yield next(%0 : !h)
    } : (!s, !h) -> !h
    return %end : !h
  }
}
