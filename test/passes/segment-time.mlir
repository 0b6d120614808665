// RUN: nnc-opt %s -nn-segment-time -split-input-file -verify-diagnostics | FileCheck %s

!x = tensor<?x?x4xf32, #nn.dims<"batch", "T">>
!xs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>
!n = tensor<?xi32, #nn.dims<"batch">>

// The loop and what treats its steps one by one move into a loop over segments, which
// carries the loop's state and the sum of the losses so far. The segment's steps of the
// caller's sequence are read where they are needed; steps count on.
module {
  nn.weight @W : tensor<4x4xf32> init <kind = glorot>
  // CHECK-LABEL: func.func @train(
  // CHECK-SAME: %[[X:.+]]: tensor<{{.*}}"batch", "T">>, %[[LENGTHS:[^:]+]]:
  func.func @train(%x: !x, %lengths: !n {nn.lengths = "T"}, %h0: !h) -> !v attributes {nn.train = {name = "train", optimizer = "sgd", betas = [], reduce_sum = false, checkpoint = -1}} {
    %w = nn.read @W : tensor<4x4xf32>
    %xs = nn.time_major %x {steps = 1 : i64} : (!x) -> !xs
    // CHECK: %[[ENDS:.+]]:2 = nn.each "T.segments" start(%{{.+}}, %[[ZERO:.+]]) attributes {segments} {
    // CHECK-NEXT: ^bb0(%[[I:.+]]: tensor<i32>, %[[BEFORE:.+]]: tensor<?x4xf32, #nn.dims<"batch">>, %[[SUM:.+]]: tensor<?xf32
    // CHECK: %[[STEPS:.+]] = nn.extent %{{.+}} {axis = 0 : i64} : (tensor<?xf32, #nn.dims<"T.steps">>)
    // CHECK: %[[FIRST:.+]] = nn.mul %[[I]], %[[STEPS]]
    // CHECK: %[[LEFT:.+]] = nn.sub %[[LENGTHS]], %[[FIRST]]
    // CHECK: %[[LOCAL:.+]] = nn.min
    // CHECK: %[[XS:.+]] = nn.segment %[[X]], %[[FIRST]] {axis = 1 : i64}
    // CHECK: %[[YS:.+]], %[[AFTER:.+]] = nn.each "T.steps" sequences(%[[XS]]) start(%[[BEFORE]]) {
    // CHECK-NEXT: ^bb0(%[[T:[^:]+]]:
    // CHECK: %[[GLOBAL:.+]] = nn.add %[[FIRST]], %[[T]]
    // CHECK: nn.lt %[[GLOBAL]], %[[LENGTHS]]
    %y, %end = nn.each "T" sequences(%xs) start(%h0) {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %0 = nn.dense %h, %w : (!h, tensor<4x4xf32>) -> !h
      %1 = nn.add %0, %x_t : (!h, !h) -> !h
      %2 = nn.tanh %1 : (!h) -> !h
      %3 = nn.lt %t, %lengths : (tensor<i32>, !n) -> tensor<?xi1, #nn.dims<"batch">>
      %4 = nn.broadcast %3 {dims = array<i64: 0>} : (tensor<?xi1, #nn.dims<"batch">>) -> tensor<?x4xi1, #nn.dims<"batch">>
      %5 = nn.select %4, %2, %h : (tensor<?x4xi1, #nn.dims<"batch">>, !h, !h) -> !h
      nn.yield next(%5 : !h) outputs(%5 : !h)
    } : (!xs, !h) -> (!xs, !h)
    // CHECK: %[[LOSSES:.+]] = nn.mean %[[YS]] {axes = array<i64: 2>} : {{.*}} -> tensor<?x?xf32, #nn.dims<"T.steps", "batch">>
    %losses = nn.mean %y {axes = array<i64: 2>} : (!xs) -> tensor<?x?xf32, #nn.dims<"T", "batch">>
    // CHECK: %[[PART:.+]] = nn.sum %[[LOSSES]], %[[LOCAL]] {axes = array<i64: 0>}
    // CHECK: %[[NEXT:.+]] = nn.add %[[SUM]], %[[PART]]
    // CHECK: nn.yield next(%[[AFTER]], %[[NEXT]] :
    // CHECK: %[[LOSS:.+]] = nn.div %[[ENDS]]#1,
    // CHECK: return %[[LOSS]]
    %loss = nn.mean %losses, %lengths {axes = array<i64: 0>} : (tensor<?x?xf32, #nn.dims<"T", "batch">>, !n) -> !v
    return %loss : !v
  }
}

// -----

!xs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>
!n = tensor<?xi32, #nn.dims<"batch">>

// What looks across the steps is between two loops over segments: it reads the sequence
// as a whole, and what it gives is divided anew.
module {
  // CHECK-LABEL: func.func @reversed
  func.func @reversed(%x: !xs, %lengths: !n {nn.lengths = "T"}, %h0: !h) -> !v attributes {nn.train = {name = "reversed", optimizer = "sgd", betas = [], reduce_sum = false, checkpoint = 1024}} {
    // CHECK: %[[SEGMENTS:.+]] = nn.split_steps %arg0
    // CHECK: %[[Y:.+]], %{{.+}} = nn.each "T.segments" sequences(%[[SEGMENTS]]) start(%arg2) attributes {segments}
    // CHECK: %[[WHOLE:.+]] = nn.join_steps %[[Y]] : (tensor<?x?x?x4xf32, #nn.dims<"T.segments", "T.steps", "batch">>) -> tensor<?x?x4xf32, #nn.dims<"T", "batch">>
    %y, %end = nn.each "T" sequences(%x) start(%h0) {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      %1 = nn.add %h, %x_t : (!h, !h) -> !h
      %3 = nn.lt %t, %lengths : (tensor<i32>, !n) -> tensor<?xi1, #nn.dims<"batch">>
      %4 = nn.broadcast %3 {dims = array<i64: 0>} : (tensor<?xi1, #nn.dims<"batch">>) -> tensor<?x4xi1, #nn.dims<"batch">>
      %5 = nn.select %4, %1, %h : (tensor<?x4xi1, #nn.dims<"batch">>, !h, !h) -> !h
      nn.yield next(%5 : !h) outputs(%5 : !h)
    } : (!xs, !h) -> (!xs, !h)
    // CHECK: %[[BACK:.+]] = nn.reverse %[[WHOLE]], %arg1
    %back = nn.reverse %y, %lengths {axis = 0 : i64} : (!xs, !n) -> !xs
    // CHECK: %[[AGAIN:.+]] = nn.split_steps %[[BACK]]
    // CHECK: %[[LAST:.+]] = nn.each "T.segments" sequences(%[[AGAIN]])
    // CHECK: nn.tanh
    // CHECK: %[[PART:.+]] = nn.last
    // CHECK: nn.select %{{.+}}, %[[PART]], %
    // CHECK: nn.mean %[[LAST]]
    %tanh = nn.tanh %back : (!xs) -> !xs
    %last = nn.last %tanh, %lengths : (!xs, !n) -> !h
    %loss = nn.mean %last {axes = array<i64: 1>} : (!h) -> !v
    return %loss : !v
  }
}

// -----

!xs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!v = tensor<?xf32, #nn.dims<"batch">>
!n = tensor<?xi32, #nn.dims<"batch">>

// Where no state is carried there is nothing to begin a segment with.
module {
  // CHECK-LABEL: func.func @stateless
  // CHECK-NOT: nn.each
  // expected-warning @below {{`bptt = checkpoint` changes nothing: there is no loop over a length that carries a state}}
  func.func @stateless(%x: !xs, %lengths: !n {nn.lengths = "T"}) -> !v attributes {nn.train = {name = "stateless", optimizer = "sgd", betas = [], reduce_sum = false, checkpoint = -1}} {
    %losses = nn.mean %x {axes = array<i64: 2>} : (!xs) -> tensor<?x?xf32, #nn.dims<"T", "batch">>
    %loss = nn.mean %losses, %lengths {axes = array<i64: 0>} : (tensor<?x?xf32, #nn.dims<"T", "batch">>, !n) -> !v
    return %loss : !v
  }
}

// -----

!xs = tensor<?x?x4xf32, #nn.dims<"T", "batch">>
!h = tensor<?x4xf32, #nn.dims<"batch">>
!v = tensor<?xf32, #nn.dims<"batch">>
!n = tensor<?xi32, #nn.dims<"batch">>

// Without a checkpoint every step is kept.
module {
  // CHECK-LABEL: func.func @full
  // CHECK-NOT: segments
  func.func @full(%x: !xs, %lengths: !n {nn.lengths = "T"}, %h0: !h) -> !v attributes {nn.train = {name = "full", optimizer = "sgd", betas = [], reduce_sum = false, checkpoint = 0}} {
    %end = nn.each "T" sequences(%x) start(%h0) {
    ^bb0(%t: tensor<i32>, %x_t: !h, %h: !h):
      nn.yield next(%h : !h)
    } : (!xs, !h) -> !h
    %loss = nn.mean %end {axes = array<i64: 1>} : (!h) -> !v
    return %loss : !v
  }
}
