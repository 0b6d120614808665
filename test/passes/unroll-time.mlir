// RUN: nnc-opt %s -nn-unroll-time -split-input-file | FileCheck %s

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!four = tensor<?x?x4xf32, #nn.dims<"4", "batch">>

// Loops over a length, forward and backward; a fixed number of steps stays.
// CHECK-LABEL: @train_gradients
// CHECK: nn.each "T" sequences(%arg0) start(%arg1) attributes {unroll = 3 : i64}
// CHECK: nn.each backward "T" sequences(%{{.+}}) start(%arg1) attributes {unroll = 3 : i64}
// CHECK: nn.each "4" sequences(%arg2) start(%{{.+}}) {
func.func @train_gradients(%x: !hs, %a: !h, %f: !four) -> !h attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false, unroll = 3}} {
  %y, %0 = nn.each "T" sequences(%x) start(%a) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
    nn.yield next(%x_t : !h) outputs(%h : !h)
  } : (!hs, !h) -> (!hs, !h)
  %1 = nn.each backward "T" sequences(%y) start(%a) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
    nn.yield next(%x_t : !h)
  } : (!hs, !h) -> !h
  %2 = nn.each "4" sequences(%f) start(%1) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
    nn.yield next(%x_t : !h)
  } : (!four, !h) -> !h
  return %2 : !h
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// Without `unroll` a loop goes step by step.
// CHECK-LABEL: @infer
// CHECK-NOT: unroll
func.func @infer(%x: !hs, %a: !h) -> !h {
  %0 = nn.each "T" sequences(%x) start(%a) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
    nn.yield next(%x_t : !h)
  } : (!hs, !h) -> !h
  return %0 : !h
}
