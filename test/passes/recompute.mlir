// RUN: nnc-opt %s -nn-recompute | FileCheck %s

// Each reader centres for itself what is stored anyway; what is made of two large values is stored.

// CHECK-LABEL: func.func @centred
// CHECK: %[[SUM:.+]] = nn.sum %arg0
// CHECK: %[[A:.+]] = nn.sub %arg0, %arg1
// CHECK-NEXT: nn.square %[[A]]
// CHECK: %[[B:.+]] = nn.sub %arg0, %arg1
// CHECK-NEXT: nn.tanh %[[B]]
// CHECK: %[[ADD:.+]] = nn.add %{{.+}}, %{{.+}}
// CHECK-NOT: nn.add
// CHECK: return
func.func @centred(%x: tensor<?x4xf32, #nn.dims<"batch">>, %mean: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<?x4xf32, #nn.dims<"batch">>, tensor<?x4xf32, #nn.dims<"batch">>) {
  %sum = nn.sum %x {axes = array<i64: 0>} : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<4xf32>
  %c = nn.sub %x, %mean : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<4xf32>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %square = nn.square %c : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %tanh = nn.tanh %c : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %both = nn.add %square, %tanh : (tensor<?x4xf32, #nn.dims<"batch">>, tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %exp = nn.exp %both : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  %sqrt = nn.sqrt %both : (tensor<?x4xf32, #nn.dims<"batch">>) -> tensor<?x4xf32, #nn.dims<"batch">>
  return %sum, %exp, %sqrt : tensor<4xf32>, tensor<?x4xf32, #nn.dims<"batch">>, tensor<?x4xf32, #nn.dims<"batch">>
}
