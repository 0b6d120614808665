// RUN: nnc -O0 -emit=llvm %s | FileCheck %s

!s = tensor<?x?x8xf32, #nn.dims<"T", "batch">>
!h = tensor<?x8xf32, #nn.dims<"batch">>
!k = tensor<?x8xf32, #nn.dims<"d0">>

// A time loop stays a loop. It counts steps and carries the addresses of its
// states; a step's element of a sequence is so many bytes further, and a state
// lies in one of two slots by turns.
module @loop {
  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: !k, %b: !k):
    %0 = nn.add %a, %b : (!k, !k) -> !k
    nn.yield outputs(%0 : !k)
  }

  // CHECK-LABEL: define internal i32 @loop_infer_run
  // CHECK: %[[BATCH:.+]] = load i64
  // CHECK: %[[BYTES:.+]] = mul i64 %[[BATCH]], 32
  // CHECK: %[[T:.+]] = phi i64 [ %[[NEXT_T:.+]], %{{.+}} ], [ 0, %{{.+}} ]
  // CHECK-NEXT: %[[STATE:.+]] = phi ptr [ %[[NEXT:.+]], %{{.+}} ], [ %{{.+}}, %{{.+}} ]
  // CHECK: icmp slt i64 %[[T]], %{{.+}}
  // CHECK: %[[OFFSET:.+]] = mul i64 %[[T]], %[[BYTES]]
  // CHECK: %[[ELEMENT:.+]] = getelementptr i8, ptr %{{.+}}, i64 %[[OFFSET]]
  // CHECK: %[[TURN:.+]] = and i64 %[[T]], 1
  // CHECK: mul i64 %[[TURN]], %{{.+}}
  // CHECK: store ptr %[[ELEMENT]], ptr
  // CHECK: store ptr %[[STATE]], ptr
  // CHECK: store ptr %[[NEXT]], ptr
  // CHECK: call i32 %
  // The state is copied into its step of the output.
  // CHECK: call void @llvm.memcpy{{.*}}(ptr %{{.+}}, ptr %[[NEXT]], i64 %[[BYTES]], i1 false)
  // CHECK: %[[NEXT_T]] = add i64 %[[T]], 1
  func.func @infer(%x: !s {nn.name = "x"}, %h0: !h {nn.name = "h"},
                   %lengths: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"})
      -> (!s {nn.name = "y"}) attributes {nn.arenas = [{unit = "batch", bytes = 128}]} {
    %y, %end = nn.each "T" sequences(%x) start(%h0)
        attributes {places = [#nn.place<output 0>, #nn.place<workspace 0>]} {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %0 = nn.launch @elementwise0 ["batch"](%x_t, %h) {places = [#nn.place<carry 0>]} : (!h, !h) -> !h
      nn.yield next(%0 : !h) outputs(%0 : !h)
    } : (!s, !h) -> (!s, !h)
    return %y : !s
  }
}
