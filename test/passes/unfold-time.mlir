// RUN: nnc-opt -nn-unfold-time %s | FileCheck %s

nn.weight @W : tensor<4x4xf32> init <kind = glorot, fan_in = 4, fan_out = 4>

// Each step has a copy of the body and reads the weight by itself; what follows from an input is one value. A state
// goes from copy to copy, and what was stacked is put together again. Functions that do not train stay.

// CHECK-LABEL: func.func @train
// CHECK-SAME: %[[X:.+]]: tensor<?x2x4xf32
// CHECK: nn.slice %[[X]] {nn.unfolded, sizes = array<i64: 1, 4>, starts = array<i64: 0, 0>}
// CHECK: %[[X1:.+]] = nn.reshape
// CHECK: nn.slice %[[X]] {nn.unfolded, sizes = array<i64: 1, 4>, starts = array<i64: 1, 0>}
// CHECK: %[[X2:.+]] = nn.reshape
// CHECK: %[[W1:.+]] = nn.read @W
// CHECK: %[[D1:.+]] = nn.dense %[[X1]], %[[W1]]
// CHECK: %[[H1:.+]] = nn.add %{{.+}}, %[[D1]]
// CHECK: %[[W2:.+]] = nn.read @W
// CHECK: %[[D2:.+]] = nn.dense %[[X2]], %[[W2]]
// CHECK: %[[H2:.+]] = nn.add %[[H1]], %[[D2]]
// CHECK: %[[S1:.+]] = nn.reshape %[[H1]]
// CHECK: %[[S2:.+]] = nn.reshape %[[H2]]
// CHECK: nn.concat %[[S1]], %[[S2]] {axis = 1 : i64, nn.unfolded}
// CHECK-NOT: nn.each
// CHECK-LABEL: func.func @infer
// CHECK: nn.each "2"
func.func @train(%x: tensor<?x2x4xf32, #nn.dims<"batch">>) -> tensor<?xf32, #nn.dims<"batch">> attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
  %w = nn.read @W : tensor<4x4xf32>
  %zero = nn.constant 0.0 : f32 : tensor<f32>
  %h0 = nn.broadcast %zero {dims = array<i64>} : (tensor<f32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %s = nn.time_major %x {steps = 1 : i64} : (tensor<?x2x4xf32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"2", "batch">>
  %y, %end = nn.each "2" sequences(%s) start(%h0) {
  ^bb0(%t: tensor<i32>, %x_t: tensor<?x4xf32, #nn.dims<"batch">>, %h: tensor<?x4xf32, #nn.dims<"batch">>):
    %d = nn.dense %x_t, %w : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<4x4xf32>) -> tensor<?x4xf32, #nn.dims<"batch">>
    %n = nn.add %h, %d : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
    nn.yield next(%n : tensor<?x4xf32, #nn.dims<"batch">>) outputs(%n : tensor<?x4xf32, #nn.dims<"batch">>)
  } : (tensor<?x?x4xf32, #nn.dims<"2", "batch">>, tensor<?x4xf32, #nn.dims<"batch">>) -> (tensor<?x?x4xf32, #nn.dims<"2", "batch">>, tensor<?x4xf32, #nn.dims<"batch">>)
  %b = nn.batch_major %y {steps = 1 : i64} : (tensor<?x?x4xf32, #nn.dims<"2", "batch">>) -> tensor<?x2x4xf32, #nn.dims<"batch">>
  %loss = nn.sum %b {axes = array<i64: 1, 2>} : (tensor<?x2x4xf32, #nn.dims<"batch">>) -> tensor<?xf32, #nn.dims<"batch">>
  return %loss : tensor<?xf32, #nn.dims<"batch">>
}

func.func @infer(%x: tensor<?x2x4xf32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"2", "batch">> {
  %s = nn.time_major %x {steps = 1 : i64} : (tensor<?x2x4xf32, #nn.dims<"batch">>) -> tensor<?x?x4xf32, #nn.dims<"2", "batch">>
  %y = nn.each "2" sequences(%s) {
  ^bb0(%t: tensor<i32>, %x_t: tensor<?x4xf32, #nn.dims<"batch">>):
    nn.yield outputs(%x_t : tensor<?x4xf32, #nn.dims<"batch">>)
  } : (tensor<?x?x4xf32, #nn.dims<"2", "batch">>) -> tensor<?x?x4xf32, #nn.dims<"2", "batch">>
  return %y : tensor<?x?x4xf32, #nn.dims<"2", "batch">>
}
