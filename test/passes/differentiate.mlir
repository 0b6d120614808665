// RUN: nnc-opt -nn-differentiate -split-input-file -verify-diagnostics %s | FileCheck %s

!x = tensor<?x8xf32, #nn.dims<"batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// The losses are seeded with ones; a weight's gradient is the sum over the batch, and
// a bias that every row reads gets the sum of its rows. The caller is given the mean.
module {
  nn.weight @W : tensor<4x8xf32> init <kind = glorot>
  nn.weight @b : tensor<4xf32> init <kind = constant>
  // CHECK-LABEL: func.func @train_gradients
  // CHECK-SAME: (%[[X:.+]]: tensor<?x8xf32, #nn.dims<"batch">>) -> tensor<f32>
  func.func @train(%x: !x) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    %w = nn.read @W : tensor<4x8xf32>
    %b = nn.read @b : tensor<4xf32>
    %0 = nn.dense %x, %w : (!x, tensor<4x8xf32>) -> !h
    %1 = nn.add %0, %b : (!h, tensor<4xf32>) -> !h
    // CHECK: %[[Y:.+]] = nn.tanh
    %2 = nn.tanh %1 : (!h) -> !h
    // CHECK: %[[LOSSES:.+]] = nn.sum
    %3 = nn.sum %2 {axes = array<i64: 1>} : (!h) -> !v
    // CHECK: %[[ONE:.+]] = nn.constant 1.0
    // CHECK: %[[SEED:.+]] = nn.broadcast %[[ONE]]
    // CHECK: %[[DY:.+]] = nn.broadcast %[[SEED]] {dims = array<i64: 0>}
    // CHECK: %[[SQUARE:.+]] = nn.square %[[Y]]
    // CHECK: %[[SLOPE:.+]] = nn.sub %{{.+}}, %[[SQUARE]]
    // CHECK: %[[DZ:.+]] = nn.mul %[[DY]], %[[SLOPE]]
    // CHECK: %[[DB:.+]] = nn.sum %[[DZ]] {axes = array<i64: 0>}
    // CHECK: %[[DW:.+]] = nn.dense_weight_gradient %[[X]], %[[DZ]]
    // CHECK: nn.store_gradient @W, %[[DW]]
    // CHECK: nn.store_gradient @b, %[[DB]]
    // CHECK: %[[LOSS:.+]] = nn.mean %[[LOSSES]] {axes = array<i64: 0>}
    // CHECK: return %[[LOSS]] : tensor<f32>
    return %3 : !v
  }
}

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// The way back is a loop too. It carries the state's cotangent alone; the weight's
// gradient is one contraction over all steps, of the states before each of them.
module {
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  // CHECK-LABEL: func.func @train_gradients
  // CHECK-SAME: (%[[X:.+]]: tensor<{{.*}}"T", "batch">>, %[[H0:.+]]: tensor<
  func.func @train(%x: !hs, %h0: !h) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = true}} {
    // CHECK: %[[W:.+]] = nn.read @W
    %w = nn.read @W : tensor<4x4xf32>
    // The forward loop stacks what the way back reads.
    // CHECK: %[[HS:.+]], %{{.+}} = nn.each "T" sequences(%[[X]]) start(%[[H0]])
    // CHECK: %[[H:.+]] = nn.tanh
    // CHECK: nn.yield next(%[[H]] : {{.*}}) outputs(%[[H]] :
    %end = nn.each "T" sequences(%x) start(%h0) {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %0 = nn.dense %h, %w : (!h, tensor<4x4xf32>) -> !h
      %1 = nn.add %0, %x_t : (!h, !h) -> !h
      %2 = nn.tanh %1 : (!h) -> !h
      nn.yield next(%2 : !h)
    } : (!hs, !h) -> !h
    // CHECK: %[[BEFORE:.+]] = nn.delay %[[HS]], %[[H0]]
    // CHECK: %[[DZS:.+]], %{{.+}} = nn.each backward "T" sequences(%[[HS]]) start(
    // CHECK-NEXT: ^bb0(%{{.+}}, %[[H_T:.+]]: tensor<?x4xf32{{.*}}, %[[DH:.+]]: tensor<
    // CHECK: %[[DZ:.+]] = nn.mul %[[DH]]
    // CHECK: %[[NEXT:.+]] = nn.dense_input_gradient %[[DZ]], %[[W]]
    // CHECK-NOT: nn.dense_weight_gradient
    // CHECK: nn.yield next(%[[NEXT]] : {{.*}}) outputs(%[[DZ]] :
    // CHECK: %[[DW:.+]] = nn.dense_weight_gradient %[[BEFORE]], %[[DZS]]
    // CHECK: nn.store_gradient @W, %[[DW]]
    // CHECK: nn.sum %{{.+}} {axes = array<i64: 0>} : {{.*}} -> tensor<f32>
    %loss = nn.sum %end {axes = array<i64: 1>} : (!h) -> !v
    return %loss : !v
  }
}

// -----

!x = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// A weight that is used twice gets the sum of its gradients; statistics that no
// gradient trains get none.
module {
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  nn.weight @mean : tensor<4xf32> init <kind = constant> frozen
  // CHECK-LABEL: func.func @train_gradients
  func.func @train(%x: !x) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    %w = nn.read @W : tensor<4x4xf32>
    %m = nn.read @mean : tensor<4xf32>
    %0 = nn.dense %x, %w : (!x, tensor<4x4xf32>) -> !x
    %1 = nn.sub %0, %m : (!x, tensor<4xf32>) -> !x
    %2 = nn.dense %1, %w : (!x, tensor<4x4xf32>) -> !x
    %3 = nn.sum %2 {axes = array<i64: 1>} : (!x) -> !v
    // CHECK: %[[SECOND:.+]] = nn.dense_weight_gradient
    // CHECK: %[[FIRST:.+]] = nn.dense_weight_gradient
    // CHECK: %[[SUM:.+]] = nn.add %[[SECOND]], %[[FIRST]]
    // CHECK: nn.store_gradient @W, %[[SUM]]
    // CHECK-NOT: nn.store_gradient
    // CHECK: return
    return %3 : !v
  }
}

// -----

!x = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// No gradient flows through a choice of the largest.
module {
  // expected-warning @below {{no loss of `train` reaches weight `W`: its gradient is 0}}
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  func.func @train(%x: !x) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    %w = nn.read @W : tensor<4x4xf32>
    %0 = nn.dense %x, %w : (!x, tensor<4x4xf32>) -> !x
    %1 = nn.argmax %0 : (!x) -> tensor<?xi32, #nn.dims<"batch">>
    %2 = nn.to_float %1 : (tensor<?xi32, #nn.dims<"batch">>) -> !v
    return %2 : !v
  }
}

// -----

!x = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// Ops of gradients are not differentiated again.
module {
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  func.func @train(%x: !x) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    %w = nn.read @W : tensor<4x4xf32>
    // expected-error @below {{`dense_input_gradient` has no derivative}}
    %0 = nn.dense_input_gradient %x, %w : (!x, tensor<4x4xf32>) -> !x
    %1 = nn.sum %0 {axes = array<i64: 1>} : (!x) -> !v
    return %1 : !v
  }
}

// -----

!x = tensor<?x4xf32, #nn.dims<"batch">>

// What is differentiated is one number for each example.
module {
  // expected-error @below {{must give one loss for each example, 'tensor<?xf32, #nn.dims<"batch">>', to be trained}}
  func.func @vector(%x: !x) -> !x attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    return %x : !x
  }
}

// -----

module {
  // expected-error @below {{must give one loss for each example, 'tensor<?xf32, #nn.dims<"batch">>', to be trained}}
  func.func @nothing() attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    return
  }
}

// -----

!x = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// A class that is one for all examples is a row, whose error is added to the table's as that of any other.
module {
  nn.weight @table : tensor<8x4xf32> init <kind = glorot>
  // expected-warning @below {{no loss of `train` reaches weight `w`: its gradient is 0}}
  nn.weight @w : tensor<8xf32> init <kind = glorot>
  // CHECK-LABEL: func.func @train_gradients
  // CHECK: %[[ID:.+]] = nn.argmax
  // CHECK: %[[IDS:.+]] = nn.reshape %[[ID]] : (tensor<i32>) -> tensor<1xi32>
  // CHECK: %[[DY:.+]] = nn.reshape %{{.+}} : (tensor<4xf32>) -> tensor<1x4xf32>
  // CHECK: nn.embed_gradient %[[IDS]], %[[DY]] {classes = 8 : i64}
  func.func @train(%x: !x) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false}} {
    %table = nn.read @table : tensor<8x4xf32>
    %w = nn.read @w : tensor<8xf32>
    %id = nn.argmax %w : (tensor<8xf32>) -> tensor<i32>
    %row = nn.embed %id, %table : (tensor<i32>, tensor<8x4xf32>) -> tensor<4xf32>
    %y = nn.mul %x, %row : (!x, tensor<4xf32>) -> !x
    %loss = nn.sum %y {axes = array<i64: 1>} : (!x) -> !v
    return %loss : !v
  }
}
