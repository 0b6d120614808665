// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

!v = tensor<?x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// CHECK: nn.weight @conv1.kernel : tensor<4xf32> init <kind = glorot, fan_in = 25, fan_out = 150>
nn.weight @conv1.kernel : tensor<4xf32> init <kind = glorot, fan_in = 25, fan_out = 150>
// CHECK: nn.weight @mean : tensor<4xf32> init <kind = uniform, a = -1.0{{.*}}, b = 1.0{{.*}}> frozen
nn.weight @mean : tensor<4xf32> init <kind = uniform, a = -1.0 : f64, b = 1.0 : f64> frozen
// CHECK: nn.prepared @p : tensor<4xf32>
nn.prepared @p : tensor<4xf32>
// CHECK: nn.state @h : tensor<?x4xf32, #nn.dims<"batch">>
nn.state @h : !v

// CHECK: nn.kernel elementwise @k
nn.kernel elementwise @k {
^bb0(%x: tensor<?x4xf32, #nn.dims<"d0">>):
  %0 = nn.tanh %x : (tensor<?x4xf32, #nn.dims<"d0">>) -> tensor<?x4xf32, #nn.dims<"d0">>
  // CHECK: nn.yield outputs
  nn.yield outputs(%0 : tensor<?x4xf32, #nn.dims<"d0">>)
}

// CHECK-LABEL: @infer
func.func @infer(%x: !s) -> !s {
  // CHECK: nn.read @conv1.kernel
  %w = nn.read @"conv1.kernel" : tensor<4xf32>
  %h = nn.read @h : !v
  // CHECK: nn.constant 2.0
  %two = nn.constant 2.0 : f32 : tensor<f32>
  // CHECK: nn.each "T" sequences(%arg0) start(
  %y, %end = nn.each "T" sequences(%x) start(%h) {
  ^bb0(%t: tensor<i32>, %x_t: !v, %h_t: !v):
    // CHECK: nn.group elementwise(
    %0 = nn.group elementwise(%x_t, %h_t) {
    ^bb0(%a: !v, %b: !v):
      %1 = nn.add %a, %b : (!v, !v) -> !v
      nn.yield outputs(%1 : !v)
    } : (!v, !v) -> !v
    // CHECK: nn.launch @k ["batch"]
    %2 = nn.launch @k ["batch"](%0) {places = [#nn.place<carry 0>]} : (!v) -> !v
    // CHECK: nn.yield next({{.*}}) outputs(
    nn.yield next(%2 : !v) outputs(%0 : !v)
  } : (!s, !v) -> (!s, !v)
  // CHECK: nn.store @h
  nn.store @h, %end : !v
  return %y : !s
}
