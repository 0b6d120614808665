// RUN: nnc -emit=llvm %s | FileCheck %s

!a = tensor<?x512xf32, #nn.dims<"d0">>
!x = tensor<?x512xf32, #nn.dims<"batch">>
!b = tensor<?x256xf32, #nn.dims<"d0">>
!y = tensor<?x256xf32, #nn.dims<"batch">>

// A contraction with a weight has a kernel for a single row and one for several. A call counts the variants whose least
// rows it has, and takes the last of them.
//
// CHECK: @variants_kernels = {{.*}}@variants_dense0_avx2_r1 }, {{.*}}@variants_dense0_avx2_r2 }
// CHECK-LABEL: define internal {{.*}}i32 @variants_infer_run
// CHECK: %[[SEVERAL:.+]] = icmp sgt i64 %{{.+}}, 1
// CHECK: %[[OFFSET:.+]] = select i1 %[[SEVERAL]], i64 8, i64 0
// CHECK: getelementptr i8, ptr %{{.+}}, i64 %[[OFFSET]]
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
