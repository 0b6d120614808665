// RUN: nnc-opt -nn-record-statistics -split-input-file -mlir-print-debuginfo -mlir-use-nameloc-as-prefix %s | FileCheck %s

!x = tensor<?x8xf32, #nn.dims<"batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// An input is looked at as it is; a layer with its bias is one, called after its weights; a
// relu has dead units. Probes come first, and what follows a layer reads the sum with its
// probe.
//
// CHECK-DAG: nn.state @train.statistic0.not_finite : tensor<f32> {nn.statistic = {index = 0 : i64, kind = "not_finite", layer = "x", operation = "input", train = "train"}, nn.training}
// CHECK-DAG: nn.state @train.statistic1.error : tensor<f32> {nn.statistic = {index = 1 : i64, kind = "error", layer = "dense1", operation = "dense", train = "train"}, nn.training}
// CHECK-DAG: nn.state @train.statistic2.dead {{.*}}operation = "relu"
// CHECK-NOT: nn.state @train.statistic2.saturated
// CHECK-LABEL: func.func @train
// CHECK: %[[P1:.+]] = nn.probe "error" in @train.statistic1.error : tensor<?x4xf32
// CHECK: %[[P2:.+]] = nn.probe "error" in @train.statistic2.error : tensor<?x4xf32
// CHECK: nn.store @train.statistic0.not_finite
// CHECK: nn.dense
// CHECK: %[[Z:.+]] = nn.add %{{.+}}, %{{.+}} : (tensor<?x4xf32, {{.+}}>, tensor<4xf32>)
// CHECK: %[[Z1:.+]] = nn.add %[[Z]], %[[P1]]
// CHECK: %[[SIZE:.+]] = nn.abs %[[Z1]]
// CHECK: %[[OK:.+]] = nn.le %[[SIZE]], %{{.+}}
// CHECK: nn.store @train.statistic1.not_finite
// CHECK: %[[H:.+]] = nn.relu %[[Z1]]
// CHECK: %[[H1:.+]] = nn.add %[[H]], %[[P2]]
// CHECK: %[[UNITS:.+]] = nn.sum %[[H1]] {axes = array<i64: 0>}
// CHECK: %[[LIVE:.+]] = nn.gt %[[UNITS]]
// CHECK: %[[DEAD:.+]] = nn.select %[[LIVE]]
// CHECK: nn.mean %[[DEAD]] {axes = array<i64: 0>}
// CHECK: nn.store @train.statistic2.dead
// CHECK: nn.sum %[[H1]] {axes = array<i64: 1>}
module {
  nn.weight @dense1.kernel : tensor<4x8xf32> init <kind = glorot>
  nn.weight @dense1.bias : tensor<4xf32> init <kind = constant>
  func.func @train(%x: !x {nn.name = "x"}) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false, statistics}} {
    %w = nn.read @dense1.kernel : tensor<4x8xf32>
    %b = nn.read @dense1.bias : tensor<4xf32>
    %0 = nn.dense %x, %w : (!x, tensor<4x8xf32>) -> !h loc(#dense)
    %1 = nn.add %0, %b : (!h, tensor<4xf32>) -> !h loc(#dense)
    %2 = nn.relu %1 : (!h) -> !h loc(#relu)
    %3 = nn.sum %2 {axes = array<i64: 1>} : (!h) -> !v loc(#loss)
    return %3 : !v
  }
}
#dense = loc("net.nn":4:12)
#relu = loc("net.nn":4:24)
#loss = loc("net.nn":8:3)

// -----

!h = tensor<?x4xf32, #nn.dims<"batch">>
!hs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!v = tensor<?xf32, #nn.dims<"batch">>

// The values of a loop are stacked, and looked at in the steps that are an example's own. A
// probe is a sequence.
//
// CHECK-LABEL: func.func @train
// CHECK-SAME: %[[LENGTHS:[^:]+]]: tensor<?xi32
// CHECK: %[[P:.+]] = nn.probe "error" in @train.statistic0.error : tensor<?x?x4xf32
// CHECK: %[[OWN:.+]] = nn.mask %[[P]], %[[LENGTHS]] {axis = 0 : i64
// CHECK: %[[HS:.+]], %{{.+}} = nn.each "T" sequences(%{{.+}}, %[[OWN]])
// CHECK: ^bb0(%{{.+}}: tensor<i32>{{.*}}, %{{.+}}: {{.+}}, %[[STEP:.+]]: tensor<?x4xf32{{.+}}, %{{.+}}:
// CHECK: %[[H:.+]] = nn.tanh
// CHECK: %[[H1:.+]] = nn.add %[[H]], %[[STEP]]
// CHECK: nn.yield next(%[[H1]] : {{.+}}) outputs(%[[H1]] :
// CHECK: nn.mask %[[HS]], %[[LENGTHS]] {axis = 0 : i64
// CHECK: nn.store @train.statistic0.not_finite
// CHECK: nn.store @train.statistic0.saturated
module {
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  func.func @train(%xs: !hs, %h0: !h, %lengths: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"}) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = true, statistics}} {
    %w = nn.read @W : tensor<4x4xf32>
    %end = nn.each "T" sequences(%xs) start(%h0) {
    ^bb0(%t: tensor<i32>, %x: !h, %h: !h):
      %0 = nn.dense %h, %w : (!h, tensor<4x4xf32>) -> !h loc(unknown)
      %1 = nn.add %0, %x : (!h, !h) -> !h loc(unknown)
      %2 = nn.tanh %1 : (!h) -> !h loc("net.nn":6:12)
      nn.yield next(%2 : !h)
    } : (!hs, !h) -> !h
    %3 = nn.sum %end {axes = array<i64: 1>} : (!h) -> !v loc(unknown)
    return %3 : !v
  }
}

// -----

// Who does not ask for it gets nothing.
//
// CHECK-LABEL: func.func @train
// CHECK-NEXT: nn.sum
// CHECK-NEXT: return
module {
  func.func @train(%x: tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?xf32, #nn.dims<"batch">> attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = true}} {
    %0 = nn.sum %x {axes = array<i64: 1>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?xf32, #nn.dims<"batch">>
    return %0 : tensor<?xf32, #nn.dims<"batch">>
  }
}
