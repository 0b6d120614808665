// RUN: nnc-opt %s -nn-branch-launches=branches=3 -split-input-file | FileCheck %s

!v = tensor<?x4xf32, #nn.dims<"batch">>
!k = tensor<?x4xf32, #nn.dims<"d0">>

nn.kernel elementwise @one {
^bb0(%x: !k):
  %0 = nn.tanh %x : (!k) -> !k
  nn.yield outputs(%0 : !k)
}
nn.kernel elementwise @two {
^bb0(%x: !k, %y: !k):
  %0 = nn.add %x, %y : (!k, !k) -> !k
  nn.yield outputs(%0 : !k)
}

// What reads one result goes on in two branches. What needs both goes on in one and waits for the other.
// CHECK-LABEL: @diamond
// CHECK-NEXT: nn.join
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, mark = 0 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, mark = 1 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {after = array<i64: 0>, branch = 1 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {after = array<i64: 1>, branch = 1 : i64, places
// CHECK-NEXT: nn.join
// CHECK-NEXT: return
func.func @diamond(%x: !v) -> !v attributes {nn.arenas = [{bytes = 192 : i64, unit = "batch"}]} {
  %a = nn.launch @one ["batch"](%x) {places = [#nn.place<workspace 0>]} : (!v) -> !v
  %b = nn.launch @one ["batch"](%a) {places = [#nn.place<workspace 0 at 64>]} : (!v) -> !v
  %c = nn.launch @one ["batch"](%a) {places = [#nn.place<workspace 0 at 128>]} : (!v) -> !v
  %d = nn.launch @two ["batch"](%b, %c) {places = [#nn.place<output 0>]} : (!v, !v) -> !v
  return %d : !v
}

// A chain is as it was.
// CHECK-LABEL: @chain
// CHECK-NOT: branch
// CHECK-NOT: nn.join
// CHECK: return
func.func @chain(%x: !v) -> !v attributes {nn.arenas = [{bytes = 64 : i64, unit = "batch"}]} {
  %a = nn.launch @one ["batch"](%x) {places = [#nn.place<workspace 0>]} : (!v) -> !v
  %b = nn.launch @one ["batch"](%a) {places = [#nn.place<output 0>]} : (!v) -> !v
  return %b : !v
}

// The third launch writes where the second one reads, the last one elsewhere.
// CHECK-LABEL: @memory
// CHECK-NEXT: nn.join
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 1 : i64, places
// CHECK-NEXT: nn.join
func.func @memory(%x: !v) -> (!v, !v, !v) attributes {nn.arenas = [{bytes = 64 : i64, unit = "batch"}]} {
  %a = nn.launch @one ["batch"](%x) {places = [#nn.place<workspace 0>]} : (!v) -> !v
  %b = nn.launch @one ["batch"](%a) {places = [#nn.place<output 0>]} : (!v) -> !v
  %c = nn.launch @two ["batch"](%x, %x) {places = [#nn.place<workspace 0>]} : (!v, !v) -> !v
  %d = nn.launch @one ["batch"](%c) {places = [#nn.place<output 1>]} : (!v) -> !v
  %e = nn.launch @one ["batch"](%x) {places = [#nn.place<output 2>]} : (!v) -> !v
  return %b, %d, %e : !v, !v, !v
}

// The third launch waits for the first. The fourth is in the same branch: it need not wait again.
// CHECK-LABEL: @waits_once
// CHECK-NEXT: nn.join
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64, mark = 0 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 1 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {after = array<i64: 0>, branch = 1 : i64, places
// CHECK-NEXT: nn.launch {{.*}} {branch = 1 : i64, places
// CHECK-NEXT: nn.join
func.func @waits_once(%x: !v) -> (!v, !v) attributes {nn.arenas = [{bytes = 192 : i64, unit = "batch"}]} {
  %a = nn.launch @one ["batch"](%x) {places = [#nn.place<workspace 0>]} : (!v) -> !v
  %b = nn.launch @one ["batch"](%x) {places = [#nn.place<workspace 0 at 64>]} : (!v) -> !v
  %c = nn.launch @two ["batch"](%a, %b) {places = [#nn.place<output 0>]} : (!v, !v) -> !v
  %d = nn.launch @two ["batch"](%c, %a) {places = [#nn.place<output 1>]} : (!v, !v) -> !v
  return %c, %d : !v, !v
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!k = tensor<?x4xf32, #nn.dims<"d0">>

nn.kernel elementwise @one {
^bb0(%x: !k):
  %0 = nn.tanh %x : (!k) -> !k
  nn.yield outputs(%0 : !k)
}

// Loops wait for all, and all waits for them.
// CHECK-LABEL: @loop
// CHECK-NEXT: nn.join
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64
// CHECK-NEXT: nn.launch {{.*}} {branch = 1 : i64
// CHECK-NEXT: nn.join
// CHECK-NEXT: nn.each
// CHECK-NOT: branch
// CHECK: nn.yield
// CHECK: nn.join
// CHECK-NEXT: nn.launch {{.*}} {branch = 0 : i64
// CHECK-NEXT: nn.launch {{.*}} {branch = 1 : i64
// CHECK-NEXT: nn.join
// CHECK-NEXT: return
func.func @loop(%x: !s, %h: !v) -> (!s, !s) attributes {nn.arenas = [{bytes = 128 : i64, unit = "T*batch"}, {bytes = 64 : i64, unit = "batch"}]} {
  %a = nn.launch @one ["T*batch"](%x) {places = [#nn.place<workspace 0>]} : (!s) -> !s
  %b = nn.launch @one ["batch"](%h) {places = [#nn.place<workspace 1>]} : (!v) -> !v
  %y, %last = nn.each "T" sequences(%a) start(%b) attributes {places = [#nn.place<workspace 0 at 64>, unit]} {
  ^bb0(%t: tensor<i32>, %a_t: !v, %h_t: !v):
    %0 = nn.launch @one ["batch"](%h_t) {places = [#nn.place<stack 0>]} : (!v) -> !v
    nn.yield next(%0 : !v) outputs(%0 : !v)
  } : (!s, !v) -> (!s, !v)
  %c = nn.launch @one ["T*batch"](%y) {places = [#nn.place<output 0>]} : (!s) -> !s
  %d = nn.launch @one ["T*batch"](%y) {places = [#nn.place<output 1>]} : (!s) -> !s
  return %c, %d : !s, !s
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
!k = tensor<?x4xf32, #nn.dims<"d0">>
!w = tensor<4xf32>

nn.weight @w : !w init <kind = glorot>
nn.kernel elementwise @read {
^bb0(%x: !k, %w: !w):
  %0 = nn.add %x, %w : (!k, !w) -> !k
  nn.yield outputs(%0 : !k)
}
nn.kernel reduce @sum {
^bb0(%x: !k):
  %0 = nn.sum %x {axes = array<i64: 0>} : (!k) -> !w
  nn.yield outputs(%0 : !w)
}

// Who reads a weight need not wait for its gradient; nothing is copied where a gradient is stored.
// CHECK-LABEL: @weights
// CHECK: nn.launch @sum {{.*}} {branch = 0 : i64, places
// CHECK-NEXT: nn.store_gradient
// CHECK-NEXT: nn.launch @read {{.*}} {branch = 1 : i64, places
// CHECK-NEXT: nn.join
func.func @weights(%x: !v) -> !v {
  %w = nn.read @w : !w
  %g = nn.launch @sum ["batch"](%x) {places = [#nn.place<gradient 0>]} : (!v) -> !w
  nn.store_gradient @w, %g : !w
  %y = nn.launch @read ["batch"](%x, %w) {places = [#nn.place<output 0>]} : (!v, !w) -> !v
  return %y : !v
}
