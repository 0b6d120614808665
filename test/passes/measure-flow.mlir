// RUN: nnc-opt -nn-measure-flow %s | FileCheck %s
// RUN: nnc-opt -nn-measure-flow -nn-differentiate -nn-prune-loops %s | FileCheck %s --check-prefix=BACK

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!v = tensor<?xf32, #nn.dims<"batch">>
!vs = tensor<?x?xf32, #nn.dims<"T", "batch">>
!lengths = tensor<?xi32, #nn.dims<"batch">>

// The mean over steps is multiplied by what is 1 at the step that is asked for, the last
// state's loss is left out unless all is asked for. What would be stored is dropped.
//
// CHECK-LABEL: func.func @train_flow
// CHECK-SAME: (%[[XS:[^:]+]]: {{.+}} {nn.name = "x"}, %[[STEP:[^:]+]]: tensor<i32> {nn.name = "loss_step"}, %[[LENGTHS:[^:]+]]: tensor<?xi32{{.*}} {nn.lengths = "T"})
// CHECK-SAME: nn.flow = {has_steps = true, name = "train", reduce_sum = false}
// CHECK: %[[P:.+]] = nn.probe "state" : tensor<?x?x4xf32
// CHECK: nn.mask %[[P]], %[[LENGTHS]]
// CHECK: %[[UPTO:.+]] = nn.mask %{{.+}}, %{{.+}} {axis = 0 : i64
// CHECK: %[[BEFORE:.+]] = nn.mask %{{.+}}, %{{.+}} {axis = 0 : i64
// CHECK: %[[AT:.+]] = nn.sub %[[UPTO]], %[[BEFORE]]
// CHECK: %[[CHOSEN:.+]] = nn.mul %{{.+}}, %[[AT]]
// CHECK: %[[MEAN:.+]] = nn.mean %[[CHOSEN]], %[[LENGTHS]] {axes = array<i64: 0>}
// CHECK: %[[END:.+]] = nn.sum %{{.+}} {axes = array<i64: 1>}
// CHECK: %[[ALL:.+]] = nn.lt %[[STEP]]
// CHECK: %[[WHOLE:.+]] = nn.select %{{.+}}, %[[END]]
// CHECK: nn.add %[[MEAN]], %[[WHOLE]]
// CHECK-NOT: nn.store
//
// The function gives a norm for each step; no weight gets a gradient, no probe is left.
// BACK: nn.each backward "T"
// BACK-NOT: dense_weight_gradient
// BACK: nn.sum %{{.+}} {axes = array<i64: 1, 2>}
// BACK: %[[ROOT:.+]] = nn.sqrt
// BACK: %[[NORM:.+]] = nn.div %[[ROOT]]
// BACK: return %{{.+}}, %[[NORM]] : tensor<f32>, tensor<?xf32, #nn.dims<"T">>
// BACK-NOT: nn.probe
module {
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  nn.weight @mean : tensor<4xf32> init <kind = constant> frozen
  func.func @train_flow(%xs: !hs {nn.name = "x"}, %lengths: !lengths {nn.lengths = "T"}) -> (!v {nn.name = "loss"}) attributes {nn.flow = {name = "train", reduce_sum = false}} {
    %w = nn.read @W : tensor<4x4xf32>
    %mean = nn.read @mean : tensor<4xf32>
    nn.store @mean, %mean : tensor<4xf32>
    %zero = nn.constant 0.0 : f32 : tensor<f32>
    %h0 = nn.broadcast %zero {dims = array<i64>} : (tensor<f32>) -> !h
    %hs, %end = nn.each "T" sequences(%xs) start(%h0) {
    ^bb0(%t: tensor<i32>, %x: !h, %h: !h):
      %0 = nn.dense %h, %w : (!h, tensor<4x4xf32>) -> !h
      %1 = nn.add %0, %x : (!h, !h) -> !h
      %2 = nn.tanh %1 : (!h) -> !h
      nn.yield next(%2 : !h) outputs(%2 : !h)
    } : (!hs, !h) -> (!hs, !h)
    %each = nn.sum %hs {axes = array<i64: 2>} : (!hs) -> !vs
    %steps = nn.mean %each, %lengths {axes = array<i64: 0>} : (!vs, !lengths) -> !v
    %last = nn.sum %end {axes = array<i64: 1>} : (!h) -> !v
    %loss = nn.add %steps, %last : (!v, !v) -> !v
    return %loss : !v
  }
}
