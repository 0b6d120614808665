// RUN: nnc -emit=llvm %s | FileCheck %s

!h = tensor<?x8xf32, #nn.dims<"batch">>
!c = tensor<?x3xf32, #nn.dims<"batch">>

// States lie one after the other, with room for the largest batch.
module @states {
  nn.state @h : !h
  nn.state @c : !c

  func.func @infer(%x: !h {nn.name = "x"}) -> (!h {nn.name = "y"}) attributes {nn.arenas = []} {
    return %x : !h
  }

  // A state that another one takes over is set after that one.
  // CHECK-LABEL: define internal {{.*}}i32 @states_step_run
  // CHECK: call void @llvm.memcpy{{.*}}(ptr {{.*}}%[[Y:.+]], ptr {{.*}}%[[H:.+]], i64
  // CHECK: call void @llvm.memcpy{{.*}}(ptr {{.*}}%[[H]], ptr {{.*}}%{{.+}}, i64
  func.func @step(%x: !h {nn.name = "x"}) -> (!h {nn.name = "y"}) attributes {nn.arenas = []} {
    %old = nn.read @h : !h
    nn.store @h, %x : !h
    return %old : !h
  }

  // CHECK-LABEL: define internal {{.*}}i32 @states_reset_run
  func.func @reset(%x: !h {nn.name = "x"}) attributes {nn.arenas = []} {
    return
  }

  // CHECK-LABEL: define internal {{.*}}i64 @states_state_size
  // CHECK: shl i64 %[[BATCH:.+]], 5
  // CHECK: mul i64 %[[BATCH]], 12
  // CHECK: ret i64
}
