// RUN: nnc-opt %s -split-input-file -verify-diagnostics

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @wrong_result(%x: !v) {
  // expected-error @+1 {{'nn.tanh' op gives 'tensor<?x4xf32, #nn.dims<"batch">>', not 'tensor<?x5xf32, #nn.dims<"batch">>'}}
  %0 = nn.tanh %x : (!v) -> tensor<?x5xf32, #nn.dims<"batch">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @no_suffix(%x: !v, %w: tensor<3xf32>) {
  // expected-error @+1 {{operand 1 has shape [3], which is not the end of [batch, 4]}}
  %0 = nn.add %x, %w : (!v, tensor<3xf32>) -> !v
  return
}

// -----

!p = tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>
func.func @other_panels(%x: !p, %y: tensor<24x40xf32>) {
  // expected-error @+1 {{operand 1 does not lie in panels as 'tensor<24x40xf32, #nn.panel<dim = 0, width = 16>>' does}}
  %0 = nn.add %x, %y : (!p, tensor<24x40xf32>) -> !p
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @inner_size(%x: !v, %w: tensor<3x5xf32>) {
  // expected-error @+1 {{needs x[…, k] and weight[n, k], not [batch, 4] and [3, 5]}}
  %0 = nn.dense %x, %w : (!v, tensor<3x5xf32>) -> tensor<?x3xf32, #nn.dims<"batch">>
  return
}

// -----

!i = tensor<?x4x4x3xf32, #nn.dims<"batch">>
func.func @window_too_large(%x: !i, %k: tensor<7x7x3x6xf32>) {
  // expected-error @+1 {{has a window of 7 over an extent of 4 with padding 1 and 1}}
  %0 = nn.conv %x, %k {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!i, tensor<7x7x3x6xf32>) -> !i
  return
}

// -----

!i = tensor<?x4x4x3xf32, #nn.dims<"batch">>
func.func @channels(%x: !i, %k: tensor<1x1x5x6xf32>) {
  // expected-error @+1 {{has an image of 3 channels, a kernel [1, 1, 5, 6] and 1 groups, which do not fit}}
  %0 = nn.conv %x, %k {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>} : (!i, tensor<1x1x5x6xf32>) -> !i
  return
}

// -----

// expected-error @+1 {{#nn.dims names 1 dimensions, but the type has 2 dynamic ones}}
func.func private @dims(tensor<?x?xf32, #nn.dims<"batch">>)

// -----

func.func @unknown_weight() {
  // expected-error @+1 {{reads @w, which no nn.weight, nn.prepared or nn.state declares}}
  %0 = nn.read @w : tensor<4xf32>
  return
}

// -----

nn.weight @w : tensor<4xf32> init <kind = glorot>
func.func @store_weight(%x: tensor<4xf32>) {
  // expected-error @+1 {{sets @w, which no nn.prepared, nn.state or frozen nn.weight declares}}
  nn.store @w, %x : tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{must have a fixed shape}}
nn.weight @w : tensor<?xf32, #nn.dims<"batch">> init <kind = glorot>

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
func.func @state_changes_type(%h: !v) {
  // expected-error @+1 {{carries a state that starts as}}
  %y, %e = nn.each "T" start(%h) {
  ^bb0(%t: tensor<i32>, %s: !v):
    %0 = nn.reshape %s : (!v) -> tensor<?x2x2xf32, #nn.dims<"batch">>
    nn.yield next(%0 : tensor<?x2x2xf32, #nn.dims<"batch">>) outputs(%s : !v)
  } : (!v) -> (!s, !v)
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @body_arguments(%h: !v) {
  // expected-error @+1 {{needs a body with an argument for the step's index, 0 for the sequences and 1 for the states, not 1}}
  %e = nn.each "T" start(%h) {
  ^bb0(%t: tensor<i32>):
    nn.yield next(%h : !v)
  } : (!v) -> !v
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @axis_twice(%x: !v) {
  // expected-error @+1 {{needs ascending axes below 2, not 0}}
  %0 = nn.sum %x {axes = array<i64: 0, 0>} : (!v) -> tensor<4xf32>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @group_of_loops(%x: !v) {
  // expected-error @+1 {{cannot compute nn.read}}
  %0 = nn.group elementwise(%x) {
  ^bb0(%a: !v):
    %1 = nn.read @w : !v
    nn.yield outputs(%1 : !v)
  } : (!v) -> !v
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @unknown_kernel(%x: !v) {
  // expected-error @+1 {{calls @k, which no nn.kernel defines}}
  %0 = nn.launch @k ["batch"](%x) : (!v) -> !v
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @slice_outside(%x: !v) {
  // expected-error @+1 {{takes 3 from 2 of an extent of 4}}
  %0 = nn.slice %x {starts = array<i64: 2>, sizes = array<i64: 3>} : (!v) -> tensor<?x3xf32, #nn.dims<"batch">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @reshape_size(%x: !v) {
  // expected-error @+1 {{cannot make [batch, 5] of [batch, 4]}}
  %0 = nn.reshape %x : (!v) -> tensor<?x5xf32, #nn.dims<"batch">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @input_gradient_size(%dy: !v, %w: tensor<3x5xf32>) {
  // expected-error @+1 {{needs dy[…, n] and weight[n, k], not [batch, 4] and [3, 5]}}
  %0 = nn.dense_input_gradient %dy, %w : (!v, tensor<3x5xf32>) -> tensor<?x5xf32, #nn.dims<"batch">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @other_rows(%x: !v, %dy: tensor<?x3xf32, #nn.dims<"T">>) {
  // expected-error @+1 {{needs x[…, k] and dy[…, n], not [batch, 4] and [T, 3]}}
  %0 = nn.dense_weight_gradient %x, %dy : (!v, tensor<?x3xf32, #nn.dims<"T">>) -> tensor<3x4xf32>
  return
}

// -----

!i = tensor<?x4x4x3xf32, #nn.dims<"batch">>
func.func @undeclared_kernel(%x: !i) {
  // expected-error @+1 {{must declare the shape of its result}}
  %0 = nn.conv_kernel_gradient %x, %x {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!i, !i) -> tensor<*xf32>
  return
}

// -----

!i = tensor<?x4x4x3xf32, #nn.dims<"batch">>
func.func @other_image(%dy: !i, %k: tensor<3x3x3x3xf32>) {
  // expected-error @+1 {{has an image [batch, 5, 5, 3], a kernel [3, 3, 3, 3] and a result [batch, 4, 4, 3], which do not fit}}
  %0 = nn.conv_input_gradient %dy, %k {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>} : (!i, tensor<3x3x3x3xf32>) -> tensor<?x5x5x3xf32, #nn.dims<"batch">>
  return
}

// -----

!i = tensor<?x4x4x3xf32, #nn.dims<"batch">>
func.func @other_pool(%x: !i, %y: tensor<?x3x3x3xf32, #nn.dims<"batch">>) {
  // expected-error @+1 {{pools [batch, 4, 4, 3] to another shape than [batch, 3, 3, 3]}}
  %0 = nn.max_pool_gradient %x, %y, %y {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, overhang = array<i64: 0, 0>} : (!i, tensor<?x3x3x3xf32, #nn.dims<"batch">>, tensor<?x3x3x3xf32, #nn.dims<"batch">>) -> !i
  return
}

// -----

!i = tensor<?x4x4x3xf32, #nn.dims<"batch">>
func.func @other_cotangent(%x: !i, %y: tensor<?x2x2x3xf32, #nn.dims<"batch">>) {
  // expected-error @+1 {{has a cotangent of another shape than the pool's result, [batch, 2, 2, 3]}}
  %0 = nn.max_pool_gradient %x, %y, %x {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, overhang = array<i64: 0, 0>} : (!i, tensor<?x2x2x3xf32, #nn.dims<"batch">>, !i) -> !i
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @norm_cotangent(%x: !v, %dy: tensor<?x5xf32, #nn.dims<"batch">>) {
  // expected-error @+1 {{has a cotangent of another shape than [batch, 4]}}
  %0 = nn.local_response_norm_gradient %x, %dy {size = 5, alpha = 1.0, beta = 0.75, k = 1.0} : (!v, tensor<?x5xf32, #nn.dims<"batch">>) -> !v
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @pad_outside(%x: !v) {
  // expected-error @+1 {{puts 4 at 3 of an extent of 6}}
  %0 = nn.pad %x {starts = array<i64: 3>, shape = array<i64: 6>} : (!v) -> tensor<?x6xf32, #nn.dims<"batch">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
func.func @delay_start(%x: !s, %start: tensor<?x5xf32, #nn.dims<"batch">>) {
  // expected-error @+1 {{needs a start of the shape of one step of [T, batch, 4], not [batch, 5]}}
  %0 = nn.delay %x, %start : (!s, tensor<?x5xf32, #nn.dims<"batch">>) -> !s
  return
}

// -----

!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
func.func @segment_axis(%x: !s, %first: tensor<i32>) {
  // expected-error @+1 {{needs an axis of steps and the number of the first one, not 2 of [T, batch, 4] and []}}
  %0 = nn.segment %x, %first {axis = 2} : (!s, tensor<i32>) -> !s
  return
}

// -----

!s = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
func.func @segments_of_others(%x: !s) {
  // expected-error @+1 {{cannot make [T.segments, T.steps, batch, 5] of [T, batch, 4]}}
  %0 = nn.split_steps %x : (!s) -> tensor<?x?x?x5xf32, #nn.dims<"T.segments", "T.steps", "batch">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @join_rows(%x: !v) {
  // expected-error @+1 {{needs segments of steps, not [batch, 4]}}
  %0 = nn.join_steps %x : (!v) -> tensor<?x4xf32, #nn.dims<"T">>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @extent_axis(%x: !v) {
  // expected-error @+1 {{has axis 2, which is no dimension of [batch, 4]}}
  %0 = nn.extent %x {axis = 2} : (!v) -> tensor<i32>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @embed_rows(%ids: tensor<?xi32, #nn.dims<"T">>, %dy: !v) {
  // expected-error @+1 {{needs ids[…] and dy[…, n], not [T] and [batch, 4]}}
  %0 = nn.embed_gradient %ids, %dy {classes = 3} : (tensor<?xi32, #nn.dims<"T">>, !v) -> tensor<3x4xf32>
  return
}

// -----

func.func @no_panels(%x: tensor<3x4xf32>) {
  // expected-error @+1 {{must declare the panels of its result}}
  %0 = nn.pack %x : (tensor<3x4xf32>) -> tensor<3x4xf32>
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @seed(%x: !v, %seed: tensor<3xi32>) {
  // expected-error @+1 {{needs a seed of two words, and one number for the step}}
  %0 = nn.dropout %x, %seed {rate = 0.5, site = 0} : (!v, tensor<3xi32>) -> !v
  return
}

// -----

!v = tensor<?x4xf32, #nn.dims<"batch">>
func.func @count_axis(%x: !v) {
  // expected-error @+1 {{counts along axis 2 of [batch, 4]}}
  %0 = nn.count %x {axes = array<i64: 2>} : (!v) -> tensor<f32>
  return
}

// -----

nn.weight @w : tensor<4xf32> init <kind = glorot> frozen
func.func @frozen_gradient(%g: tensor<4xf32>) {
  // expected-error @+1 {{sets the gradient of @w, which is no trained nn.weight}}
  nn.store_gradient @w, %g : tensor<4xf32>
  return
}

// -----

nn.weight @w : tensor<4xf32> init <kind = glorot>
func.func @gradient_type(%g: tensor<5xf32>) {
  // expected-error @+1 {{stores 'tensor<5xf32>', but @w is 'tensor<4xf32>'}}
  nn.store_gradient @w, %g : tensor<5xf32>
  return
}

// -----

// expected-error @+1 {{`nn.train` is a dictionary and belongs to a function}}
func.func @settings() attributes {nn.train = 3} {
  return
}

// -----

// expected-error @+1 {{`nn.train` needs a name, an optimizer, betas and reduce_sum}}
func.func @unnamed() attributes {nn.train = {optimizer = "sgd", betas = [], reduce_sum = false}} {
  return
}

// -----

// expected-error @+1 {{`betas` of `nn.train` are numbers, not [true, 9.000000e-01]}}
func.func @betas() attributes {nn.train = {name = "train", optimizer = "adam", betas = [true, 0.9], reduce_sum = false}} {
  return
}

// -----

// expected-error @+1 {{`nn.train` has 0 betas, but "adam" takes 2}}
func.func @count() attributes {nn.train = {name = "train", optimizer = "adam", betas = [], reduce_sum = false}} {
  return
}

// -----

func.func @winograd_kernel(%k: tensor<5x3x4x6xf32>) {
  // expected-error @+1 {{needs a kernel [3, 3, ci, co], not [5, 3, 4, 6]}}
  %0 = nn.winograd_weights %k : (tensor<5x3x4x6xf32>) -> tensor<36x4x6xf32>
  return
}

// -----

func.func @winograd_weights(%x: tensor<?x5x5x4xf32, #nn.dims<"batch">>, %u: tensor<16x4x6xf32>) {
  // expected-error @+1 {{needs weights [36, ci, co], not [16, 4, 6]}}
  %0 = nn.winograd_conv %x, %u {padding = array<i64: 1, 1, 1, 1>} : (tensor<?x5x5x4xf32, #nn.dims<"batch">>, tensor<16x4x6xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @winograd_image(%x: tensor<?x5x5x3xf32, #nn.dims<"batch">>, %u: tensor<36x4x6xf32>) {
  // expected-error @+1 {{needs an image [height, width, 4] of a fixed size for weights [36, 4, 6], not [batch, 5, 5, 3]}}
  %0 = nn.winograd_conv %x, %u {padding = array<i64: 1, 1, 1, 1>} : (tensor<?x5x5x3xf32, #nn.dims<"batch">>, tensor<36x4x6xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @winograd_images(%x: tensor<?x5xf32, #nn.dims<"batch">>) {
  // expected-error @+1 {{needs an image [height, width, channels] of a fixed size, not [batch, 5]}}
  %0 = nn.winograd_image %x {padding = array<i64: 1, 1, 1, 1>} : (tensor<?x5xf32, #nn.dims<"batch">>) -> tensor<*xf32>
  return
}

// -----

func.func @winograd_tiles(%v: tensor<?x6x6x2x2x4xf32, #nn.dims<"batch">>, %u: tensor<36x4x6xf32>) {
  // expected-error @+1 {{needs an image [6, 6, height / 4, width / 4, 4] for weights [36, 4, 6], not [batch, 6, 6, 2, 2, 4]}}
  %0 = nn.winograd_products %v, %u {size = array<i64: 9, 8>} : (tensor<?x6x6x2x2x4xf32, #nn.dims<"batch">>, tensor<36x4x6xf32>) -> tensor<*xf32>
  return
}

// -----

!v = tensor<?x65536x65536x65536x2xf32, #nn.dims<"batch">>
func.func @too_large(%x: !v) {
  // expected-error @+1 {{'nn.tanh' op gives 'tensor<?x65536x65536x65536x2xf32, #nn.dims<"batch">>', but a value has at most 281474976710656 elements}}
  %0 = nn.tanh %x : (!v) -> !v
  return
}
