// RUN: nnc-opt %s -nn-lay-weights=width=16 -split-input-file | FileCheck %s

!x = tensor<?x40xf32, #nn.dims<"batch">>
!y = tensor<?x24xf32, #nn.dims<"batch">>

// What contractions alone read lies in panels of what they give. The gradient of what it is
// multiplied with reads a copy in panels of its inputs, which is made once, outside of loops.
// CHECK: nn.weight @w : tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
// CHECK: %[[W:.+]] = nn.read @w : tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
// CHECK-NEXT: %[[T:.+]] = nn.pack %[[W]] : {{.*}} -> tensor<24x40xf32, #nn.panel<dim = 1, width = 16>>
// CHECK: nn.dense %{{.+}}, %[[W]]
// CHECK: nn.dense_input_gradient %{{.+}}, %[[T]]
// CHECK: nn.dense_input_gradient %{{.+}}, %[[T]]
nn.weight @w : tensor<24x40xf32> init <kind = glorot, fan_in = 40, fan_out = 24>
func.func @infer(%x: !x) -> (!x, !x) {
  %w = nn.read @w : tensor<24x40xf32>
  %0 = nn.dense %x, %w : (!x, tensor<24x40xf32>) -> !y
  %1 = nn.dense_input_gradient %0, %w : (!y, tensor<24x40xf32>) -> !x
  %2 = nn.tanh %0 : (!y) -> !y
  %3 = nn.dense_input_gradient %2, %w : (!y, tensor<24x40xf32>) -> !x
  return %1, %3 : !x, !x
}

// -----

!x = tensor<?x40xf32, #nn.dims<"batch">>
!h = tensor<?x30xf32, #nn.dims<"batch">>
!y = tensor<?x24xf32, #nn.dims<"batch">>

// Inputs whose gradient nobody reads are neither copied nor computed.
// CHECK: %[[W:.+]] = nn.read @w : tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
// CHECK-NEXT: %[[S:.+]] = nn.slice %[[W]] {sizes = array<i64: 24, 30>, starts = array<i64: 0, 10>}
// CHECK-NEXT: %[[T:.+]] = nn.pack %[[S]] : (tensor<24x30xf32>) -> tensor<24x30xf32, #nn.panel<dim = 1, width = 16>>
// CHECK: %[[G:.+]] = nn.dense_input_gradient %{{.+}}, %[[T]] : {{.*}} -> tensor<?x30xf32, #nn.dims<"batch">>
// CHECK-NOT: nn.slice
// CHECK: return %[[G]]
nn.weight @w : tensor<24x40xf32> init <kind = glorot, fan_in = 40, fan_out = 24>
func.func @infer(%x: !x) -> !h {
  %w = nn.read @w : tensor<24x40xf32>
  %0 = nn.dense %x, %w : (!x, tensor<24x40xf32>) -> !y
  %1 = nn.dense_input_gradient %0, %w : (!y, tensor<24x40xf32>) -> !x
  %2 = nn.slice %1 {starts = array<i64: 10>, sizes = array<i64: 30>} : (!x) -> !h
  return %2 : !h
}

// -----

!image = tensor<?x8x8x3xf32, #nn.dims<"batch">>

// The same of a convolution's kernel.
// CHECK: %[[W:.+]] = nn.read @kernel : tensor<3x3x3x3xf32, #nn.panel<dim = 3, width = 16>>
// CHECK-NEXT: %[[T:.+]] = nn.pack %[[W]] : {{.*}} -> tensor<3x3x3x3xf32, #nn.panel<dim = 2, width = 16>>
// CHECK: nn.conv_input_gradient %{{.+}}, %[[T]]
nn.weight @kernel : tensor<3x3x3x3xf32> init <kind = glorot, fan_in = 27, fan_out = 27>
func.func @infer(%dy: !image) -> !image {
  %k = nn.read @kernel : tensor<3x3x3x3xf32>
  %0 = nn.conv_input_gradient %dy, %k {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
    padding = array<i64: 1, 1, 1, 1>} : (!image, tensor<3x3x3x3xf32>) -> !image
  return %0 : !image
}

// -----

!x = tensor<?x40xf32, #nn.dims<"batch">>
!y = tensor<?x24xf32, #nn.dims<"batch">>

// What others read, too, stays as it is.
// CHECK: nn.weight @w : tensor<24x40xf32> init
// CHECK-NOT: nn.pack
nn.weight @w : tensor<24x40xf32> init <kind = glorot, fan_in = 40, fan_out = 24>
func.func @infer(%x: !x) -> (!y, tensor<24x40xf32>) {
  %w = nn.read @w : tensor<24x40xf32>
  %0 = nn.dense %x, %w : (!x, tensor<24x40xf32>) -> !y
  %1 = nn.tanh %w : (tensor<24x40xf32>) -> tensor<24x40xf32>
  return %0, %1 : !y, tensor<24x40xf32>
}

// -----

!x = tensor<?x40xf32, #nn.dims<"batch">>
!y = tensor<?x24xf32, #nn.dims<"batch">>
!xs = tensor<?x?x40xf32, #nn.dims<"T.segments", "batch">>
!ys = tensor<?x?x24xf32, #nn.dims<"T.segments", "batch">>

// A gradient that a loop adds up lies as its weight does, from its start on.
// CHECK: %[[ZERO:.+]] = nn.broadcast %{{.+}} : (tensor<f32>) -> tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
// CHECK: %[[SUM:.+]] = nn.each "T.segments" sequences({{.*}}) start(%[[ZERO]])
// CHECK: %[[G:.+]] = nn.dense_weight_gradient {{.*}} -> tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
// CHECK-NEXT: %[[NEXT:.+]] = nn.add %{{.+}}, %[[G]] {{.*}} -> tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
// CHECK-NEXT: nn.yield next(%[[NEXT]]
// CHECK: nn.store_gradient @w, %[[SUM]] : tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
nn.weight @w : tensor<24x40xf32> init <kind = glorot, fan_in = 40, fan_out = 24>
func.func @train_gradients(%x: !x, %xs: !xs, %dys: !ys) -> !y {
  %w = nn.read @w : tensor<24x40xf32>
  %0 = nn.dense %x, %w : (!x, tensor<24x40xf32>) -> !y
  %c = nn.constant 0.0 : f32 : tensor<f32>
  %zero = nn.broadcast %c {dims = array<i64>} : (tensor<f32>) -> tensor<24x40xf32>
  %sum = nn.each "T.segments" sequences(%xs, %dys) start(%zero) {
  ^bb0(%s: tensor<i32>, %xt: !x, %dyt: !y, %before: tensor<24x40xf32>):
    %g = nn.dense_weight_gradient %xt, %dyt : (!x, !y) -> tensor<24x40xf32>
    %next = nn.add %before, %g : (tensor<24x40xf32>, tensor<24x40xf32>) -> tensor<24x40xf32>
    nn.yield next(%next : tensor<24x40xf32>)
  } : (!xs, !ys, tensor<24x40xf32>) -> tensor<24x40xf32>
  nn.store_gradient @w, %sum : tensor<24x40xf32>
  return %0 : !y
}
