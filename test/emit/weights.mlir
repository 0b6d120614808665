// RUN: nnc -emit=llvm %s | FileCheck %s

// The table of weights says how each lies in memory: row-major, or in panels,
// the last of which is padded. They begin on cache lines.
//
// A panel of 16 of 10 rows: one block, then 3 columns, then 16 rows of it.
// CHECK-DAG: [3 x { i32, i64, i64 }] [{ i32, i64, i64 } { i32 0, i64 16, i64 1 }, { i32, i64, i64 } { i32 1, i64 1, i64 3 }, { i32, i64, i64 } { i32 0, i64 1, i64 16 }]
// CHECK-DAG: [1 x { i32, i64, i64 }] [{ i32, i64, i64 } { i32 0, i64 1, i64 5 }]
// Offset, bytes, a, b, fans, ranks, initializer, trainable.
// CHECK-DAG: i64 0, i64 192, double 0.000000e+00, double 0.000000e+00, i64 3, i64 10, i32 2, i32 3, i32 1, i32 1 }
// CHECK-DAG: i64 192, i64 20, double 5.000000e-01, double 0.000000e+00, i64 1, i64 1, i32 1, i32 1, i32 0, i32 0 }
// CHECK-DAG: @weights_network = constant {{.*}}i32 {{[0-9]+}}, i32 6, i32 0, {{.*}}i64 256, i64 192, i64 0, ptr null
module @weights {
  nn.weight @w : tensor<10x3xf32, #nn.panel<dim = 0, width = 16>> init <kind = glorot, fan_in = 3, fan_out = 10>
  nn.weight @running : tensor<5xf32> init <kind = constant, a = 0.5 : f64> frozen
  func.func @infer(%x: tensor<?xf32, #nn.dims<"batch">> {nn.name = "x"})
      -> (tensor<?xf32, #nn.dims<"batch">> {nn.name = "y"}) attributes {nn.arenas = []} {
    return %x : tensor<?xf32, #nn.dims<"batch">>
  }
}
