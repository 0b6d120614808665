// RUN: nnc -emit=llvm %s | FileCheck %s

!a = tensor<?x64xf32, #nn.dims<"d0">>
!x = tensor<?x64xf32, #nn.dims<"batch">>

// A contraction has a kernel for each number of rows that makes a difference. A
// call counts the variants whose least rows it has, and takes the last of them.
//
// CHECK: @variants_kernels = {{.*}}@variants_dense0_avx2_r1 }, {{.*}}@variants_dense0_avx2_r[[R2:[0-9]+]] }
// CHECK-LABEL: define internal {{.*}}i32 @variants_infer_run
// CHECK: icmp sgt i64 %[[ROWS:.+]], {{[0-9]+}}
// CHECK: zext i1
// CHECK: call i32 %
module @variants {
  nn.weight @w : tensor<64x64xf32, #nn.panel<dim = 0, width = 16>> init <kind = glorot, fan_in = 64, fan_out = 64>
  nn.kernel dense @dense0 {
  ^bb0(%a: !a, %w: tensor<64x64xf32, #nn.panel<dim = 0, width = 16>>):
    %0 = nn.dense %a, %w : (!a, tensor<64x64xf32, #nn.panel<dim = 0, width = 16>>) -> !a
    nn.yield outputs(%0 : !a)
  }
  func.func @infer(%x: !x {nn.name = "x"}) -> (!x {nn.name = "y"}) attributes {nn.arenas = []} {
    %w = nn.read @w : tensor<64x64xf32, #nn.panel<dim = 0, width = 16>>
    %0 = nn.launch @dense0 ["batch"](%x, %w) {places = [#nn.place<output 0>]}
      : (!x, tensor<64x64xf32, #nn.panel<dim = 0, width = 16>>) -> !x
    return %0 : !x
  }
}
