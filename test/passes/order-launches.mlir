// RUN: nnc-opt %s -nn-form-groups -nn-outline-kernels -nn-order-launches -nn-plan-buffers -split-input-file | FileCheck %s

!v = tensor<?x16xf32, #nn.dims<"batch">>

// A launch that reads weights alone moves to where its result is first read, and takes
// room from then on only: one matrix, not two.
nn.weight @w : tensor<16x16xf32> init <kind = glorot>
nn.weight @u : tensor<16x16xf32> init <kind = glorot>
// CHECK-LABEL: @late
// CHECK-SAME: nn.arenas = [{bytes = 1024 : i64, unit = "1"}, {bytes = 64 : i64, unit = "batch"}]
// CHECK: %[[W:.+]] = nn.launch @{{.+}}(%{{.+}}) {{.*}} -> tensor<16x16xf32>
// CHECK-NEXT: %[[Y:.+]] = nn.launch @{{.+}}(%arg0, %[[W]])
// CHECK: %[[U:.+]] = nn.launch @{{.+}}(%{{.+}}) {{.*}} -> tensor<16x16xf32>
// CHECK-NEXT: nn.launch @{{.+}}(%[[Y]], %[[U]])
func.func @late(%x: !v) -> !v {
  %0 = nn.read @w : tensor<16x16xf32>
  %1 = nn.transpose %0 {permutation = array<i64: 1, 0>} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %2 = nn.read @u : tensor<16x16xf32>
  %3 = nn.transpose %2 {permutation = array<i64: 1, 0>} : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %4 = nn.dense %x, %1 : (!v, tensor<16x16xf32>) -> !v
  %5 = nn.dense %4, %3 : (!v, tensor<16x16xf32>) -> !v
  return %5 : !v
}

// -----

// A sum is taken before what follows of its summands needs room beside them.
// CHECK-LABEL: @early
// CHECK: %[[H:.+]] = nn.launch @{{.+}}(%arg0)
// CHECK-NEXT: %[[SUM:.+]] = nn.launch @{{.+}}(%[[H]]) {{.*}} -> tensor<?xf32
// CHECK-NEXT: %[[Y:.+]] = nn.launch @{{.+}}(%[[H]])
// CHECK: return %[[Y]], %[[SUM]]
func.func @early(%x: tensor<?x16xf32, #nn.dims<"batch">>) -> (tensor<?x16xf32, #nn.dims<"batch">>, tensor<?xf32, #nn.dims<"batch">>) {
  %0 = nn.softmax %x : (tensor<?x16xf32, #nn.dims<"batch">>) -> tensor<?x16xf32, #nn.dims<"batch">>
  %1 = nn.softmax %0 : (tensor<?x16xf32, #nn.dims<"batch">>) -> tensor<?x16xf32, #nn.dims<"batch">>
  %2 = nn.sum %0 {axes = array<i64: 1>} : (tensor<?x16xf32, #nn.dims<"batch">>) -> tensor<?xf32, #nn.dims<"batch">>
  return %1, %2 : tensor<?x16xf32, #nn.dims<"batch">>, tensor<?xf32, #nn.dims<"batch">>
}
