// RUN: nnc-opt %s -nn-rotate-loops -split-input-file | FileCheck %s

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!w = tensor<4x4xf32>

// The error of a state, on the way back: the loop carries that of what the state was made of.
// CHECK-LABEL: @errors
// CHECK-SAME: (%[[DY:.+]]: tensor<?x?x4xf32{{.*}}, %[[W:.+]]: tensor<4x4xf32>)
// CHECK: %[[ZERO:.+]] = nn.broadcast
// CHECK: %{{.+}}, %[[LAST:.+]]:2 = nn.each backward "T" sequences(%[[DY]]) start(%[[ZERO]], %[[ZERO]])
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<i32>, %[[DY_T:.+]]: {{.*}}, %[[DZ_BEFORE:[a-z0-9]+]]: {{.*}}, %[[KEPT_BEFORE:[a-z0-9]+]]: {{.*}}):
// CHECK-NEXT: %[[SUM:.+]] = nn.dense_input_gradient %[[DZ_BEFORE]], %[[W]]
// CHECK-NEXT: %[[DH:.+]] = nn.add %[[SUM]], %[[KEPT_BEFORE]]
// CHECK-NEXT: %[[DZ:.+]] = nn.mul %[[DH]], %[[DY_T]]
// CHECK-NEXT: %[[KEPT:.+]] = nn.neg %[[DH]]
// CHECK-NEXT: nn.yield next(%[[DZ]], %[[KEPT]] : {{.*}}) outputs(%[[DZ]] :
// CHECK: %[[SUM:.+]] = nn.dense_input_gradient %[[LAST]]#0, %[[W]]
// CHECK-NEXT: %[[DH0:.+]] = nn.add %[[SUM]], %[[LAST]]#1
// CHECK-NEXT: return %{{.+}}, %[[DH0]]
func.func @errors(%dy: !hs, %w: !w) -> (!hs, !h) {
  %0 = nn.constant 0.0 : f32 : tensor<f32>
  %zero = nn.broadcast %0 {dims = array<i64>} : (tensor<f32>) -> !h
  %dz, %dh0 = nn.each backward "T" sequences(%dy) start(%zero) {
  ^bb0(%t: tensor<i32>, %dy_t: !h, %dh: !h):
    %1 = nn.mul %dh, %dy_t : (!h, !h) -> !h
    %2 = nn.neg %dh : (!h) -> !h
    %3 = nn.dense_input_gradient %1, %w : (!h, !w) -> !h
    %4 = nn.add %3, %2 : (!h, !h) -> !h
    nn.yield next(%4 : !h) outputs(%1 : !h)
  } : (!hs, !h) -> (!hs, !h)
  return %dz, %dh0 : !hs, !h
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!w = tensor<4x4xf32>

// A state that does not start as 0 starts as what is added as it is. The other states stay, as does the unrolling.
// CHECK-LABEL: @started
// CHECK-SAME: (%[[DY:.+]]: tensor<?x?x4xf32{{.*}}, %[[START:.+]]: tensor<?x4xf32, {{.*}}, %[[C:.+]]: tensor<?x4xf32, {{.*}}, %[[W:.+]]: tensor<4x4xf32>)
// CHECK: %[[ZERO:.+]] = nn.broadcast
// CHECK: %[[OUT:.+]], %[[LAST:.+]]:3 = nn.each backward "T" sequences(%[[DY]]) start(%[[C]], %[[START]], %[[ZERO]]) attributes {unroll = 2 : i64}
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<i32>, %{{.+}}: {{.*}}, %[[C_T:[a-z0-9]+]]: {{.*}}, %[[KEPT:[a-z0-9]+]]: {{.*}}, %[[DZ:[a-z0-9]+]]: {{.*}}):
// CHECK-NEXT: %[[SUM:.+]] = nn.dense_input_gradient %[[DZ]], %[[W]]
// CHECK-NEXT: nn.add %[[KEPT]], %[[SUM]]
// CHECK: return %[[OUT]], %[[LAST]]#0
func.func @started(%dy: !hs, %start: !h, %c: !h, %w: !w) -> (!hs, !h) {
  %dz, %dh0, %c0 = nn.each backward "T" sequences(%dy) start(%start, %c) attributes {unroll = 2} {
  ^bb0(%t: tensor<i32>, %dy_t: !h, %dh: !h, %c_t: !h):
    %1 = nn.mul %dh, %dy_t : (!h, !h) -> !h
    %2 = nn.neg %dh : (!h) -> !h
    %3 = nn.dense_input_gradient %1, %w : (!h, !w) -> !h
    %4 = nn.add %2, %3 : (!h, !h) -> !h
    %5 = nn.tanh %c_t : (!h) -> !h
    nn.yield next(%4, %5 : !h, !h) outputs(%1 : !h)
  } : (!hs, !h, !h) -> (!hs, !h, !h)
  return %dz, %c0 : !hs, !h
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!w = tensor<4x4xf32>

// What is left: a sum that is stacked, too; one that starts as something else, with no value to start so; a product by
// a matrix of the step's own; the next value of a state that is no sum.
// CHECK-LABEL: @left
// CHECK: nn.each "T" sequences(%{{.+}}) start(%[[A:.+]], %[[A]], %[[A]], %[[A]])
func.func @left(%x: !hs, %a: !h, %w: !w) -> (!hs, !h, !h, !h, !h) {
  %y, %ends:4 = nn.each "T" sequences(%x) start(%a, %a, %a, %a) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %b: !h, %c: !h, %d: !h, %e: !h):
    %0 = nn.mul %b, %x_t : (!h, !h) -> !h
    %1 = nn.dense_input_gradient %0, %w : (!h, !w) -> !h
    %2 = nn.add %1, %0 : (!h, !h) -> !h
    %3 = nn.mul %c, %x_t : (!h, !h) -> !h
    %4 = nn.dense_input_gradient %3, %w : (!h, !w) -> !h
    %5 = nn.mul %d, %x_t : (!h, !h) -> !h
    %6 = nn.tanh %w : (!w) -> !w
    %7 = nn.dense_input_gradient %5, %6 : (!h, !w) -> !h
    %8 = nn.neg %d : (!h) -> !h
    %9 = nn.add %7, %8 : (!h, !h) -> !h
    %10 = nn.mul %e, %x_t : (!h, !h) -> !h
    %11 = nn.dense %10, %w : (!h, !w) -> !h
    %12 = nn.tanh %11 : (!h) -> !h
    nn.yield next(%2, %4, %9, %12 : !h, !h, !h, !h) outputs(%2 : !h)
  } : (!hs, !h, !h, !h, !h) -> (!hs, !h, !h, !h, !h)
  return %y, %ends#0, %ends#1, %ends#2, %ends#3 : !hs, !h, !h, !h, !h
}
