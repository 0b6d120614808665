// RUN: nnc -verify-diagnostics -emit=header %s

// Each weight can be addressed, but not all as the one vector that is trained.
// expected-error@+1 {{the weights take 3200000000 bytes; a network that is trained can have up to 2147483647}}
module @limits {
  nn.weight @v : tensor<20000x20000xf32> init <kind = glorot>
  nn.weight @w : tensor<20000x20000xf32> init <kind = glorot>
  func.func @infer(%x: tensor<?xf32, #nn.dims<"batch">> {nn.name = "x"}) -> (tensor<?xf32, #nn.dims<"batch">> {nn.name = "y"}) {
    return %x : tensor<?xf32, #nn.dims<"batch">>
  }
  func.func @train_gradients(%x: tensor<?xf32, #nn.dims<"batch">> {nn.name = "x"}) -> (tensor<f32> {nn.name = "loss"})
      attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    %0 = nn.constant 0.0 : f32 : tensor<f32>
    return %0 : tensor<f32>
  }
}
