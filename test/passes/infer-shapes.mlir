// RUN: nnc-opt %s -nn-infer-shapes -split-input-file -verify-diagnostics | FileCheck %s

// What a module leaves out follows from the arguments of its functions.
// CHECK-LABEL: @unranked
// CHECK-SAME: -> tensor<?x4xf32, #nn.dims<"batch">>
func.func @unranked(%x: tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<*xf32> {
  // CHECK: nn.tanh %{{.+}} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %0 = nn.tanh %x : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// expected-error @+1 {{has an argument of unknown shape 'tensor<*xf32>'}}
func.func @unknown(%x: tensor<*xf32>) {
  return
}

// -----

// A declaration has nothing to compile.
// expected-error @+1 {{must have a body of one block}}
func.func private @declared()
