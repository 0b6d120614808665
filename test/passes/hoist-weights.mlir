// RUN: nnc-opt %s -nn-simplify -nn-hoist-weights -split-input-file | FileCheck %s

!v = tensor<?x4xf32, #nn.dims<"batch">>

// Batch norm is a scale and a shift, which depend on weights alone.
// CHECK: nn.prepared @[[S0:.+]] : tensor<4xf32>
// CHECK: nn.prepared @[[S1:.+]] : tensor<4xf32>
// CHECK-LABEL: func.func @infer
// CHECK-NOT: batch_norm
// CHECK: %[[M:.+]] = nn.mul %arg0, %{{.+}}
// CHECK: %[[A:.+]] = nn.add %[[M]], %{{.+}}
// CHECK: return %[[A]]
// CHECK-LABEL: func.func @prepare
// CHECK: nn.sqrt
// CHECK: nn.store @[[S1]]
// CHECK: nn.store @[[S0]]
nn.weight @scale : tensor<4xf32> init <kind = constant, a = 1.0 : f64>
nn.weight @shift : tensor<4xf32> init <kind = constant>
nn.weight @mean : tensor<4xf32> init <kind = constant> frozen
nn.weight @variance : tensor<4xf32> init <kind = constant, a = 1.0 : f64> frozen
func.func @infer(%x: !v) -> !v {
  %0 = nn.read @scale : tensor<4xf32>
  %1 = nn.read @shift : tensor<4xf32>
  %2 = nn.read @mean : tensor<4xf32>
  %3 = nn.read @variance : tensor<4xf32>
  %4 = nn.batch_norm %x, %0, %1, %2, %3 {epsilon = 1.0e-5} : (!v, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> !v
  return %4 : !v
}

// -----

// There is one of what is prepared, however many examples a call has.
// CHECK-LABEL: func.func @infer
// CHECK: nn.broadcast
// CHECK: nn.time_major
// CHECK-NOT: @prepare
nn.weight @w : tensor<3x4xf32> init <kind = glorot>
func.func @infer(%x: tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"3", "batch">> {
  %0 = nn.read @w : tensor<3x4xf32>
  %1 = nn.broadcast %0 {dims = array<i64: 1, 2>} : (tensor<3x4xf32>) -> tensor<?x3x4xf32, #nn.dims<"batch">>
  %2 = nn.time_major %1 {steps = 1} : (tensor<?x3x4xf32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"3", "batch">>
  return %2 : tensor<?x?x4xf32, #nn.dims<"3", "batch">>
}
