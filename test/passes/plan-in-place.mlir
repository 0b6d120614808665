// RUN: nnc-opt %s -nn-form-groups -nn-outline-kernels "-nn-plan-buffers=in-place" -split-input-file | FileCheck %s
// RUN: nnc-opt %s -nn-form-groups -nn-outline-kernels -nn-plan-buffers -split-input-file | FileCheck %s --check-prefix=APART

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// Each step of a projection is read for the last time where that step of the
// stack is written: one buffer is enough, and the kernel is told so.
// CHECK: nn.kernel dense @[[STEP:.+]] attributes {in_place = array<i64: 2>}
// CHECK-LABEL: @projection
// CHECK-SAME: nn.arenas = [{bytes = 64 : i64, unit = "T*batch"}]
// CHECK: nn.launch {{.*}}places = [#nn.place<workspace 0>]
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0>, unit]
// CHECK: nn.launch @[[STEP]] {{.*}}places = [#nn.place<stack 0>]
// APART-NOT: in_place
// APART-LABEL: @projection
// APART-SAME: nn.arenas = [{bytes = 128 : i64, unit = "T*batch"}]
func.func @projection(%x: !s, %h0: !v, %w: !w, %r: !w) -> !s {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %h, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    %2 = nn.tanh %1 : (!v) -> !v
    nn.yield next(%2 : !v) outputs(%2 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  return %z : !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// The stack of a loop backward may take the one of the loop forward, which took
// the projection.
// CHECK-LABEL: @chain
// CHECK-SAME: nn.arenas = [{bytes = 64 : i64, unit = "T*batch"}]
// CHECK: nn.each "T" {{.*}}places = [#nn.place<workspace 0>, unit]
// CHECK: nn.each backward "T" {{.*}}places = [#nn.place<workspace 0>, unit]
func.func @chain(%x: !s, %h0: !v, %w: !w, %r: !w) -> !s {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %h, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %b, %d = nn.each backward "T" sequences(%y) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %d: !v):
    %0 = nn.dense %d, %r : (!v, !w) -> !v
    %1 = nn.mul %0, %e : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %b, %w : (!s, !w) -> !s
  return %z : !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// What is read again after the loop stays.
// CHECK-NOT: in_place
// CHECK-LABEL: @after
// CHECK: nn.launch {{.*}}places = [#nn.place<workspace 0>]
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0 at 64>, unit]
func.func @after(%x: !s, %h0: !v, %w: !w, %r: !w) -> (!s, !s) {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %h, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  %a = nn.dense %p, %w : (!s, !w) -> !s
  return %z, %a : !s, !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// So does what each step reads another step of, here the last,
// CHECK-NOT: in_place
// CHECK-LABEL: @other_step
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0 at 64>, unit]
func.func @other_step(%x: !s, %h0: !v, %w: !w, %r: !w) -> !s {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %l = nn.last %p : (!s) -> !v
    %0 = nn.dense %l, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  return %z : !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// what the same step reads later,
// CHECK-NOT: in_place
// CHECK-LABEL: @later
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0 at 64>, #nn.place<workspace 1{{.*}}>]
func.func @later(%x: !s, %h0: !v, %w: !w, %r: !w) -> !s {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %h, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    %2 = nn.dense %1, %r : (!v, !w) -> !v
    %3 = nn.mul %2, %e : (!v, !v) -> !v
    nn.yield next(%3 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  return %z : !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// what a contraction reads all of for each element,
// CHECK-NOT: in_place
// CHECK-LABEL: @contraction
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0 at 64>, unit]
func.func @contraction(%x: !s, %h0: !v, %w: !w, %r: !w) -> !s {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %e, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    %2 = nn.add %1, %h : (!v, !v) -> !v
    nn.yield next(%2 : !v) outputs(%2 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  return %z : !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!u = tensor<?x32xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!q = tensor<?x?x32xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>
!m = tensor<32x16xf32>

// and what has another shape: the half of a step.
// CHECK-NOT: in_place
// CHECK-LABEL: @shape
// CHECK: nn.each {{.*}}places = [#nn.place<workspace 0 at 128>, unit]
func.func @shape(%x: !s, %h0: !v, %w: !w, %m: !m) -> !s {
  %p = nn.dense %x, %m : (!s, !m) -> !q
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !u, %h: !v):
    %0 = nn.slice %e {starts = array<i64: 0>, sizes = array<i64: 16>} : (!u) -> !v
    %1 = nn.add %0, %h : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!q, !v) -> (!s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  return %z : !s
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// A state that is stacked is read where it lies, here after the loop that could
// take the stack.
// CHECK-LABEL: func.func @final
// CHECK: nn.each "T" {{.*}}places = [#nn.place<workspace 0>, unit]
// CHECK: nn.each backward "T" {{.*}}places = [#nn.place<workspace 0 at 64>, unit]
func.func @final(%x: !s, %h0: !v, %w: !w, %r: !w) -> (!s, !v) {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %h, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %b, %d = nn.each backward "T" sequences(%y) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %d: !v):
    %0 = nn.dense %d, %r : (!v, !w) -> !v
    %1 = nn.mul %0, %e : (!v, !v) -> !v
    nn.yield next(%1 : !v) outputs(%1 : !v)
  } : (!s, !v) -> (!s, !v)
  %z = nn.dense %b, %w : (!s, !w) -> !s
  %last = nn.dense %h, %w : (!v, !w) -> !v
  return %z, %last : !s, !v
}

// -----

!v = tensor<?x16xf32, #nn.dims<"batch">>
!s = tensor<?x?x16xf32, #nn.dims<"T", "batch">>
!w = tensor<16x16xf32>

// One stack takes a sequence, not two; the other follows from no sequence element
// by element but from that one.
// CHECK-LABEL: func.func @two
// CHECK-SAME: nn.arenas = [{bytes = 128 : i64, unit = "T*batch"}
// CHECK: nn.each "T" {{.*}}places = [#nn.place<workspace 0>, #nn.place<workspace 0 at 64>, unit]
func.func @two(%x: !s, %h0: !v, %w: !w, %r: !w) -> (!s, !s) {
  %p = nn.dense %x, %w : (!s, !w) -> !s
  %y, %g, %h = nn.each "T" sequences(%p) start(%h0) {
  ^bb0(%t: tensor<i32>, %e: !v, %h: !v):
    %0 = nn.dense %h, %r : (!v, !w) -> !v
    %1 = nn.add %0, %e : (!v, !v) -> !v
    %2 = nn.tanh %1 : (!v) -> !v
    nn.yield next(%1 : !v) outputs(%1, %2 : !v, !v)
  } : (!s, !v) -> (!s, !s, !v)
  %z = nn.dense %y, %w : (!s, !w) -> !s
  %a = nn.dense %g, %w : (!s, !w) -> !s
  return %z, %a : !s, !s
}
