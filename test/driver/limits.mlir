// RUN: nnc -verify-diagnostics -emit=header %s

// A weight that kernels cannot address is the program's fault.
module @limits {
  // expected-error@+1 {{weight w takes 4294967296 bytes; one weight can take up to 2147483647}}
  nn.weight @w : tensor<32768x32768xf32> init <kind = glorot>
  func.func @infer(%x: tensor<?xf32, #nn.dims<"batch">> {nn.name = "x"}) -> (tensor<?xf32, #nn.dims<"batch">> {nn.name = "y"}) {
    return %x : tensor<?xf32, #nn.dims<"batch">>
  }
}
