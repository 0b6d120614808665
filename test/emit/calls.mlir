// RUN: nnc -O0 -emit=llvm %s | FileCheck %s

!h = tensor<?x32xf32, #nn.dims<"batch">>

// A function calls its kernels in order: through the table of the isa that the
// frame names, each with the runtime's tasks, its rows, and a buffer for every
// operand, of which only `host` is set. What a kernel gives other than 0 becomes
// the code of its place in the source.
//
// CHECK-DAG: @calls_kernels = {{.*}}ptr @calls_elementwise0_avx2 }, {{.*}}ptr @calls_elementwise0_avx512 }
// CHECK-DAG: c"a kernel failed: first ({{.*}}a.nn:3:9)\00"
// CHECK-DAG: c"a kernel failed: {{.*}}a.nn:4:9\00"
module @calls {
  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: tensor<?x32xf32, #nn.dims<"d0">>):
    %0 = nn.tanh %a : (tensor<?x32xf32, #nn.dims<"d0">>) -> tensor<?x32xf32, #nn.dims<"d0">>
    nn.yield outputs(%0 : tensor<?x32xf32, #nn.dims<"d0">>)
  }

  // CHECK-LABEL: define internal i32 @calls_infer_run(ptr %0)
  // CHECK: %[[BATCH:.+]] = load i64
  // The work is the batch times 32 elements.
  // CHECK: %[[WORK:.+]] = mul i64 %[[BATCH]], 32
  // CHECK: icmp eq i64 %{{.+}}, 0
  // CHECK-NEXT: br i1 %{{.+}}, label %[[SECOND:.+]], label %[[FIRST:.+]]
  // CHECK: [[FIRST]]:
  // CHECK: store i64 %[[WORK]], ptr %[[TASKS:.+]], align 8
  // CHECK: %[[ROWS:.+]] = trunc i64 %[[BATCH]] to i32
  // CHECK: store ptr %[[X:.+]], ptr
  // CHECK: store ptr %[[H:.+]], ptr
  // CHECK: %[[STATUS:.+]] = call i32 %{{.+}}(ptr %[[TASKS]], i32 %[[ROWS]], ptr %{{.+}}, ptr %{{.+}})
  // CHECK: %[[FAILED:.+]] = icmp ne i32 %[[STATUS]], 0
  // CHECK: br i1 %[[FAILED]], label %[[FAILURE:.+]], label %[[SECOND]]
  // CHECK: [[SECOND]]:
  // CHECK: store ptr %[[H]], ptr
  // CHECK: call i32 %{{.+}}(ptr %[[TASKS]], i32 %{{.+}}, ptr %{{.+}}, ptr %{{.+}})
  // CHECK: ret i32 0
  // CHECK: [[FAILURE]]:
  // CHECK: phi i32 [ 2, %{{.+}} ], [ 1, %[[FIRST]] ]
  func.func @infer(%x: !h {nn.name = "x"}) -> (!h {nn.name = "y"})
      attributes {nn.arenas = [{unit = "batch", bytes = 128}]} {
    %0 = nn.launch @elementwise0 ["batch"](%x) {places = [#nn.place<workspace 0>]} : (!h) -> !h loc("first"("a.nn":3:9))
    %1 = nn.launch @elementwise0 ["batch"](%0) {places = [#nn.place<output 0>]} : (!h) -> !h loc("a.nn":4:9)
    return %1 : !h
  }
}
