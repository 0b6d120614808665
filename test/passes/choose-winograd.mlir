// RUN: nnc-opt %s -nn-choose-winograd="width=16 least=8" -nn-hoist-weights -split-input-file | FileCheck %s
// RUN: nnc-opt %s -nn-choose-winograd="width=16 least=8 transformed=8" -split-input-file | FileCheck %s --check-prefix=BEFORE

!image = tensor<?x9x7x8xf32, #nn.dims<"batch">>

// The weights are transformed once, in panels; what depends on the image stays.
// CHECK: nn.prepared @[[P:.+]] : tensor<36x8x24xf32, #nn.panel<dim = 2, width = 16>>
// CHECK-LABEL: func.func @infer
// CHECK: %[[U:.+]] = nn.read @[[P]]
// CHECK: nn.winograd_conv %arg0, %[[U]] {padding = array<i64: 1, 0, 0, 2>}
// CHECK-NOT: nn.conv
// CHECK-LABEL: func.func @prepare
// The image is an op of its own where the target wants that.
// BEFORE-LABEL: func.func @infer
// BEFORE: %[[V:.+]] = nn.winograd_image %arg0 {padding = array<i64: 1, 0, 0, 2>} : {{.*}} -> tensor<?x6x6x2x2x8xf32
// BEFORE: nn.winograd_products %[[V]], {{.*}} {size = array<i64: 8, 7>}
// CHECK: %[[K:.+]] = nn.read @k
// CHECK: %[[W:.+]] = nn.winograd_weights %[[K]] {flip = true}
// CHECK: nn.store @[[P]], %[[W]]
nn.weight @k : tensor<3x3x8x24xf32> init <kind = glorot>
func.func @infer(%x: !image) -> tensor<?x8x7x24xf32, #nn.dims<"batch">> {
  %0 = nn.read @k : tensor<3x3x8x24xf32>
  %1 = nn.conv %x, %0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 0, 0, 2>, flip = true} : (!image, tensor<3x3x8x24xf32>) -> tensor<?x8x7x24xf32, #nn.dims<"batch">>
  return %1 : tensor<?x8x7x24xf32, #nn.dims<"batch">>
}

// -----

!image = tensor<?x9x7x8xf32, #nn.dims<"batch">>
!small = tensor<?x9x7x4xf32, #nn.dims<"batch">>

// Steps of 2, few channels, groups, kernels of other sizes, and kernels that are no weights.
// CHECK-LABEL: func.func @infer
// CHECK-COUNT-6: nn.conv
// CHECK-NOT: winograd
nn.weight @k : tensor<3x3x8x8xf32> init <kind = glorot>
nn.weight @few : tensor<3x3x8x4xf32> init <kind = glorot>
nn.weight @grouped : tensor<3x3x4x8xf32> init <kind = glorot>
nn.weight @flat : tensor<1x3x8x8xf32> init <kind = glorot>
nn.state @s : tensor<3x3x8x8xf32>
func.func @infer(%x: !image) -> (tensor<?x5x4x8xf32, #nn.dims<"batch">>, !small, !image, !image, !image, !image) {
  %k = nn.read @k : tensor<3x3x8x8xf32>
  %few = nn.read @few : tensor<3x3x8x4xf32>
  %grouped = nn.read @grouped : tensor<3x3x4x8xf32>
  %flat = nn.read @flat : tensor<1x3x8x8xf32>
  %s = nn.read @s : tensor<3x3x8x8xf32>
  %0 = nn.conv %x, %k {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!image, tensor<3x3x8x8xf32>) -> tensor<?x5x4x8xf32, #nn.dims<"batch">>
  %1 = nn.conv %x, %few {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!image, tensor<3x3x8x4xf32>) -> !small
  %2 = nn.conv %x, %grouped {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, groups = 2} : (!image, tensor<3x3x4x8xf32>) -> !image
  %3 = nn.conv %x, %flat {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 0, 0, 1, 1>} : (!image, tensor<1x3x8x8xf32>) -> !image
  %4 = nn.conv %x, %s {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!image, tensor<3x3x8x8xf32>) -> !image
  %5 = nn.conv %x, %k {strides = array<i64: 1, 1>, dilations = array<i64: 2, 2>, padding = array<i64: 2, 2, 2, 2>} : (!image, tensor<3x3x8x8xf32>) -> !image
  return %0, %1, %2, %3, %4, %5 : tensor<?x5x4x8xf32, #nn.dims<"batch">>, !small, !image, !image, !image, !image
}

// -----

!image = tensor<?x9x7x8xf32, #nn.dims<"batch">>
!result = tensor<?x8x7x24xf32, #nn.dims<"batch">>

// Training goes forward by direct sums, and transforms its weights in every step. The cotangent of the image is a convolution of the result's by the
// kernel, transposed and turned around, over a border that complements the image's.
// CHECK-NOT: nn.prepared
// CHECK-LABEL: func.func @train
// CHECK: %[[K:.+]] = nn.read @k
// CHECK: nn.conv %arg0, %[[K]]
// CHECK: %[[T:.+]] = nn.winograd_weights %[[K]] {flip = true, transpose = true} : (tensor<3x3x8x24xf32>) -> tensor<36x24x8xf32, #nn.panel<dim = 2, width = 16>>
// CHECK: nn.winograd_conv %arg1, %[[T]] {padding = array<i64: 1, 2, 2, 0>}
// CHECK-NOT: nn.conv_input_gradient
nn.weight @k : tensor<3x3x8x24xf32> init <kind = glorot>
func.func @train(%x: !image, %dy: !result) -> (!result, !image) attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
  %0 = nn.read @k : tensor<3x3x8x24xf32>
  %1 = nn.conv %x, %0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 0, 0, 2>} : (!image, tensor<3x3x8x24xf32>) -> !result
  %2 = nn.conv_input_gradient %dy, %0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 0, 0, 2>} : (!result, tensor<3x3x8x24xf32>) -> !image
  return %1, %2 : !result, !image
}

// -----

!image = tensor<?x9x7x8xf32, #nn.dims<"batch">>
!wide = tensor<?x13x11x8xf32, #nn.dims<"batch">>

// A border of 3: of the result's cotangent some is not read.
// CHECK-LABEL: func.func @train
// CHECK: nn.conv_input_gradient
// CHECK-NOT: winograd
nn.weight @k : tensor<3x3x8x8xf32> init <kind = glorot>
func.func @train(%dy: !wide) -> !image attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
  %0 = nn.read @k : tensor<3x3x8x8xf32>
  %1 = nn.conv_input_gradient %dy, %0 {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 3, 3, 3, 3>} : (!wide, tensor<3x3x8x8xf32>) -> !image
  return %1 : !image
}
