// RUN: nnc-opt %s -split-input-file -nn-form-groups -nn-outline-kernels | FileCheck %s

!v = tensor<?x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// Rows are rows: one kernel serves a batch and all steps of a batch.
// CHECK: nn.kernel dense @dense0
// CHECK-NOT: nn.kernel
// CHECK: nn.launch @dense0 ["T*batch"]
// CHECK: nn.launch @dense0 ["batch"]
func.func @infer(%x: !v, %xs: !s, %w: tensor<4x4xf32>) -> (!s, !v) {
  %0 = nn.dense %xs, %w : (!s, tensor<4x4xf32>) -> !s
  %1 = nn.dense %x, %w : (!v, tensor<4x4xf32>) -> !v
  return %0, %1 : !s, !v
}

// -----

// An extent that only the inside of a group has is handed over, too.
// CHECK-LABEL: func.func @count
// CHECK: nn.launch @{{.+}} ["batch"]() : () -> tensor<f32>
func.func @count() -> tensor<f32> {
  %0 = nn.constant 1.0 : f32 : tensor<f32>
  %1 = nn.broadcast %0 {dims = array<i64>} : (tensor<f32>) -> tensor<?xf32, #nn.dims<"batch">>
  %2 = nn.sum %1 {axes = array<i64: 0>} : (tensor<?xf32, #nn.dims<"batch">>) -> tensor<f32>
  return %2 : tensor<f32>
}
