// RUN: nnc-opt %s | nnc-opt | FileCheck %s
// RUN: nnc-opt %s --mlir-print-op-generic | nnc-opt | FileCheck %s

!v = tensor<?x4xf32, #nn.dims<"batch">>
!c = tensor<?xi32, #nn.dims<"batch">>
!b = tensor<?x4xi1, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>

// CHECK-LABEL: @unary
func.func @unary(%x: !v) {
  // CHECK: nn.neg
  %0 = nn.neg %x : (!v) -> !v
  // CHECK: nn.abs
  %1 = nn.abs %x : (!v) -> !v
  // CHECK: nn.exp
  %2 = nn.exp %x : (!v) -> !v
  // CHECK: nn.log
  %3 = nn.log %x : (!v) -> !v
  // CHECK: nn.sqrt
  %4 = nn.sqrt %x : (!v) -> !v
  // CHECK: nn.square
  %5 = nn.square %x : (!v) -> !v
  // CHECK: nn.tanh
  %6 = nn.tanh %x : (!v) -> !v
  // CHECK: nn.sigmoid
  %7 = nn.sigmoid %x : (!v) -> !v
  // CHECK: nn.relu
  %8 = nn.relu %x : (!v) -> !v
  // CHECK: nn.softplus
  %9 = nn.softplus %x : (!v) -> !v
  // CHECK: nn.gelu
  %10 = nn.gelu %x : (!v) -> !v
  // CHECK: nn.leaky_relu {{.*}}slope = 1.000000e-02
  %11 = nn.leaky_relu %x {slope = 0.01} : (!v) -> !v
  // CHECK: nn.elu {{.*}}alpha = 1.0
  %12 = nn.elu %x {alpha = 1.0} : (!v) -> !v
  return
}

// A vector is added to each example as it is.
// CHECK-LABEL: @binary
func.func @binary(%x: !v, %w: tensor<4xf32>) {
  // CHECK: nn.add
  %0 = nn.add %x, %w : (!v, tensor<4xf32>) -> !v
  // CHECK: nn.sub
  %1 = nn.sub %x, %w : (!v, tensor<4xf32>) -> !v
  // CHECK: nn.mul
  %2 = nn.mul %x, %w : (!v, tensor<4xf32>) -> !v
  // CHECK: nn.div
  %3 = nn.div %x, %w : (!v, tensor<4xf32>) -> !v
  // CHECK: nn.max
  %4 = nn.max %x, %w : (!v, tensor<4xf32>) -> !v
  // CHECK: nn.min
  %5 = nn.min %x, %w : (!v, tensor<4xf32>) -> !v
  // CHECK: nn.pow
  %6 = nn.pow %x, %w : (!v, tensor<4xf32>) -> !v
  return
}

// CHECK-LABEL: @truth
func.func @truth(%x: !v, %y: !v, %c: !c) {
  // CHECK: nn.eq
  %0 = nn.eq %x, %y : (!v, !v) -> !b
  // CHECK: nn.ne
  %1 = nn.ne %x, %y : (!v, !v) -> !b
  // CHECK: nn.lt
  %2 = nn.lt %x, %y : (!v, !v) -> !b
  // CHECK: nn.le
  %3 = nn.le %x, %y : (!v, !v) -> !b
  // CHECK: nn.gt
  %4 = nn.gt %x, %y : (!v, !v) -> !b
  // CHECK: nn.ge
  %5 = nn.ge %x, %y : (!v, !v) -> !b
  // CHECK: nn.and
  %6 = nn.and %0, %1 : (!b, !b) -> !b
  // CHECK: nn.or
  %7 = nn.or %0, %1 : (!b, !b) -> !b
  // CHECK: nn.not
  %8 = nn.not %7 : (!b) -> !b
  // CHECK: nn.select
  %9 = nn.select %8, %x, %y : (!b, !v, !v) -> !v
  // CHECK: nn.to_float
  %10 = nn.to_float %c : (!c) -> tensor<?xf32, #nn.dims<"batch">>
  return
}

// Random numbers follow from a counter: the seed of a call, the site, and in a
// loop the step.
// CHECK-LABEL: @random
func.func @random(%x: !v, %seed: tensor<2xi32>, %step: tensor<i32>) {
  // CHECK: nn.dropout %arg0, %arg1 {rate = 5.0{{.*}}, site = 0 : i64}
  %0 = nn.dropout %x, %seed {rate = 0.5, site = 0} : (!v, tensor<2xi32>) -> !v
  // CHECK: nn.dropout %arg0, %arg1, %arg2 {rate = 5.0{{.*}}, site = 1 : i64}
  %1 = nn.dropout %x, %seed, %step {rate = 0.5, site = 1} : (!v, tensor<2xi32>, tensor<i32>) -> !v
  return
}

// CHECK-LABEL: @count
func.func @count(%x: !s) {
  // CHECK: nn.count {{.*}}axes = array<i64: 0, 1>{{.*}} -> tensor<f32>
  %0 = nn.count %x {axes = array<i64: 0, 1>} : (!s) -> tensor<f32>
  return
}

// CHECK-LABEL: @ragged
func.func @ragged(%x: !s, %n: !c) {
  // CHECK: nn.mask {{.*}}axis = 0
  %0 = nn.mask %x, %n {axis = 0, fill = 0.0} : (!s, !c) -> !s
  // CHECK: nn.lengths {{.*}}offset = -4{{.*}}stride = 2
  %1 = nn.lengths %n {offset = -4, stride = 2} : (!c) -> !c
  return
}
