// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

!v = tensor<?x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

nn.weight @w : tensor<4xf32> init <kind = constant, a = 1.0 : f64>
nn.weight @running_mean : tensor<4xf32> init <kind = constant, a = 0.0 : f64> frozen

// Gradients have the type of their weight; a frozen weight has none, and is set as
// a running statistic is.
// CHECK-LABEL: @train_gradients
func.func @train_gradients(%g: tensor<4xf32>) {
  // CHECK: nn.store_gradient @w, %arg0 : tensor<4xf32>
  nn.store_gradient @w, %g : tensor<4xf32>
  // CHECK: nn.store @running_mean, %arg0 : tensor<4xf32>
  nn.store @running_mean, %g : tensor<4xf32>
  return
}

// An update works on vectors of all trained weights.
// CHECK-LABEL: @train_update
func.func @train_update() {
  // CHECK: nn.flat weights : tensor<16xf32>
  %w = nn.flat weights : tensor<16xf32>
  // CHECK: nn.flat gradients : tensor<16xf32>
  %g = nn.flat gradients : tensor<16xf32>
  // CHECK: nn.flat slot0 : tensor<16xf32>
  %m = nn.flat slot0 : tensor<16xf32>
  // CHECK: nn.flat slot1 : tensor<16xf32>
  %v = nn.flat slot1 : tensor<16xf32>
  // CHECK: nn.store_flat slot0, %{{.+}} : tensor<16xf32>
  nn.store_flat slot0, %g : tensor<16xf32>
  // CHECK: nn.store_flat weights, %{{.+}} : tensor<16xf32>
  nn.store_flat weights, %m : tensor<16xf32>
  return
}

// A loop backwards walks from the last step to the first.
// CHECK-LABEL: @backward
func.func @backward(%dy: !s, %start: !v) {
  // CHECK: nn.each backward "T" sequences(%arg0) start(%arg1)
  %y, %d = nn.each backward "T" sequences(%dy) start(%start) {
  ^bb0(%t: tensor<i32>, %dy_t: !v, %dh: !v):
    %0 = nn.add %dy_t, %dh : (!v, !v) -> !v
    nn.yield next(%0 : !v) outputs(%0 : !v)
  } : (!s, !v) -> (!s, !v)
  return
}
