// RUN: nnc-opt %s -nn-split-time -split-input-file | FileCheck %s

!step = tensor<?x4xf32, #nn.dims<"batch">>
!in = tensor<?x8xf32, #nn.dims<"batch">>
!steps = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!ins = tensor<?x?x8xf32, #nn.dims<"T", "batch">>

// The projection of the input reads no state: one contraction over all steps.
// CHECK-LABEL: @input_projection
// CHECK: %[[P:.+]] = nn.dense %arg0, %arg1 : {{.*}} -> tensor<?x?x4xf32, #nn.dims<"T", "batch">>
// CHECK: nn.each "T" sequences(%[[P]]) start(%arg3)
// CHECK: nn.dense
// CHECK-NOT: nn.dense
// CHECK: nn.yield
func.func @input_projection(%x: !ins, %u: tensor<4x8xf32>, %w: tensor<4x4xf32>, %h0: !step) -> !steps {
  %y, %end = nn.each "T" sequences(%x) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: !in, %h: !step):
    %0 = nn.dense %x_t, %u : (!in, tensor<4x8xf32>) -> !step
    %1 = nn.dense %h, %w : (!step, tensor<4x4xf32>) -> !step
    %2 = nn.add %0, %1 : (!step, !step) -> !step
    nn.yield next(%2 : !step) outputs(%2 : !step)
  } : (!ins, !step) -> (!steps, !step)
  return %y : !steps
}

// -----

!step = tensor<?x4xf32, #nn.dims<"batch">>
!out = tensor<?x3xf32, #nn.dims<"batch">>
!outs = tensor<?x?x3xf32, #nn.dims<"T", "batch">>
!steps = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// Only the output needs the projection of the state: the loop stacks the state.
// CHECK-LABEL: @output_projection
// CHECK: %[[LOOP:.+]], %{{.+}} = nn.each "T" sequences(%arg0)
// CHECK-NOT: nn.dense
// CHECK: nn.yield next(%[[N:.+]] : {{.*}}) outputs(%[[N]] :
// CHECK: %[[D:.+]] = nn.dense %[[LOOP]], %arg1
// CHECK: %[[S:.+]] = nn.softmax %[[D]]
// CHECK: return %[[S]]
func.func @output_projection(%x: !steps, %s: tensor<3x4xf32>, %h0: !step) -> !outs {
  %y, %end = nn.each "T" sequences(%x) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: !step, %h: !step):
    %0 = nn.add %x_t, %h : (!step, !step) -> !step
    %1 = nn.dense %0, %s : (!step, tensor<3x4xf32>) -> !out
    %2 = nn.softmax %1 : (!out) -> !out
    nn.yield next(%0 : !step) outputs(%2 : !out)
  } : (!steps, !step) -> (!outs, !step)
  return %y : !outs
}

// -----

!step = tensor<?x4xf32, #nn.dims<"batch">>
!steps = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// What the next step needs stays, although an output needs it too.
// CHECK-LABEL: @state_stays
// CHECK-NOT: nn.dense
// CHECK: nn.each
// CHECK: nn.dense
// CHECK: nn.yield
func.func @state_stays(%w: tensor<4x4xf32>, %h0: !step) -> !steps {
  %y, %end = nn.each "T" start(%h0) {
  ^bb0(%t: tensor<i32>, %h: !step):
    %0 = nn.dense %h, %w : (!step, tensor<4x4xf32>) -> !step
    nn.yield next(%0 : !step) outputs(%0 : !step)
  } : (!step) -> (!steps, !step)
  return %y : !steps
}

// -----

!step = tensor<?x4xf32, #nn.dims<"batch">>
!bools = tensor<?x4xi1, #nn.dims<"batch">>
!steps = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!lengths = tensor<?xi32, #nn.dims<"batch">>

// What a step fills where its example has ended is a mask of the sequence: a loop without
// states vanishes although it asks for the number of the step.
// CHECK-LABEL: @filled_steps
// CHECK-NOT: nn.each
// CHECK: %[[M:.+]] = nn.mask %arg0, %arg1 {axis = 0 : i64, fill = 1.000000e+00 : f64}
// CHECK: %[[L:.+]] = nn.log %[[M]]
// CHECK: return %[[L]]
func.func @filled_steps(%x: !steps, %lengths: !lengths) -> !steps {
  %y = nn.each "T" sequences(%x) {
  ^bb0(%t: tensor<i32>, %x_t: !step):
    %one = nn.constant 1.000000e+00 : f32 : tensor<f32>
    %ones = nn.broadcast %one {dims = array<i64>} : (tensor<f32>) -> !step
    %0 = nn.lt %t, %lengths : (tensor<i32>, !lengths) -> tensor<?xi1, #nn.dims<"batch">>
    %1 = nn.broadcast %0 {dims = array<i64: 0>} : (tensor<?xi1, #nn.dims<"batch">>) -> !bools
    %2 = nn.select %1, %x_t, %ones : (!bools, !step, !step) -> !step
    %3 = nn.log %2 : (!step) -> !step
    nn.yield outputs(%3 : !step)
  } : (!steps) -> !steps
  return %y : !steps
}
