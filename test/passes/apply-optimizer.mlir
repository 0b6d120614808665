// RUN: nnc-opt %s -nn-apply-optimizer -split-input-file | FileCheck %s

// 12 and 4 elements take a cache line each: 32 of all. The gradient is scaled by the
// second argument, the step by the first.
// CHECK-LABEL: @train_gradients
// CHECK: func.func @train_update(%[[RATE:.+]]: tensor<f32> {nn.scalar = "rate"}, %[[SCALE:.+]]: tensor<f32> {nn.scalar = "scale"})
// CHECK-SAME: nn.update = "train"
// CHECK-DAG: %[[G:.+]] = nn.flat gradients : tensor<32xf32>
// CHECK-DAG: %[[MEAN:.+]] = nn.mul %[[G]], %[[SCALE]]
// CHECK-DAG: %[[W:.+]] = nn.flat weights : tensor<32xf32>
// CHECK: %[[STEP:.+]] = nn.mul %[[MEAN]], %[[RATE]]
// CHECK: %[[NEW:.+]] = nn.sub %[[W]], %[[STEP]]
// CHECK: nn.store_flat weights, %[[NEW]]
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
  return
}

// -----

// A frozen weight is not trained; panels count with what pads them.
// CHECK: func.func @train_update
// CHECK: nn.flat weights : tensor<48xf32>
nn.weight @w : tensor<4x3xf32, #nn.panel<dim = 0, width = 16>> init <kind = glorot>
nn.weight @mean : tensor<400xf32> init <kind = constant, a = 0.0 : f64> frozen
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
  return
}

// -----

// Weight decay is part of the gradient, and of what momentum remembers.
// CHECK: func.func @train_update
// CHECK: %[[MEAN:.+]] = nn.mul %{{.+}}, %arg1
// CHECK: %[[W:.+]] = nn.flat weights
// CHECK: %[[LESS:.+]] = nn.mul %[[W]], %{{.+}} :
// CHECK: %[[G:.+]] = nn.add %[[MEAN]], %[[LESS]]
// CHECK: %[[OLD:.+]] = nn.flat slot0
// CHECK: %[[KEPT:.+]] = nn.mul %[[OLD]], %{{.+}} :
// CHECK: %[[NEW:.+]] = nn.add %[[KEPT]], %[[G]]
// CHECK: nn.store_flat slot0, %[[NEW]]
// CHECK: nn.mul %[[NEW]], %arg0
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "momentum", momentum = 0.9, weight_decay = 0.01, betas = [], reduce_sum = false}} {
  return
}

// -----

// Nesterov's step looks ahead along the momentum.
// CHECK: func.func @train_update
// CHECK: %[[G:.+]] = nn.mul %{{.+}}, %arg1
// CHECK: nn.store_flat slot0, %[[NEW:.+]] :
// CHECK: %[[AHEAD:.+]] = nn.mul %[[NEW]], %{{.+}} :
// CHECK: nn.add %[[G]], %[[AHEAD]]
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "nesterov", momentum = 0.9, betas = [], reduce_sum = false}} {
  return
}

// -----

// A growing sum of squares.
// CHECK: func.func @train_update
// CHECK: %[[SQUARE:.+]] = nn.square
// CHECK: %[[OLD:.+]] = nn.flat slot0
// CHECK: %[[SUM:.+]] = nn.add %[[OLD]], %[[SQUARE]]
// CHECK: nn.store_flat slot0, %[[SUM]]
// CHECK: %[[ROOT:.+]] = nn.sqrt %[[SUM]]
// CHECK: %[[DEVIATION:.+]] = nn.add %[[ROOT]], %{{.+}} :
// CHECK: nn.div %{{.+}}, %[[DEVIATION]]
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "adagrad", epsilon = 1.0e-10, betas = [], reduce_sum = false}} {
  return
}

// -----

// A mean of squares that forgets.
// CHECK: func.func @train_update
// CHECK-DAG: %[[KEEP:.+]] = nn.constant 9.9{{.*}}e-01
// CHECK-DAG: %[[SHARE:.+]] = nn.constant 0.00999999977
// CHECK-DAG: nn.mul %{{.+}}, %[[KEEP]]
// CHECK-DAG: nn.mul %{{.+}}, %[[SHARE]]
// CHECK: nn.store_flat slot0
// CHECK: nn.sqrt
// CHECK: nn.div
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "rmsprop", decay = 0.99, epsilon = 1.0e-8, betas = [], reduce_sum = false}} {
  return
}

// -----

// Adam keeps two means, which the runtime's 1 - beta^step correct.
// CHECK: func.func @train_update(%{{.+}}, %{{.+}}, %[[C0:.+]]: tensor<f32> {nn.scalar = "correction0"}, %[[C1:.+]]: tensor<f32> {nn.scalar = "correction1"})
// CHECK: nn.store_flat slot0, %[[MEAN:.+]] :
// CHECK: nn.store_flat slot1, %[[SQUARE:.+]] :
// CHECK: %[[S:.+]] = nn.div %[[SQUARE]], %[[C1]]
// CHECK: %[[ROOT:.+]] = nn.sqrt %[[S]]
// CHECK: nn.add %[[ROOT]]
// CHECK: %[[M:.+]] = nn.div %[[MEAN]], %[[C0]]
// CHECK: nn.div %[[M]], %{{.+}} :
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "adam", beta1 = 0.9, beta2 = 0.999, epsilon = 1.0e-8, betas = [0.9, 0.999], reduce_sum = false}} {
  return
}

// -----

// AdamW's decay is not part of what it remembers (Loshchilov & Hutter 2019): it is
// added to the step.
// CHECK: func.func @train_update
// CHECK: %[[G:.+]] = nn.mul %{{.+}}, %arg1
// CHECK: %[[W:.+]] = nn.flat weights
// CHECK-NOT: nn.mul %[[W]]
// CHECK: nn.store_flat slot1
// CHECK: %[[LESS:.+]] = nn.mul %[[W]], %{{.+}} :
// CHECK: %[[STEP:.+]] = nn.add %{{.+}}, %[[LESS]]
// CHECK: nn.mul %[[STEP]], %arg0
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "adamw", beta1 = 0.9, beta2 = 0.999, decay = 0.01, epsilon = 1.0e-8, betas = [0.9, 0.999], reduce_sum = false}} {
  return
}

// -----

// Clipping by value, then by the norm of all gradients as one vector. The sum computes
// what it reads, so that nothing is stored for it.
// CHECK: func.func @train_update
// CHECK: nn.min
// CHECK: %[[MEAN:.+]] = nn.max
// CHECK: nn.flat gradients
// CHECK: %[[BOUND:.+]] = nn.max
// CHECK: %[[SQUARES:.+]] = nn.square %[[BOUND]]
// CHECK: %[[SUM:.+]] = nn.sum %[[SQUARES]] {axes = array<i64: 0>}{{.*}} -> tensor<f32>
// CHECK: nn.sqrt %[[SUM]]
// CHECK: %[[FACTOR:.+]] = nn.min
// CHECK: nn.mul %[[MEAN]], %[[FACTOR]]
nn.weight @w : tensor<4x3xf32> init <kind = glorot>
nn.weight @b : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @train_gradients(%x: tensor<?x3xf32, #nn.dims<"batch">>) attributes {nn.train = {name = "train", optimizer = "sgd", clip_value = 0.5, clip_norm = 1.0, betas = [], reduce_sum = false}} {
  return
}

// -----

// What trains nothing is not updated.
// CHECK-LABEL: @infer
// CHECK-NOT: _update
nn.weight @w : tensor<4xf32> init <kind = constant, a = 0.0 : f64>
func.func @infer() {
  return
}
