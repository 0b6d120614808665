// RUN: nnc -emit=llvm %s | FileCheck %s

!a = tensor<?x512xf32, #nn.dims<"d0">>
!x = tensor<?x512xf32, #nn.dims<"batch">>
!b = tensor<?x256xf32, #nn.dims<"d0">>
!y = tensor<?x256xf32, #nn.dims<"batch">>

// A contraction with a large weight has a kernel for each number of rows that makes a
// difference. A call counts the variants whose least rows it has, and takes the last of them.
//
// CHECK: @variants_kernels = {{.*}}@variants_dense0_avx2_r1 }, {{.*}}@variants_dense0_avx2_r[[R2:[0-9]+]] }
// CHECK-LABEL: define internal {{.*}}i32 @variants_infer_run
// CHECK: icmp sgt i64 %[[ROWS:.+]], {{[0-9]+}}
// CHECK: zext i1
// CHECK: call i32 %
module @variants {
  nn.weight @w : tensor<256x512xf32, #nn.panel<dim = 0, width = 16>> init <kind = glorot, fan_in = 512, fan_out = 256>
  nn.kernel dense @dense0 {
  ^bb0(%a: !a, %w: tensor<256x512xf32, #nn.panel<dim = 0, width = 16>>):
    %0 = nn.dense %a, %w : (!a, tensor<256x512xf32, #nn.panel<dim = 0, width = 16>>) -> !b
    nn.yield outputs(%0 : !b)
  }
  func.func @infer(%x: !x {nn.name = "x"}) -> (!y {nn.name = "y"}) attributes {nn.arenas = []} {
    %w = nn.read @w : tensor<256x512xf32, #nn.panel<dim = 0, width = 16>>
    %0 = nn.launch @dense0 ["batch"](%x, %w) {places = [#nn.place<output 0>]}
      : (!x, tensor<256x512xf32, #nn.panel<dim = 0, width = 16>>) -> !y
    return %0 : !y
  }
}
