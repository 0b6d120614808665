module @mlp {
  nn.weight @W : tensor<32x64xf32, #nn.panel<dim = 0, width = 16>> init <kind = glorot, fan_in = 64, fan_out = 32>
  nn.weight @b : tensor<32xf32> init <kind = constant, a = 0.000000e+00 : f64>
  nn.weight @V : tensor<10x32xf32, #nn.panel<dim = 0, width = 16>> init <kind = glorot, fan_in = 32, fan_out = 10>
  nn.kernel  dense @dense0 {
  ^bb0(%arg0: tensor<?x64xf32, #nn.dims<"d0">>, %arg1: tensor<32x64xf32, #nn.panel<dim = 0, width = 16>>, %arg2: tensor<32xf32>):
    %0 = nn.dense %arg0, %arg1 : (tensor<?x64xf32, #nn.dims<"d0">>, tensor<32x64xf32, #nn.panel<dim = 0, width = 16>>) -> tensor<?x32xf32, #nn.dims<"d0">>
    %1 = nn.add %0, %arg2 : (tensor<?x32xf32, #nn.dims<"d0">>, tensor<32xf32>) -> tensor<?x32xf32, #nn.dims<"d0">>
    %2 = nn.tanh %1 : (tensor<?x32xf32, #nn.dims<"d0">>) -> tensor<?x32xf32, #nn.dims<"d0">>
    nn.yield outputs(%2 : tensor<?x32xf32, #nn.dims<"d0">>)
  }
  nn.kernel  dense @dense1 {
  ^bb0(%arg0: tensor<?x32xf32, #nn.dims<"d0">>, %arg1: tensor<10x32xf32, #nn.panel<dim = 0, width = 16>>):
    %0 = nn.dense %arg0, %arg1 : (tensor<?x32xf32, #nn.dims<"d0">>, tensor<10x32xf32, #nn.panel<dim = 0, width = 16>>) -> tensor<?x10xf32, #nn.dims<"d0">>
    nn.yield outputs(%0 : tensor<?x10xf32, #nn.dims<"d0">>)
  }
  nn.kernel  reduce @reduce0 {
  ^bb0(%arg0: tensor<?x10xf32, #nn.dims<"d0">>):
    %0 = nn.softmax %arg0 : (tensor<?x10xf32, #nn.dims<"d0">>) -> tensor<?x10xf32, #nn.dims<"d0">>
    nn.yield outputs(%0 : tensor<?x10xf32, #nn.dims<"d0">>)
  }
  func.func @infer(%arg0: tensor<?x64xf32, #nn.dims<"batch">> {nn.name = "x"}) -> (tensor<?x10xf32, #nn.dims<"batch">> {nn.name = "y"}, tensor<?x10xf32, #nn.dims<"batch">> {nn.name = "logits"}) attributes {nn.arenas = [{bytes = 128 : i64, unit = "batch"}]} {
    %0 = nn.read @W : tensor<32x64xf32, #nn.panel<dim = 0, width = 16>>
    %1 = nn.read @b : tensor<32xf32>
    %2 = nn.read @V : tensor<10x32xf32, #nn.panel<dim = 0, width = 16>>
    %3 = nn.launch @dense0 ["batch"](%arg0, %0, %1) {places = [#nn.place<workspace 0>]} : (tensor<?x64xf32, #nn.dims<"batch">>, tensor<32x64xf32, #nn.panel<dim = 0, width = 16>>, tensor<32xf32>) -> tensor<?x32xf32, #nn.dims<"batch">>
    %4 = nn.launch @dense1 ["batch"](%3, %2) {places = [#nn.place<output 1>]} : (tensor<?x32xf32, #nn.dims<"batch">>, tensor<10x32xf32, #nn.panel<dim = 0, width = 16>>) -> tensor<?x10xf32, #nn.dims<"batch">>
    %5 = nn.launch @reduce0 ["batch"](%4) {places = [#nn.place<output 0>]} : (tensor<?x10xf32, #nn.dims<"batch">>) -> tensor<?x10xf32, #nn.dims<"batch">>
    return %5, %4 : tensor<?x10xf32, #nn.dims<"batch">>, tensor<?x10xf32, #nn.dims<"batch">>
  }
}

