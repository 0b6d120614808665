// RUN: nnc -target=cuda -verify-diagnostics %s -o %t

// The host does not read what a device computes while a function runs.
!s = tensor<?x?x8xf32, #nn.dims<"T", "batch">>
!h = tensor<?x8xf32, #nn.dims<"batch">>
!k = tensor<?x8xf32, #nn.dims<"d0">>
!b = tensor<?xi1, #nn.dims<"batch">>
!kb = tensor<?xi1, #nn.dims<"d0">>

module @loop {
  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: !k, %b: !k):
    %0 = nn.add %a, %b : (!k, !k) -> !k
    nn.yield outputs(%0 : !k)
  }

  nn.kernel elementwise @elementwise1 {
  ^bb0(%a: !kb):
    %0 = nn.not %a : (!kb) -> !kb
    nn.yield outputs(%0 : !kb)
  }

  func.func @infer(%x: !s {nn.name = "x"}, %h0: !h {nn.name = "h"}, %f: !b {nn.name = "f"},
                   %lengths: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"})
      -> (!s {nn.name = "y"}) attributes {nn.arenas = [{unit = "batch", bytes = 192}]} {
    // expected-error@+1 {{a loop that ends by `until` is not compiled for cuda yet}}
    %y, %end = nn.each "T" sequences(%x) start(%h0)
        attributes {places = [#nn.place<output 0>, #nn.place<workspace 0>]} {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %0 = nn.launch @elementwise0 ["batch"](%x_t, %h) {places = [#nn.place<carry 0>]} : (!h, !h) -> !h
      %1 = nn.launch @elementwise1 ["batch"](%f) {places = [#nn.place<workspace 0 at 128>]} : (!b) -> !b
      nn.yield next(%0 : !h) outputs(%0 : !h) until(%1 : !b)
    } : (!s, !h) -> (!s, !h)
    return %y : !s
  }
}
