// RUN: nnc-opt %s -nn-stack-operands -nn-prune-loops -split-input-file | FileCheck %s

!x = tensor<?x2xf32, #nn.dims<"batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!xh = tensor<?x6xf32, #nn.dims<"batch">>
!xs = tensor<?x?x2xf32, #nn.dims<"T", "batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!xhs = tensor<?x?x6xf32, #nn.dims<"T", "batch">>
!w = tensor<4x6xf32>

// The parts are a sequence and a state that is stacked.
// CHECK-LABEL: @parts
// CHECK-SAME: (%[[X:.+]]: tensor<?x?x2xf32{{.*}}, %[[H0:.+]]: tensor<?x4xf32{{.*}}, %{{.+}}: tensor<4x6xf32>)
// CHECK: %[[HS:.+]], %{{.+}} = nn.each "T"
// CHECK: nn.yield next(%[[H:.+]] : {{.*}}) outputs(%[[H]] : {{[^,]+}}, #nn.dims<"batch">>)
// CHECK: %[[BEFORE:.+]] = nn.delay %[[HS]], %[[H0]]
// CHECK-NEXT: %[[XHS:.+]] = nn.concat %[[X]], %[[BEFORE]] {axis = 2 : i64}
// CHECK-NEXT: return %[[HS]], %[[XHS]]
func.func @parts(%x: !xs, %h0: !h, %w: !w) -> (!hs, !xhs) {
  %hs, %xhs, %end = nn.each "T" sequences(%x) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: !x, %h: !h):
    %0 = nn.concat %x_t, %h {axis = 1} : (!x, !h) -> !xh
    %1 = nn.dense %0, %w : (!xh, !w) -> !h
    nn.yield next(%1 : !h) outputs(%1, %0 : !h, !xh)
  } : (!xs, !h) -> (!hs, !xhs, !h)
  return %hs, %xhs : !hs, !xhs
}

// -----

!x = tensor<?x2xf32, #nn.dims<"batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!xh = tensor<?x6xf32, #nn.dims<"batch">>
!xs = tensor<?x?x2xf32, #nn.dims<"T", "batch">>
!xhs = tensor<?x?x6xf32, #nn.dims<"T", "batch">>
!w = tensor<4x6xf32>

// A state that is stacked nowhere; a loop backward.
// CHECK-LABEL: @left
// CHECK-NOT: nn.delay
func.func @left(%x: !xs, %h0: !h, %w: !w) -> (!xhs, !xhs) {
  %a, %end = nn.each "T" sequences(%x) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: !x, %h: !h):
    %0 = nn.concat %x_t, %h {axis = 1} : (!x, !h) -> !xh
    %1 = nn.dense %0, %w : (!xh, !w) -> !h
    nn.yield next(%1 : !h) outputs(%0 : !xh)
  } : (!xs, !h) -> (!xhs, !h)
  %b, %hs, %end2 = nn.each backward "T" sequences(%x) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: !x, %h: !h):
    %0 = nn.concat %x_t, %h {axis = 1} : (!x, !h) -> !xh
    %1 = nn.dense %0, %w : (!xh, !w) -> !h
    nn.yield next(%1 : !h) outputs(%0, %1 : !xh, !h)
  } : (!xs, !h) -> (!xhs, tensor<?x?x4xf32, #nn.dims<"T", "batch">>, !h)
  return %a, %b : !xhs, !xhs
}
