// RUN: nnc-opt %s -nn-form-groups -nn-outline-kernels -nn-plan-buffers -split-input-file | FileCheck %s

!v = tensor<?x16xf32, #nn.dims<"batch">>

// Of four values in a row two live at once, and the last is the caller's: two
// buffers of 64 bytes an example.
// CHECK-LABEL: @chain
// CHECK-SAME: nn.arenas = [{bytes = 128 : i64, unit = "batch"}]
// CHECK: nn.launch {{.*}}places = [#nn.place<workspace 0>]
// CHECK: nn.launch {{.*}}places = [#nn.place<workspace 0 at 64>]
// CHECK: nn.launch {{.*}}places = [#nn.place<workspace 0>]
// CHECK: nn.launch {{.*}}places = [#nn.place<output 0>]
func.func @chain(%x: !v, %w: tensor<16x16xf32>) -> !v {
  %0 = nn.dense %x, %w : (!v, tensor<16x16xf32>) -> !v
  %1 = nn.dense %0, %w : (!v, tensor<16x16xf32>) -> !v
  %2 = nn.dense %1, %w : (!v, tensor<16x16xf32>) -> !v
  %3 = nn.dense %2, %w : (!v, tensor<16x16xf32>) -> !v
  return %3 : !v
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>

// A state that is stacked is read where it lies in the stack; one that is not
// has two slots.
// CHECK-LABEL: @loop
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0>, unit, #nn.place<workspace 1{{.*}}>]
// CHECK: nn.launch {{.*}}places = [#nn.place<stack 0>]
// CHECK: nn.launch {{.*}}places = [#nn.place<carry 1>]
func.func @loop(%h0: !v, %c0: !v, %w: tensor<16x16xf32>, %u: tensor<16x16xf32>) -> (!v, !v) {
  %y, %h, %c = nn.each "T" start(%h0, %c0) {
  ^bb0(%t: tensor<i32>, %h: !v, %c: !v):
    %0 = nn.dense %c, %w : (!v, tensor<16x16xf32>) -> !v
    %1 = nn.dense %0, %u : (!v, tensor<16x16xf32>) -> !v
    nn.yield next(%0, %1 : !v, !v) outputs(%0 : !v)
  } : (!v, !v) -> (!s, !v, !v)
  %z = nn.last %y : (!s) -> !v
  return %z, %c : !v, !v
}

// -----

!x = tensor<?x7xf32, #nn.dims<"batch">>
!y = tensor<?x9xf32, #nn.dims<"batch">>
!p = tensor<9x7xf32, #nn.panel<dim = 0, width = 16>>

// What pads a panel has its room: 9 rows in a panel of 16 are 7 * 16 numbers.
// CHECK-LABEL: @panel
// CHECK-SAME: nn.arenas = [{bytes = 448 : i64, unit = "1"}]
// CHECK: nn.launch {{.*}}places = [#nn.place<workspace 0>]
// CHECK: nn.launch {{.*}}places = [#nn.place<output 0>]
func.func @panel(%x: !x, %d: !y) -> !y {
  %0 = nn.dense_weight_gradient %x, %d : (!x, !y) -> !p
  %1 = nn.dense %x, %0 : (!x, !p) -> !y
  return %1 : !y
}
