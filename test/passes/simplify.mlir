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

// -----

// What a mean is subtracted from sums to nothing, so that the sum behind is that of %x by its column's factor, which there is.

// CHECK-LABEL: func.func @sum_follows
// CHECK: %[[SUM:.*]] = nn.sum %arg1
// CHECK-NOT: nn.sum %{{[0-9]}}
// CHECK: %[[SCALED:.*]] = nn.mul %[[SUM]], %arg2
// CHECK-NEXT: %[[RESULT:.*]] = nn.neg %[[SCALED]]
// CHECK: return %[[SUM]], %[[RESULT]]
func.func @sum_follows(%x: tensor<?x4xf32, #nn.dims<"batch">>, %dy: tensor<?x4xf32, #nn.dims<"batch">>, %s: tensor<4xf32>, %k: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %count = nn.count %x {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<f32>
  %total = nn.sum %x {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<4xf32>
  %mean = nn.div %total, %count : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %centred = nn.sub %x, %mean : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<4xf32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %two = nn.constant 2.0 : f32 : tensor<f32>
  %twos = nn.broadcast %two {dims = array<i64>} : (tensor<f32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %slope = nn.mul %k, %twos : (tensor<4xf32>, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %a = nn.mul %slope, %centred : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %b = nn.mul %dy, %s : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<4xf32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %both = nn.add %a, %b : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %minus = nn.neg %both : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %sum = nn.sum %minus {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<4xf32>
  %known = nn.sum %dy {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<4xf32>
  return %known, %sum : tensor<4xf32>, tensor<4xf32>
}

// -----

// Without a sum that is known there is no shorter way.

// CHECK-LABEL: func.func @sum_of_unknown
// CHECK: %[[NEG:.*]] = nn.neg %arg0
// CHECK: nn.sum %[[NEG]]
func.func @sum_of_unknown(%x: tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<4xf32> {
  %minus = nn.neg %x : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %sum = nn.sum %minus {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<4xf32>
  return %sum : tensor<4xf32>
}

// -----

// What is computed alike for every step stays in the order of time from one loop to the next.

!b = tensor<?x16x8xf32, #nn.dims<"batch">>
!t = tensor<?x?x8xf32, #nn.dims<"16", "batch">>
// CHECK-LABEL: func.func @order_of_time
// CHECK-NEXT: %[[RELU:.*]] = nn.relu %arg0
// CHECK-NEXT: %[[DENSE:.*]] = nn.dense %[[RELU]], %arg1
// CHECK-NEXT: %[[SUM:.*]] = nn.add %[[DENSE]], %arg2
// CHECK-NEXT: %[[Y:.*]] = nn.softmax %[[SUM]]
// CHECK-NEXT: return %[[Y]]
func.func @order_of_time(%x: !t, %w: tensor<4x8xf32>, %b: tensor<4xf32>) -> tensor<?x?x4xf32, #nn.dims<"16", "batch">> {
  %major = nn.batch_major %x {steps = 1 : i64} : (!t) -> !b
  %relu = nn.relu %major : (!b) -> !b
  %dense = nn.dense %relu, %w : (!b, tensor<4x8xf32>) -> tensor<?x16x4xf32, #nn.dims<"batch">>
  %bias = nn.broadcast %b {dims = array<i64: 1>} : (tensor<4xf32>) -> tensor<16x4xf32>
  %sum = nn.add %dense, %bias : (tensor<?x16x4xf32, #nn.dims<"batch">>, tensor<16x4xf32>) -> tensor<?x16x4xf32, #nn.dims<"batch">>
  %y = nn.softmax %sum : (tensor<?x16x4xf32, #nn.dims<"batch">>) -> tensor<?x16x4xf32, #nn.dims<"batch">>
  %time = nn.time_major %y {steps = 1 : i64} : (tensor<?x16x4xf32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"16", "batch">>
  return %time : tensor<?x?x4xf32, #nn.dims<"16", "batch">>
}

// -----

// Not where a step has its own number, nor where the steps are what is normalized.

!b = tensor<?x16x8xf32, #nn.dims<"batch">>
!t = tensor<?x?x8xf32, #nn.dims<"16", "batch">>
!s = tensor<?x16xf32, #nn.dims<"batch">>
// CHECK-LABEL: func.func @order_of_batch
// CHECK: nn.batch_major %arg0
// CHECK-NEXT: nn.add %{{.*}}, %arg2
// CHECK-NEXT: nn.batch_major %arg1
// CHECK-NEXT: nn.softmax
func.func @order_of_batch(%x: !t, %z: tensor<?x?xf32, #nn.dims<"16", "batch">>, %own: tensor<16x8xf32>) -> (!b, !s) {
  %major = nn.batch_major %x {steps = 1 : i64} : (!t) -> !b
  %sum = nn.add %major, %own : (!b, tensor<16x8xf32>) -> !b
  %numbers = nn.batch_major %z {steps = 1 : i64} : (tensor<?x?xf32, #nn.dims<"16", "batch">>) -> !s
  %y = nn.softmax %numbers : (!s) -> !s
  return %sum, %y : !b, !s
}

// -----

// A mean over no dimension, as the batch norm of what is one for all examples takes it, is its operand.

// CHECK-LABEL: func.func @over_nothing
// CHECK-NEXT: nn.square %arg0
// CHECK-NOT: nn.mean
func.func @over_nothing(%x: tensor<8xf32>) -> tensor<8xf32> {
  %mean = nn.mean %x {axes = array<i64>} : (tensor<8xf32>) -> tensor<8xf32>
  %y = nn.square %mean : (tensor<8xf32>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}
