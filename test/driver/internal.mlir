// RUN: nnc -no-cache -verify-diagnostics %s -o %t
// RUN: nnc -no-cache %s -o %t 2>/dev/null; test $? = 4

// A kernel that cannot be compiled is the compiler's fault: the error stands at
// the kernel and names its code, and the exit code is 4.
module @internal {
  // expected-error@+2 {{internal error: kernel internal_loss0_avx2 cannot be compiled: no algorithm for nn.cross_entropy}}
  // expected-error@+1 {{internal error: kernel internal_loss0_avx512 cannot be compiled: no algorithm for nn.cross_entropy}}
  nn.kernel loss @loss0 {
  ^bb0(%p: tensor<?x4xf32, #nn.dims<"d0">>, %label: tensor<?xi32, #nn.dims<"d0">>):
    %0 = nn.cross_entropy %p, %label : (tensor<?x4xf32, #nn.dims<"d0">>, tensor<?xi32, #nn.dims<"d0">>) -> tensor<?xf32, #nn.dims<"d0">>
    nn.yield outputs(%0 : tensor<?xf32, #nn.dims<"d0">>)
  }
  func.func @infer(%x: tensor<?xf32, #nn.dims<"batch">> {nn.name = "x"}) -> (tensor<?xf32, #nn.dims<"batch">> {nn.name = "y"}) {
    return %x : tensor<?xf32, #nn.dims<"batch">>
  }
}
