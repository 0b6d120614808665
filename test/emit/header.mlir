// RUN: nnc -emit=header %s | FileCheck %s --strict-whitespace
// RUN: nnc -emit=header %s > %t.h
// RUN: cc -std=c11 -Wall -Wextra -Werror -pedantic -fsyntax-only -I%source/runtime/include -x c %t.h
// RUN: c++ -std=c++17 -Wall -Wextra -Werror -pedantic -fsyntax-only -I%source/runtime/include -x c++ %t.h
// RUN: nnc -emit=header -name=twin %s | FileCheck %s --check-prefix=TWIN

// The header of a network with a free dimension, a state, and names that C has
// for itself.
//
// CHECK: /* names.h - written by nnc {{.*}} from header.mlir. Link with -lnnc_runtime. */
// CHECK: #define NAMES_INT_SIZE 8 /* elements of one example of int */
// CHECK: #define NAMES_MAX_T 60 /* the longest T */
// CHECK: #define NAMES_WEIGHTS_BYTES 128
// CHECK:  *   rate     [3]
// CHECK-NEXT:  *   average  [2]  a running statistic
// CHECK: extern NNC_API const nnc_network names_network;
// CHECK: NNC_API nnc_status names_create(const nnc_model_options *options, nnc_model **out_model);
// CHECK: NNC_API nnc_status names_context_create(nnc_model *model, int64_t max_batch, int64_t max_T, nnc_context **out_context);
// CHECK:  * takes int_ [batch][8]
// CHECK-NEXT:  * takes batch_ [batch][T][4], numbers of classes
// CHECK-NEXT:  * gives class_ [batch][T][8]
// CHECK-NEXT:  * T_lengths [batch]: the length of each example, at most T, or null when all are full
// CHECK: NNC_API nnc_status names_infer(nnc_context *context, int64_t batch, int64_t T, const int32_t *T_lengths, const float *int_, const int32_t *batch_, float *class_);
// CHECK:  * gives y [batch][8]
// CHECK: NNC_API nnc_status names_step(nnc_context *context, int64_t batch, const float *x, float *y);
// CHECK: NNC_API nnc_status names_reset(nnc_context *context);
//
// TWIN: #define TWIN_INT_SIZE 8
// TWIN: twin_create(
// TWIN-NOT: names
module @names {
  nn.weight @rate : tensor<3xf32> init <kind = glorot>
  nn.weight @average : tensor<2xf32> init <kind = constant> frozen
  func.func @infer(%0: tensor<?x8xf32, #nn.dims<"batch">> {nn.name = "int"},
                   %1: tensor<?x?x4xi32, #nn.dims<"batch", "T">> {nn.name = "batch"},
                   %2: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T", nn.bound = 60})
      -> (tensor<?x?x8xf32, #nn.dims<"batch", "T">> {nn.name = "class"}) attributes {nn.arenas = []} {
    %3 = nn.read @anything : tensor<?x?x8xf32, #nn.dims<"batch", "T">>
    return %3 : tensor<?x?x8xf32, #nn.dims<"batch", "T">>
  }
  nn.state @anything : tensor<?x?x8xf32, #nn.dims<"batch", "T">>
  func.func @step(%0: tensor<?x?x8xf32, #nn.dims<"batch", "T">> {nn.name = "x"},
                  %1: tensor<?xi32, #nn.dims<"batch">> {nn.lengths = "T"})
      -> (tensor<?x?x8xf32, #nn.dims<"batch", "T">> {nn.name = "y"}) attributes {nn.arenas = []} {
    return %0 : tensor<?x?x8xf32, #nn.dims<"batch", "T">>
  }
  func.func @reset() attributes {nn.arenas = []} {
    return
  }
}
