// RUN: nnc-opt %s -nn-simplify -split-input-file | FileCheck %s

// Steps behind an example's end are filled once; with something else, again.

// CHECK-LABEL: func.func @masks
// CHECK-NEXT: %[[ONCE:.*]] = nn.mask %arg0, %arg1 {axis = 0 : i64, fill = 0.000000e+00 : f64}
// CHECK-NEXT: %[[AGAIN:.*]] = nn.mask %[[ONCE]], %arg1 {axis = 0 : i64, fill = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[AGAIN]]
func.func @masks(%x: tensor<?x?x4xf32, #nn.dims<"T", "batch">>, %lengths: tensor<?xi32, #nn.dims<"batch">>)
    -> tensor<?x?x4xf32, #nn.dims<"T", "batch">> {
  %a = nn.mask %x, %lengths {axis = 0 : i64, fill = 0.0 : f64} : (tensor<?x?x4xf32, #nn.dims<"T", "batch">>, tensor<?xi32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"T", "batch">>
  %b = nn.mask %a, %lengths {axis = 0 : i64, fill = 0.0 : f64} : (tensor<?x?x4xf32, #nn.dims<"T", "batch">>, tensor<?xi32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"T", "batch">>
  %c = nn.mask %b, %lengths {axis = 0 : i64, fill = 1.0 : f64} : (tensor<?x?x4xf32, #nn.dims<"T", "batch">>, tensor<?xi32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"T", "batch">>
  return %c : tensor<?x?x4xf32, #nn.dims<"T", "batch">>
}

// -----

// CHECK-LABEL: func.func @neutral
// CHECK-NEXT: return %arg0
func.func @neutral(%x: tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">> {
  %zero = nn.constant 0.0 : f32 : tensor<f32>
  %one = nn.constant 1.0 : f32 : tensor<f32>
  %a = nn.add %x, %zero : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<f32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %b = nn.mul %one, %a : (tensor<f32>, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %c = nn.neg %b : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %d = nn.neg %c : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  return %d : tensor<?x4xf32, #nn.dims<"batch">>
}
