// RUN: nnc-opt %s -nn-lower-losses -split-input-file | FileCheck %s

!v = tensor<?x8xf32, #nn.dims<"batch">>
!c = tensor<?xi32, #nn.dims<"batch">>
!l = tensor<?xf32, #nn.dims<"batch">>

// The cross entropy of a softmax is computed from the logits: minus the logarithm of
// the softmax at the label. Other elements do not enter, NaN or not.
// CHECK-LABEL: @of_softmax
// CHECK-DAG: %[[LOG:.+]] = nn.log_softmax %arg0
// CHECK-DAG: %[[HOT:.+]] = nn.one_hot %arg1 {classes = 8
// CHECK-DAG: %[[IS:.+]] = nn.gt %[[HOT]], %{{.+}} :
// CHECK: %[[AT:.+]] = nn.select %[[IS]], %[[LOG]], %{{.+}} :
// CHECK: %[[SUM:.+]] = nn.sum %[[AT]] {axes = array<i64: 1>}
// CHECK: %[[LOSS:.+]] = nn.neg %[[SUM]]
// CHECK: return %[[LOSS]]
func.func @of_softmax(%x: !v, %label: !c) -> !l {
  %y = nn.softmax %x : (!v) -> !v
  %0 = nn.cross_entropy %y, %label : (!v, !c) -> !l
  return %0 : !l
}

// -----

!v = tensor<?x8xf32, #nn.dims<"batch">>
!c = tensor<?xi32, #nn.dims<"batch">>
!l = tensor<?xf32, #nn.dims<"batch">>

// Of other probabilities it takes the logarithm.
// CHECK-LABEL: @of_probabilities
// CHECK: %[[LOG:.+]] = nn.log %arg0
// CHECK: nn.select %{{.+}}, %[[LOG]], %{{.+}} :
// CHECK-NOT: nn.cross_entropy
func.func @of_probabilities(%y: !v, %label: !c) -> !l {
  %0 = nn.cross_entropy %y, %label : (!v, !c) -> !l
  return %0 : !l
}

// -----

!v = tensor<?x?x8xf32, #nn.dims<"T", "batch">>
!c = tensor<?x?xi32, #nn.dims<"T", "batch">>
!l = tensor<?x?xf32, #nn.dims<"T", "batch">>

// Log-probabilities have it already. A loss is a number for each step, too.
// CHECK-LABEL: @nll
// CHECK: %[[AT:.+]] = nn.select %{{.+}}, %arg0, %{{.+}} :
// CHECK: %[[SUM:.+]] = nn.sum %[[AT]] {axes = array<i64: 2>}
// CHECK: nn.neg %[[SUM]]
func.func @nll(%y: !v, %label: !c) -> !l {
  %0 = nn.nll %y, %label : (!v, !c) -> !l
  return %0 : !l
}

// -----

!v = tensor<?x8xf32, #nn.dims<"batch">>
!l = tensor<?xf32, #nn.dims<"batch">>

// Distances are means over the vector.
// CHECK-LABEL: @distances
// CHECK: %[[D:.+]] = nn.sub %arg0, %arg1
// CHECK: %[[SQUARE:.+]] = nn.square %[[D]]
// CHECK: nn.mean %[[SQUARE]] {axes = array<i64: 1>}
// CHECK: %[[E:.+]] = nn.sub %arg0, %arg1
// CHECK: %[[ABS:.+]] = nn.abs %[[E]]
// CHECK: nn.mean %[[ABS]] {axes = array<i64: 1>}
func.func @distances(%y: !v, %t: !v) -> (!l, !l) {
  %0 = nn.mse %y, %t : (!v, !v) -> !l
  %1 = nn.l1 %y, %t : (!v, !v) -> !l
  return %0, %1 : !l, !l
}

// -----

!v = tensor<?x8xf32, #nn.dims<"batch">>
!l = tensor<?xf32, #nn.dims<"batch">>

// Of a sigmoid: softplus(x) - t x, which no x makes infinite.
// CHECK-LABEL: @of_sigmoid
// CHECK-DAG: %[[PLUS:.+]] = nn.softplus %arg0
// CHECK-DAG: %[[TX:.+]] = nn.mul %arg1, %arg0
// CHECK: %[[EACH:.+]] = nn.sub %[[PLUS]], %[[TX]]
// CHECK: nn.mean %[[EACH]] {axes = array<i64: 1>}
// CHECK-NOT: nn.log
func.func @of_sigmoid(%x: !v, %t: !v) -> !l {
  %y = nn.sigmoid %x : (!v) -> !v
  %0 = nn.binary_cross_entropy %y, %t : (!v, !v) -> !l
  return %0 : !l
}

// -----

!v = tensor<?x8xf32, #nn.dims<"batch">>
!l = tensor<?xf32, #nn.dims<"batch">>

// Of other probabilities both logarithms are at least -100.
// CHECK-LABEL: @of_truths
// CHECK: %[[LEAST:.+]] = nn.constant -1.000000e+02
// CHECK: %[[LOG:.+]] = nn.log %arg0
// CHECK: nn.max %[[LOG]], %[[LEAST]]
// CHECK: nn.log
// CHECK: nn.max
// CHECK: nn.neg
func.func @of_truths(%y: !v, %t: !v) -> !l {
  %0 = nn.binary_cross_entropy %y, %t : (!v, !v) -> !l
  return %0 : !l
}

// -----

!v = tensor<?x8xf32, #nn.dims<"batch">>
!c = tensor<?xi32, #nn.dims<"batch">>
!l = tensor<?xf32, #nn.dims<"batch">>

// The margin of the seven classes that are not the label.
// CHECK-LABEL: @hinge
// CHECK: %[[SEVEN:.+]] = nn.constant 7.0
// CHECK: %[[RIGHT:.+]] = nn.sum %{{.+}} {axes = array<i64: 1>}
// CHECK: %[[ALL:.+]] = nn.broadcast %[[RIGHT]] {dims = array<i64: 0>}
// CHECK: %[[LESS:.+]] = nn.sub %arg0, %[[ALL]]
// CHECK: %[[MARGIN:.+]] = nn.relu
// CHECK: %[[OTHERS:.+]] = nn.select %{{.+}}, %{{.+}}, %[[MARGIN]]
// CHECK: %[[SUM:.+]] = nn.sum %[[OTHERS]] {axes = array<i64: 1>}
// CHECK: nn.div %[[SUM]], %[[SEVEN]]
func.func @hinge(%y: !v, %label: !c) -> !l {
  %0 = nn.hinge %y, %label : (!v, !c) -> !l
  return %0 : !l
}

// -----

!v = tensor<?x?x8xf32, #nn.dims<"T", "batch">>
!c = tensor<?x?xi32, #nn.dims<"T", "batch">>
!l = tensor<?x?xf32, #nn.dims<"T", "batch">>
!lengths = tensor<?xi32, #nn.dims<"batch">>

// Probabilities that are masked past the examples' ends come from logits, too: the loss is
// masked in their place.
// CHECK-LABEL: @of_masked_softmax
// CHECK: %[[LOG:.+]] = nn.log_softmax %arg0
// CHECK-NOT: nn.log %
// CHECK: %[[LOSS:.+]] = nn.neg
// CHECK: %[[M:.+]] = nn.mask %[[LOSS]], %arg2 {axis = 0 : i64, fill = 0.000000e+00 : f64}
// CHECK: return %[[M]]
func.func @of_masked_softmax(%x: !v, %label: !c, %lengths: !lengths) -> !l {
  %y = nn.softmax %x : (!v) -> !v
  %masked = nn.mask %y, %lengths {axis = 0 : i64, fill = 1.000000e+00 : f64} : (!v, !lengths) -> !v
  %0 = nn.cross_entropy %masked, %label : (!v, !c) -> !l
  return %0 : !l
}

// -----

!x = tensor<?x4x3xf32, #nn.dims<"batch">>
!v = tensor<?x?x3xf32, #nn.dims<"4", "batch">>
!c = tensor<?x?xi32, #nn.dims<"4", "batch">>
!l = tensor<?x?xf32, #nn.dims<"4", "batch">>

// So do probabilities of a fixed number of steps, which a loss of each step reads in the order of time.
// CHECK-LABEL: @of_turned_softmax
// CHECK: %[[TURNED:.+]] = nn.time_major %arg0
// CHECK-NEXT: nn.log_softmax %[[TURNED]]
// CHECK-NOT: nn.log %
func.func @of_turned_softmax(%x: !x, %label: !c) -> !l {
  %y = nn.softmax %x : (!x) -> !x
  %turned = nn.time_major %y {steps = 1 : i64} : (!x) -> !v
  %0 = nn.cross_entropy %turned, %label : (!v, !c) -> !l
  return %0 : !l
}
