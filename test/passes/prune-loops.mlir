// RUN: nnc-opt %s -nn-prune-loops -split-input-file | FileCheck %s

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// The second state follows from the first, but nothing from it; nobody reads the output.
// CHECK-LABEL: @dead_state
// CHECK-SAME: (%[[X:.+]]: tensor<?x?x4xf32{{.*}}, %[[Y:.+]]: tensor<?x?x4xf32{{.*}}, %[[A:.+]]: tensor<?x4xf32{{.*}}, %[[B:.+]]: tensor<
// CHECK: %[[END:.+]] = nn.each "T" sequences(%[[X]]) start(%[[A]])
// CHECK-NOT: nn.mul
// CHECK: nn.yield next(%{{[0-9a-z]+}} : tensor<?x4xf32, #nn.dims<"batch">>)
// CHECK: return %[[END]]
func.func @dead_state(%x: !hs, %y: !hs, %a: !h, %b: !h) -> !h {
  %z, %end:2 = nn.each "T" sequences(%x, %y) start(%a, %b) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %y_t: !h, %h: !h, %g: !h):
    %0 = nn.add %h, %x_t : (!h, !h) -> !h
    %1 = nn.add %g, %0 : (!h, !h) -> !h
    %2 = nn.mul %y_t, %1 : (!h, !h) -> !h
    nn.yield next(%0, %1 : !h, !h) outputs(%2 : !h)
  } : (!hs, !hs, !h, !h) -> (!hs, !h, !h)
  return %end#0 : !h
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// A state that never changes is read where it starts.
// CHECK-LABEL: @unchanged
// CHECK-SAME: (%[[X:.+]]: tensor<?x?x4xf32{{.*}}, %[[A:.+]]: tensor<
// CHECK: %[[Y:.+]] = nn.each "T" sequences(%[[X]]) {
// CHECK: nn.add %{{.+}}, %[[A]]
// CHECK: return %[[Y]], %[[A]]
func.func @unchanged(%x: !hs, %a: !h) -> (!hs, !h) {
  %y, %end = nn.each "T" sequences(%x) start(%a) {
  ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
    %0 = nn.add %x_t, %h : (!h, !h) -> !h
    nn.yield next(%h : !h) outputs(%0 : !h)
  } : (!hs, !h) -> (!hs, !h)
  return %y, %end : !hs, !h
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!hss = tensor<?x?x?x4xf32, #nn.dims<"S", "T", "batch">>

// What a dead output reads in a loop is dead in the loops in it.
// CHECK-LABEL: @nested
// CHECK: nn.each "S"
// CHECK: nn.each "T"
// CHECK-NOT: nn.tanh
// CHECK: return
func.func @nested(%x: !hss, %a: !h) -> !h {
  %y, %end = nn.each "S" sequences(%x) start(%a) {
  ^bb0(%s: tensor<i32>, %x_s: !hs, %h: !h):
    %z, %last = nn.each "T" sequences(%x_s) start(%h) {
    ^bb0(%t: tensor<i32>, %x_t: !h, %g: !h):
      %0 = nn.add %x_t, %g : (!h, !h) -> !h
      %1 = nn.tanh %0 : (!h) -> !h
      nn.yield next(%0 : !h) outputs(%1 : !h)
    } : (!hs, !h) -> (!hs, !h)
    nn.yield next(%last : !h) outputs(%z : !hs)
  } : (!hss, !h) -> (!hss, !h)
  return %end : !h
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!n = tensor<?xi32, #nn.dims<"batch">>
!b = tensor<?xi1, #nn.dims<"batch">>

// Where a loop ends is needed, whoever reads what.
// CHECK-LABEL: @until
// CHECK: nn.each "T" start(%{{.+}}, %{{.+}})
// CHECK: %[[ENDED:.+]] = nn.le
// CHECK: nn.yield next({{.+}}) until(%[[ENDED]]
func.func @until(%a: !h, %limit: !n) -> !h {
  %end:2 = nn.each "T" start(%a, %limit) {
  ^bb0(%t: tensor<i32>, %h: !h, %n: !n):
    %0 = nn.tanh %h : (!h) -> !h
    %1 = nn.min %n, %t : (!n, tensor<i32>) -> !n
    %2 = nn.le %1, %t : (!n, tensor<i32>) -> !b
    nn.yield next(%0, %1 : !h, !n) until(%2 : !b)
  } : (!h, !n) -> (!h, !n)
  return %end#0 : !h
}
