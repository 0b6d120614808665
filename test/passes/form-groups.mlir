// RUN: nnc-opt %s -nn-form-groups=gradients=2 -split-input-file | FileCheck %s
// RUN: nnc-opt %s -nn-form-groups -split-input-file | FileCheck %s --check-prefix=ALONE
// RUN: nnc-opt %s -nn-form-groups=few-kernels -split-input-file | FileCheck %s --check-prefix=FEW

!v = tensor<?x4xf32, #nn.dims<"batch">>

// A contraction takes bias and activation along.
// CHECK-LABEL: @epilogue
// CHECK: %[[G:.+]] = nn.group dense(%arg0, %arg1, %arg2)
// CHECK: nn.dense
// CHECK-NEXT: nn.add
// CHECK-NEXT: nn.tanh
// CHECK-NEXT: nn.yield outputs(%{{.+}} :
// CHECK: return %[[G]]
func.func @epilogue(%x: !v, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> !v {
  %0 = nn.dense %x, %w : (!v, tensor<4x4xf32>) -> !v
  %1 = nn.add %0, %b : (!v, tensor<4xf32>) -> !v
  %2 = nn.tanh %1 : (!v) -> !v
  return %2 : !v
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>

// A residual sum joins the later of its two contractions, whose operand the
// earlier is not.
// CHECK-LABEL: @residual
// CHECK: %[[A:.+]] = nn.group dense(%arg0, %arg1)
// CHECK: nn.group dense(%[[A]], %arg2)
// CHECK: nn.add
func.func @residual(%x: !v, %w: tensor<4x4xf32>, %u: tensor<4x4xf32>) -> !v {
  %0 = nn.dense %x, %w : (!v, tensor<4x4xf32>) -> !v
  %1 = nn.dense %0, %u : (!v, tensor<4x4xf32>) -> !v
  %2 = nn.add %0, %1 : (!v, !v) -> !v
  return %2 : !v
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>

// The gates of a cell are contractions of one state: they share a group.
// CHECK-LABEL: @gates
// CHECK: nn.group dense(%arg0, %arg1, %arg2)
// CHECK: nn.dense
// CHECK: nn.dense
// CHECK: nn.yield
// CHECK-NOT: nn.group
func.func @gates(%h: !v, %f: tensor<4x4xf32>, %i: tensor<4x4xf32>) -> !v {
  %0 = nn.dense %h, %f : (!v, tensor<4x4xf32>) -> !v
  %1 = nn.sigmoid %0 : (!v) -> !v
  %2 = nn.dense %h, %i : (!v, tensor<4x4xf32>) -> !v
  %3 = nn.tanh %2 : (!v) -> !v
  %4 = nn.mul %1, %3 : (!v, !v) -> !v
  return %4 : !v
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>

!p = tensor<4x4xf32, #nn.panel<dim = 0, width = 8>>

// The gradients of the gates' weights read one state: as many share a group as can be summed
// at once.
// CHECK-LABEL: @gradients_of_gates
// CHECK: nn.group dense(%arg0, %arg1, %arg2)
// CHECK: nn.dense_weight_gradient
// CHECK-NEXT: nn.dense_weight_gradient
// CHECK-NEXT: nn.yield
// CHECK: nn.group dense(%arg0, %arg3)
// CHECK-NOT: nn.group
//
// ALONE-LABEL: @gradients_of_gates
// ALONE-COUNT-3: nn.group dense
func.func @gradients_of_gates(%h: !v, %df: !v, %di: !v, %do: !v) -> (!p, !p, !p) {
  %0 = nn.dense_weight_gradient %h, %df : (!v, !v) -> !p
  %1 = nn.dense_weight_gradient %h, %di : (!v, !v) -> !p
  %2 = nn.dense_weight_gradient %h, %do : (!v, !v) -> !p
  return %0, %1, %2 : !p, !p, !p
}

// Where they are in no panels a kernel has one sum; and what multiplies other rows is another.
// CHECK-LABEL: @gradients_apart
// CHECK-COUNT-3: nn.group dense
func.func @gradients_apart(%h: !v, %x: !v, %df: !v, %di: !v) -> (tensor<4x4xf32>, tensor<4x4xf32>, !p) {
  %0 = nn.dense_weight_gradient %h, %df : (!v, !v) -> tensor<4x4xf32>
  %1 = nn.dense_weight_gradient %h, %di : (!v, !v) -> tensor<4x4xf32>
  %2 = nn.dense_weight_gradient %x, %di : (!v, !v) -> !p
  return %0, %1, %2 : tensor<4x4xf32>, tensor<4x4xf32>, !p
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>

// Joining the first group would make it wait for the second, which waits for it.
// CHECK-LABEL: @no_cycle
// CHECK: %[[A:.+]] = nn.group dense(%arg0, %arg1)
// CHECK: %[[S:.+]] = nn.group reduce(%[[A]])
// CHECK: nn.mul
// CHECK: return
func.func @no_cycle(%x: !v, %w: tensor<4x4xf32>) -> !v {
  %0 = nn.dense %x, %w : (!v, tensor<4x4xf32>) -> !v
  %1 = nn.softmax %0 : (!v) -> !v
  %2 = nn.mul %0, %1 : (!v, !v) -> !v
  return %2 : !v
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>

// A sum reads each product once: they are not stored.
// CHECK-LABEL: @dot
// CHECK: nn.group reduce(%arg0, %arg1)
// CHECK-NEXT: ^bb0
// CHECK-NEXT: nn.mul
// CHECK-NEXT: nn.sum
func.func @dot(%a: !v, %b: !v) -> tensor<?xf32, #nn.dims<"batch">> {
  %0 = nn.mul %a, %b : (!v, !v) -> !v
  %1 = nn.sum %0 {axes = array<i64: 1>} : (!v) -> tensor<?xf32, #nn.dims<"batch">>
  return %1 : tensor<?xf32, #nn.dims<"batch">>
}

// -----

!w = tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
!t = tensor<24x30xf32, #nn.panel<dim = 1, width = 16>>

// A copy in panels takes the slice that it is of.
// CHECK-LABEL: @inputs
// CHECK: nn.group reshape(%{{.+}}) {
// CHECK: nn.slice
// CHECK-NEXT: nn.pack
// CHECK-NOT: nn.group
func.func @inputs(%w: !w) -> !t {
  %0 = nn.slice %w {starts = array<i64: 0, 10>, sizes = array<i64: 24, 30>} : (!w) -> tensor<24x30xf32>
  %1 = nn.pack %0 : (tensor<24x30xf32>) -> !t
  return %1 : !t
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
!w = tensor<4xf32>

// Norms of rows that meet are computed together: the gates of a cell that
// normalizes each. One that reads their result waits.
// CHECK-LABEL: @norms_meet
// CHECK: %[[C:.+]] = nn.group norm(
// CHECK-NOT: nn.group
// CHECK: nn.layer_norm
// CHECK-NOT: nn.group
// CHECK: nn.layer_norm
// CHECK-NOT: nn.group
// CHECK: nn.mul
// CHECK: nn.group norm(%[[C]]
// CHECK: nn.layer_norm
// CHECK: nn.tanh
// CHECK-NOT: nn.group
func.func @norms_meet(%a: !v, %b: !v, %s: !w, %t: !w) -> !v {
  %0 = nn.layer_norm %a, %s, %t {epsilon = 1.0e-5 : f64} : (!v, !w, !w) -> !v
  %p = nn.mul %b, %s : (!v, !w) -> !v
  %q = nn.add %0, %p : (!v, !v) -> !v
  %1 = nn.sigmoid %q : (!v) -> !v
  %2 = nn.layer_norm %b, %t, %s {epsilon = 1.0e-5 : f64} : (!v, !w, !w) -> !v
  %3 = nn.tanh %2 : (!v) -> !v
  %4 = nn.mul %1, %3 : (!v, !v) -> !v
  %5 = nn.layer_norm %4, %s, %s {epsilon = 1.0e-5 : f64} : (!v, !w, !w) -> !v
  %6 = nn.tanh %5 : (!v) -> !v
  return %6 : !v
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!w = tensor<4x4xf32>

// What is computed beside an anchor meets its result. With few kernels it is computed there, else apart.
// CHECK-LABEL: @met
// CHECK: nn.group dense
// CHECK: nn.group elementwise
// FEW-LABEL: @met
// FEW: nn.group dense
// FEW-NOT: nn.group
func.func @met(%x: !h, %a: !h, %w: !w) -> (!h, !h) {
  %0 = nn.dense %x, %w : (!h, !w) -> !h
  %1 = nn.square %a : (!h) -> !h
  %2 = nn.tanh %1 : (!h) -> !h
  %3 = nn.mul %0, %2 : (!h, !h) -> !h
  return %2, %3 : !h, !h
}

// -----

!x = tensor<?x2xf32, #nn.dims<"batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!xh = tensor<?x6xf32, #nn.dims<"batch">>
!xs = tensor<?x?x2xf32, #nn.dims<"T", "batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!w = tensor<4x6xf32>

// With few kernels the contractions of a step put together what they read.
// CHECK-LABEL: @put_together
// CHECK: nn.group reshape
// CHECK: nn.group dense
// FEW-LABEL: @put_together
// FEW-NOT: nn.group reshape
// FEW: nn.group dense(
// FEW: %[[XH:.+]] = nn.concat
// FEW-NEXT: nn.dense %[[XH]],
// FEW-NEXT: nn.dense %[[XH]],
// FEW-NOT: nn.group
func.func @put_together(%x: !xs, %h0: !h, %w: !w, %u: !w) -> !hs {
  %hs, %end = nn.each "T" sequences(%x) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: !x, %h: !h):
    %0 = nn.concat %x_t, %h {axis = 1} : (!x, !h) -> !xh
    %1 = nn.dense %0, %w : (!xh, !w) -> !h
    %2 = nn.dense %0, %u : (!xh, !w) -> !h
    %3 = nn.mul %1, %2 : (!h, !h) -> !h
    nn.yield next(%3 : !h) outputs(%3 : !h)
  } : (!xs, !h) -> (!hs, !h)
  return %hs : !hs
}
