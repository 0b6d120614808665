// RUN: nnc -O0 -emit=llvm %s | FileCheck %s

!s = tensor<?x?x8xf32, #nn.dims<"T", "batch">>
!h = tensor<?x8xf32, #nn.dims<"batch">>
!k = tensor<?x8xf32, #nn.dims<"d0">>
!b = tensor<?xi1, #nn.dims<"batch">>
!kb = tensor<?xi1, #nn.dims<"d0">>

// A loop that ends by `until` goes on while the flag of an example is not set. Steps that
// are not taken are 0 in what it stacks.
module @loop {
  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: !k, %b: !k):
    %0 = nn.add %a, %b : (!k, !k) -> !k
    nn.yield outputs(%0 : !k)
  }

  nn.kernel elementwise @elementwise1 {
  ^bb0(%a: !kb):
    %0 = nn.not %a : (!kb) -> !kb
    nn.yield outputs(%0 : !kb)
  }

  // CHECK-LABEL: define internal i32 @loop_infer_run
  // CHECK: %[[BATCH:.+]] = load i64
  // CHECK: %[[T:.+]] = phi i64 [ %[[NEXT_T:.+]], %{{.+}} ], [ 0, %{{.+}} ]
  // CHECK: icmp slt i64 %[[T]], %[[TRIP:.+]]
  // CHECK: %[[NEXT_T]] = add i64 %[[T]], 1
  // CHECK: %[[LEFT:.+]] = call ptr @memchr(ptr %{{.+}}, i32 0, i64 %[[BATCH]])
  // CHECK: %[[ALL:.+]] = icmp eq ptr %[[LEFT]], null
  // CHECK: br i1 %[[ALL]]
  // CHECK: %[[TAKEN:.+]] = phi i64 {{.*}}%[[NEXT_T]]
  // CHECK: %[[SKIPPED:.+]] = mul i64 %[[TAKEN]], %[[BYTES:.+]]
  // CHECK: getelementptr i8, ptr %{{.+}}, i64 %[[SKIPPED]]
  // CHECK: %[[LEFT_OVER:.+]] = sub i64 %[[TRIP]], %[[TAKEN]]
  // CHECK: %[[REST:.+]] = mul i64 %[[LEFT_OVER]], %[[BYTES]]
  // CHECK: call void @llvm.memset{{.*}}(ptr %{{.+}}, i8 0, i64 %[[REST]], i1 false)
  func.func @infer(%x: !s {nn.name = "x"}, %h0: !h {nn.name = "h"}, %f: !b {nn.name = "f"},
                   %lengths: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"})
      -> (!s {nn.name = "y"}) attributes {nn.arenas = [{unit = "batch", bytes = 192}]} {
    %y, %end = nn.each "T" sequences(%x) start(%h0)
        attributes {places = [#nn.place<output 0>, #nn.place<workspace 0>]} {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %0 = nn.launch @elementwise0 ["batch"](%x_t, %h) {places = [#nn.place<carry 0>]} : (!h, !h) -> !h
      %1 = nn.launch @elementwise1 ["batch"](%f) {places = [#nn.place<workspace 0 at 128>]} : (!b) -> !b
      nn.yield next(%0 : !h) outputs(%0 : !h) until(%1 : !b)
    } : (!s, !h) -> (!s, !h)
    return %y : !s
  }
}
