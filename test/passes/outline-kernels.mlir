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

// -----

!a = tensor<?x8x8x4xf32, #nn.dims<"batch">>
!b = tensor<?x3x4xf32, #nn.dims<"batch">>

// Where only the last dimension is told apart, pixels are rows: one kernel serves
// images of any size and number of dimensions, and sums go over all rows.
// CHECK:      nn.kernel elementwise @elementwise0
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<?x4xf32, #nn.dims<"d0">>, %{{.+}}: tensor<4xf32>)
// CHECK:      nn.kernel reduce @reduce0
// CHECK:        nn.sum %{{.+}} {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"d0">>) -> tensor<4xf32>
// CHECK:        nn.count %{{.+}} {axes = array<i64: 0>}
// CHECK-NOT:  nn.kernel
// CHECK-LABEL: func.func @pixels
// CHECK: nn.launch @elementwise0 ["batch*8*8"]
// CHECK: nn.launch @reduce0 ["batch*8*8"]
// CHECK: nn.launch @elementwise0 ["batch*3"]
// CHECK: nn.launch @reduce0 ["batch*3"]
func.func @pixels(%x: !a, %y: !b, %scale: tensor<4xf32>) -> (!a, tensor<4xf32>, !b, tensor<4xf32>) {
  %0 = nn.mul %x, %scale : (!a, tensor<4xf32>) -> !a
  %1 = nn.sum %x {axes = array<i64: 0, 1, 2>} : (!a) -> tensor<4xf32>
  %2 = nn.count %x {axes = array<i64: 0, 1, 2>} : (!a) -> tensor<f32>
  %3 = nn.div %1, %2 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %4 = nn.mul %y, %scale : (!b, tensor<4xf32>) -> !b
  %5 = nn.sum %y {axes = array<i64: 0, 1>} : (!b) -> tensor<4xf32>
  %6 = nn.count %y {axes = array<i64: 0, 1>} : (!b) -> tensor<f32>
  %7 = nn.div %5, %6 : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  return %0, %3, %4, %7 : !a, tensor<4xf32>, !b, tensor<4xf32>
}

// -----

// A sum over some of the dimensions tells them apart.
// CHECK: nn.kernel reduce @reduce0
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<?x8x8x4xf32, #nn.dims<"d0">>)
func.func @some(%x: tensor<?x8x8x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">> {
  %0 = nn.sum %x {axes = array<i64: 1, 2>} : (tensor<?x8x8x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  return %0 : tensor<?x4xf32, #nn.dims<"batch">>
}
