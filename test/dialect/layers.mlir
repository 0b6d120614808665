// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

!v = tensor<?x8xf32, #nn.dims<"batch">>
!i = tensor<?x9x9x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!c = tensor<?xi32, #nn.dims<"batch">>

// CHECK-LABEL: @dense
func.func @dense(%x: !v, %w: tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>, %a: tensor<?x2x8xf32, #nn.dims<"batch">>, %b: tensor<?x8x5xf32, #nn.dims<"batch">>) {
  // CHECK: nn.dense {{.*}}-> tensor<?x3xf32, #nn.dims<"batch">>
  %0 = nn.dense %x, %w : (!v, tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>) -> tensor<?x3xf32, #nn.dims<"batch">>
  // CHECK: nn.matmul {{.*}}-> tensor<?x2x5xf32, #nn.dims<"batch">>
  %1 = nn.matmul %a, %b : (tensor<?x2x8xf32, #nn.dims<"batch">>, tensor<?x8x5xf32, #nn.dims<"batch">>) -> tensor<?x2x5xf32, #nn.dims<"batch">>
  return
}

// A weight's gradient is the sum over all rows, in the layout of the weight.
// CHECK-LABEL: @dense_gradients
func.func @dense_gradients(%x: !v, %dy: tensor<?x3xf32, #nn.dims<"batch">>, %w: tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>) {
  // CHECK: nn.dense_input_gradient {{.*}}-> tensor<?x8xf32, #nn.dims<"batch">>
  %0 = nn.dense_input_gradient %dy, %w : (tensor<?x3xf32, #nn.dims<"batch">>, tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>) -> !v
  // CHECK: nn.dense_weight_gradient {{.*}}-> tensor<3x8xf32>
  %1 = nn.dense_weight_gradient %x, %dy : (!v, tensor<?x3xf32, #nn.dims<"batch">>) -> tensor<3x8xf32>
  // CHECK: nn.dense_weight_gradient {{.*}}-> tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>
  %2 = nn.dense_weight_gradient %x, %dy : (!v, tensor<?x3xf32, #nn.dims<"batch">>) -> tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>
  return
}

// Over time the length of the result is named by the length of the input.
// CHECK-LABEL: @windows
func.func @windows(%x: !i, %k: tensor<3x3x4x6xf32>, %s: !s, %t: tensor<5x4x6xf32>) {
  // CHECK: nn.conv {{.*}}strides = array<i64: 2, 2>
  %0 = nn.conv %x, %k {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!i, tensor<3x3x4x6xf32>) -> tensor<?x5x5x6xf32, #nn.dims<"batch">>
  // CHECK: nn.conv {{.*}}-> tensor<?x?x6xf32, #nn.dims<"(T-3)/2", "batch">>
  %1 = nn.conv %s, %t {strides = array<i64: 2>, dilations = array<i64: 1>, padding = array<i64: 0, 0>} : (!s, tensor<5x4x6xf32>) -> tensor<?x?x6xf32, #nn.dims<"(T-3)/2", "batch">>
  // CHECK: nn.max_pool
  %2 = nn.max_pool %x {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, overhang = array<i64: 1, 1>} : (!i) -> tensor<?x5x5x4xf32, #nn.dims<"batch">>
  // CHECK: nn.avg_pool {{.*}}count_padding = true
  %3 = nn.avg_pool %x {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, overhang = array<i64: 0, 0>, count_padding = true} : (!i) -> !i
  return
}

// CHECK-LABEL: @tiles
func.func @tiles(%x: !i, %k: tensor<3x3x4x6xf32>) {
  // CHECK: nn.winograd_weights {{.*}}-> tensor<36x4x6xf32, #nn.panel<dim = 2, width = 16>>
  %0 = nn.winograd_weights %k {flip = true} : (tensor<3x3x4x6xf32>) -> tensor<36x4x6xf32, #nn.panel<dim = 2, width = 16>>
  // CHECK: nn.winograd_conv {{.*}}padding = array<i64: 1, 1, 0, 0>
  %1 = nn.winograd_conv %x, %0 {padding = array<i64: 1, 1, 0, 0>} : (!i, tensor<36x4x6xf32, #nn.panel<dim = 2, width = 16>>) -> tensor<*xf32>
  // CHECK: nn.winograd_image {{.*}}padding = array<i64: 1, 1, 0, 0>
  %tiles = nn.winograd_image %x {padding = array<i64: 1, 1, 0, 0>} : (!i) -> tensor<*xf32>
  return
}

// What an image's cotangent cannot tell, its size, the result's type declares.
// CHECK-LABEL: @window_gradients
func.func @window_gradients(%x: !i, %y: tensor<?x5x5x6xf32, #nn.dims<"batch">>, %k: tensor<3x3x4x6xf32>, %p: tensor<?x5x5x4xf32, #nn.dims<"batch">>) {
  // CHECK: nn.conv_input_gradient {{.*}}-> tensor<?x9x9x4xf32, #nn.dims<"batch">>
  %0 = nn.conv_input_gradient %y, %k {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (tensor<?x5x5x6xf32, #nn.dims<"batch">>, tensor<3x3x4x6xf32>) -> !i
  // CHECK: nn.conv_kernel_gradient {{.*}}-> tensor<3x3x4x6xf32, #nn.panel<dim = 3, width = 8>>
  %1 = nn.conv_kernel_gradient %x, %y {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!i, tensor<?x5x5x6xf32, #nn.dims<"batch">>) -> tensor<3x3x4x6xf32, #nn.panel<dim = 3, width = 8>>
  // CHECK: nn.max_pool_gradient %arg0, %arg3, %arg3 {{.*}}window = array<i64: 2, 2>
  %2 = nn.max_pool_gradient %x, %p, %p {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, overhang = array<i64: 1, 1>} : (!i, tensor<?x5x5x4xf32, #nn.dims<"batch">>, tensor<?x5x5x4xf32, #nn.dims<"batch">>) -> !i
  // CHECK: nn.avg_pool_gradient %arg3 {count_padding = false
  %3 = nn.avg_pool_gradient %p {window = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, overhang = array<i64: 0, 0>, count_padding = false} : (tensor<?x5x5x4xf32, #nn.dims<"batch">>) -> !i
  return
}

// CHECK-LABEL: @norms
func.func @norms(%x: !v, %w: tensor<8xf32>) {
  // CHECK: nn.batch_norm
  %0 = nn.batch_norm %x, %w, %w, %w, %w {epsilon = 1.0e-5} : (!v, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> !v
  // CHECK: nn.layer_norm
  %1 = nn.layer_norm %x, %w, %w {epsilon = 1.0e-5} : (!v, tensor<8xf32>, tensor<8xf32>) -> !v
  // CHECK: nn.local_response_norm
  %2 = nn.local_response_norm %x {size = 5, alpha = 1.0e-4, beta = 0.75, k = 1.0} : (!v) -> !v
  // CHECK: nn.local_response_norm_gradient {{.*}}size = 5
  %3 = nn.local_response_norm_gradient %x, %x {size = 5, alpha = 1.0e-4, beta = 0.75, k = 1.0} : (!v, !v) -> !v
  return
}

// CHECK-LABEL: @reductions
func.func @reductions(%x: !s, %n: !c) {
  // CHECK: nn.sum %arg0, %arg1 {axes = array<i64: 0>}
  %0 = nn.sum %x, %n {axes = array<i64: 0>} : (!s, !c) -> tensor<?x4xf32, #nn.dims<"batch">>
  // CHECK: nn.mean
  %1 = nn.mean %x {axes = array<i64: 2>} : (!s) -> tensor<?x?xf32, #nn.dims<"T", "batch">>
  // CHECK: nn.reduce_max
  %2 = nn.reduce_max %x {axes = array<i64: 2>} : (!s) -> tensor<?x?xf32, #nn.dims<"T", "batch">>
  // CHECK: nn.reduce_min
  %3 = nn.reduce_min %x {axes = array<i64: 2>} : (!s) -> tensor<?x?xf32, #nn.dims<"T", "batch">>
  // CHECK: nn.softmax
  %4 = nn.softmax %x : (!s) -> !s
  // CHECK: nn.log_softmax
  %5 = nn.log_softmax %x : (!s) -> !s
  // CHECK: nn.argmax
  %6 = nn.argmax %x : (!s) -> tensor<?x?xi32, #nn.dims<"T", "batch">>
  // CHECK: nn.sum {{.*}}axes = array<i64: 0, 1>{{.*}} -> tensor<4xf32>
  %7 = nn.sum %x {axes = array<i64: 0, 1>} : (!s) -> tensor<4xf32>
  return
}

// CHECK-LABEL: @moves
func.func @moves(%x: !i, %s: !s, %n: !c, %e: tensor<7x4xf32>) {
  // CHECK: nn.reshape
  %0 = nn.reshape %x : (!i) -> tensor<?x324xf32, #nn.dims<"batch">>
  // CHECK: nn.transpose
  %1 = nn.transpose %x {permutation = array<i64: 0, 3, 1, 2>} : (!i) -> tensor<?x4x9x9xf32, #nn.dims<"batch">>
  // CHECK: nn.concat
  %2 = nn.concat %x, %x {axis = 3} : (!i, !i) -> tensor<?x9x9x8xf32, #nn.dims<"batch">>
  // CHECK: nn.slice
  %3 = nn.slice %x {starts = array<i64: 1, 2, 0>, sizes = array<i64: 3, 4, 4>} : (!i) -> tensor<?x3x4x4xf32, #nn.dims<"batch">>
  // CHECK: nn.reverse
  %4 = nn.reverse %s, %n {axis = 0} : (!s, !c) -> !s
  // CHECK: nn.last
  %5 = nn.last %s, %n : (!s, !c) -> tensor<?x4xf32, #nn.dims<"batch">>
  // CHECK: nn.embed
  %6 = nn.embed %n, %e : (!c, tensor<7x4xf32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  // CHECK: nn.one_hot
  %7 = nn.one_hot %n {classes = 5} : (!c) -> tensor<?x5xf32, #nn.dims<"batch">>
  // CHECK: nn.batch_major
  %8 = nn.batch_major %s {steps = 1} : (!s) -> tensor<?x?x4xf32, #nn.dims<"batch", "T">>
  // CHECK: nn.time_major
  %9 = nn.time_major %8 {steps = 1} : (tensor<?x?x4xf32, #nn.dims<"batch", "T">>) -> !s
  // CHECK: nn.broadcast
  %10 = nn.broadcast %5 {dims = array<i64: 1, 2>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> !s
  return
}

// CHECK-LABEL: @moves_of_derivatives
func.func @moves_of_derivatives(%x: !v, %s: !s, %h: tensor<?x4xf32, #nn.dims<"batch">>, %n: !c, %w: tensor<3x8xf32>) {
  // CHECK: nn.pad {{.*}}shape = array<i64: 12>, starts = array<i64: 2>
  %0 = nn.pad %x {starts = array<i64: 2>, shape = array<i64: 12>} : (!v) -> tensor<?x12xf32, #nn.dims<"batch">>
  // CHECK: nn.delay %arg1, %arg2
  %1 = nn.delay %s, %h : (!s, tensor<?x4xf32, #nn.dims<"batch">>) -> !s
  // CHECK: nn.embed_gradient {{.*}}classes = 5{{.*}} -> tensor<5x4xf32>
  %2 = nn.embed_gradient %n, %h {classes = 5} : (!c, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<5x4xf32>
  // CHECK: nn.split_steps {{.*}} -> tensor<?x?x?x4xf32, #nn.dims<"T.segments", "T.steps", "batch">>
  %4 = nn.split_steps %s : (!s) -> tensor<?x?x?x4xf32, #nn.dims<"T.segments", "T.steps", "batch">>
  // CHECK: nn.join_steps
  %5 = nn.join_steps %4 : (tensor<?x?x?x4xf32, #nn.dims<"T.segments", "T.steps", "batch">>) -> !s
  // CHECK: %[[STEPS:.+]] = nn.extent %{{.+}} {axis = 1 : i64} : {{.*}} -> tensor<i32>
  %6 = nn.extent %4 {axis = 1} : (tensor<?x?x?x4xf32, #nn.dims<"T.segments", "T.steps", "batch">>) -> tensor<i32>
  // CHECK: nn.segment %{{.+}}, %[[STEPS]] {axis = 0 : i64} : {{.*}} -> tensor<?x?x4xf32, #nn.dims<"T.steps", "batch">>
  %7 = nn.segment %s, %6 {axis = 0} : (!s, tensor<i32>) -> tensor<?x?x4xf32, #nn.dims<"T.steps", "batch">>
  // CHECK: nn.pack {{.*}} -> tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>
  %3 = nn.pack %w : (tensor<3x8xf32>) -> tensor<3x8xf32, #nn.panel<dim = 0, width = 16>>
  return
}

// CHECK-LABEL: @losses
func.func @losses(%y: !v, %label: !c) {
  // CHECK: nn.cross_entropy
  %0 = nn.cross_entropy %y, %label : (!v, !c) -> tensor<?xf32, #nn.dims<"batch">>
  // CHECK: nn.nll
  %1 = nn.nll %y, %label : (!v, !c) -> tensor<?xf32, #nn.dims<"batch">>
  // CHECK: nn.mse
  %2 = nn.mse %y, %y : (!v, !v) -> tensor<?xf32, #nn.dims<"batch">>
  // CHECK: nn.l1
  %3 = nn.l1 %y, %y : (!v, !v) -> tensor<?xf32, #nn.dims<"batch">>
  // CHECK: nn.binary_cross_entropy
  %4 = nn.binary_cross_entropy %y, %y : (!v, !v) -> tensor<?xf32, #nn.dims<"batch">>
  // CHECK: nn.hinge
  %5 = nn.hinge %y, %label : (!v, !c) -> tensor<?xf32, #nn.dims<"batch">>
  return
}
