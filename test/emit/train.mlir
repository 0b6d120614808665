// RUN: nnc -O0 -emit=llvm %s | FileCheck %s
// RUN: nnc -O0 -emit=llvm %s | FileCheck %s --check-prefix=TABLES
// RUN: nnc -emit=header %s | FileCheck %s --check-prefix=HEADER --strict-whitespace
// RUN: nnc -emit=header %s > %t.h
// RUN: cc -std=c11 -Wall -Wextra -Werror -pedantic -fsyntax-only -I%source/runtime/include -x c %t.h
// RUN: c++ -std=c++17 -Wall -Wextra -Werror -pedantic -fsyntax-only -I%source/runtime/include -x c++ %t.h

!x = tensor<?x16xf32, #nn.dims<"batch">>
!label = tensor<?xi32, #nn.dims<"batch">>

// Trained weights lie first in memory, whatever the order of their names:
// the average, which is not, lies behind the 64 bytes of w and the 64 of b.
//
// TABLES-DAG: i64 0, i64 64, double {{.+}}, i64 128, i64 64, double {{.+}}, i32 0 }, {{.+}}, i64 64, i64 64, double {{.+}}, i32 1 }
//
// Arguments with their extents: the batch is dimension 0, what is fixed -1.
// TABLES-DAG: [{ i32, i64, i64, i64 } { i32 0, i64 0, i64 0, i64 1 }, { i32, i64, i64, i64 } { i32 -1, i64 16, i64 0, i64 1 }]
// TABLES-DAG: ptr @table{{[0-9]+}}, i64 10, i32 1, i32 0, i32 1 }, {{.+}}, ptr null, i64 0, i32 0, i32 1, i32 0 }]
//
// The functions, with their flags, and the train block: gradients are function 1,
// the update is 2; two slots, a mean, mini-batches of 32.
// TABLES-DAG: i32 3, i32 2, ptr @train_train_gradients_plan, i64 0, ptr @train_train_gradients_run }, {{.+}}, i32 4, i32 4, ptr @train_train_update_plan, i64 1, ptr @train_train_update_run }
// TABLES-DAG: i32 1, i32 2, i32 2, i32 0, i32 1, i64 32, ptr @train_train_rate, ptr @table{{[0-9]+}}, i32 2, i64 0, i64 0, i64 0, ptr null, i32 0, i32 0, i32 0 }
// TABLES-DAG: [{ double } { double 9.000000e-01 }, { double } { double {{.+}} }]
// TABLES-DAG: @train_network = constant {{.*}}i32 3, i32 1, ptr @table{{[0-9]+}}, i64 192, i64 128, i64 0
module @train {
  nn.weight @w : tensor<16xf32> init <kind = constant>
  nn.weight @average : tensor<16xf32> init <kind = constant> frozen
  nn.weight @b : tensor<16xf32> init <kind = constant>

  nn.kernel elementwise @elementwise0 {
  ^bb0(%a: tensor<16xf32>):
    %0 = nn.tanh %a : (tensor<16xf32>) -> tensor<16xf32>
    nn.yield outputs(%0 : tensor<16xf32>)
  }
  nn.kernel elementwise @elementwise1 {
  ^bb0(%a: tensor<32xf32>, %b: tensor<32xf32>):
    %0 = nn.add %a, %b : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
    nn.yield outputs(%0 : tensor<32xf32>)
  }
  nn.kernel reduce @reduce0 {
  ^bb0(%a: tensor<16xf32>):
    %0 = nn.sum %a {axes = array<i64: 0>} : (tensor<16xf32>) -> tensor<f32>
    nn.yield outputs(%0 : tensor<f32>)
  }

  func.func @infer(%x: !x {nn.name = "x"}) -> (!x {nn.name = "y"}) attributes {nn.arenas = []} {
    return %x : !x
  }

  // The pointers of the frame: weights, arguments, gradients, seed. A gradient that
  // a kernel writes in its place is not copied, another one is, and so is what
  // becomes of the average, which is read where calls before this one left it.
  //
  // CHECK-LABEL: define internal i32 @train_train_gradients_run(ptr %0)
  // CHECK: %[[AT:.+]] = getelementptr i8, ptr %0, i64 80
  // CHECK: %[[GRADIENTS:.+]] = load ptr, ptr %[[AT]]
  // CHECK: %[[AVERAGE:.+]] = getelementptr i8, ptr %[[GRADIENTS]], i64 128
  // CHECK: %[[B:.+]] = getelementptr i8, ptr %[[GRADIENTS]], i64 64
  // CHECK: %[[MOVED:.+]] = getelementptr i8, ptr %[[GRADIENTS]], i64 128
  // CHECK: store ptr %[[AVERAGE]], ptr
  // CHECK: store ptr %[[GRADIENTS]], ptr
  // CHECK: call i32 %
  // CHECK: call void @llvm.memcpy{{.*}}(ptr {{.*}}%[[B]], ptr {{.*}}%[[GRADIENTS]], i64 64, i1 false)
  // CHECK-NOT: call void @llvm.memcpy{{.*}}%[[GRADIENTS]],
  // CHECK: call void @llvm.memcpy{{.*}}(ptr {{.*}}%[[MOVED]], ptr {{.*}}%[[GRADIENTS]], i64 64, i1 false)
  func.func @train_gradients(%x: !x {nn.name = "x"}, %label: !label {nn.name = "label", nn.classes = 10},
                             %seed: tensor<2xi32> {nn.seed}) -> (tensor<f32> {nn.name = "loss"})
      attributes {nn.arenas = [],
                  nn.train = {name = "train", optimizer = "adam",
                              rate = ["epoch", 1.0, "less", 0.5, 0.25, "step", "mul", "select"], betas = [0.9, 0.999],
                              slots = 2, reduce_sum = false, batch = "mini", batch_size = 32}} {
    %average = nn.read @average : tensor<16xf32>
    %0 = nn.launch @elementwise0 [](%average) {places = [#nn.place<gradient 0>]} : (tensor<16xf32>) -> tensor<16xf32>
    nn.store_gradient @b, %0 : tensor<16xf32>
    nn.store_gradient @w, %0 : tensor<16xf32>
    nn.store @average, %0 : tensor<16xf32>
    %loss = nn.launch @reduce0 [](%average) {places = [#nn.place<output 0>]} : (tensor<16xf32>) -> tensor<f32>
    return %loss : tensor<f32>
  }

  // What is written in place is not copied; what is read again is set at the end.
  //
  // CHECK-LABEL: define internal i32 @train_train_update_run(ptr %0)
  // CHECK: %[[SLOT1:.+]] = getelementptr i8, ptr %[[SLOT0:.+]], i64 128
  // CHECK-COUNT-3: call i32 %
  // CHECK: call void @llvm.memcpy{{.*}}(ptr {{.*}}%[[SLOT0]], ptr {{.*}}%{{.+}}, i64 128, i1 false)
  // CHECK-NOT: llvm.memcpy
  // CHECK: ret i32 0
  func.func @train_update(%rate: tensor<f32> {nn.scalar = "rate"}, %scale: tensor<f32> {nn.scalar = "scale"},
                          %c0: tensor<f32> {nn.scalar = "correction0"}, %c1: tensor<f32> {nn.scalar = "correction1"})
      attributes {nn.arenas = [{unit = "1", bytes = 128}], nn.update = "train"} {
    %w = nn.flat weights : tensor<32xf32>
    %g = nn.flat gradients : tensor<32xf32>
    %m = nn.flat slot0 : tensor<32xf32>
    %v = nn.flat slot1 : tensor<32xf32>
    %0 = nn.launch @elementwise1 [](%m, %g) {places = [#nn.place<workspace 0>]} : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
    nn.store_flat slot0, %0 : tensor<32xf32>
    %1 = nn.launch @elementwise1 [](%v, %m) {places = [#nn.place<flat 3>]} : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
    nn.store_flat slot1, %1 : tensor<32xf32>
    %2 = nn.launch @elementwise1 [](%w, %0) {places = [#nn.place<flat 0>]} : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
    nn.store_flat weights, %2 : tensor<32xf32>
    return
  }
}

// if epoch < 1 then 0.5 else 0.25 * step
// CHECK-LABEL: define internal double @train_train_rate(double %0, double %1)
// CHECK: %[[EARLY:.+]] = fcmp olt double %1, 1.000000e+00
// CHECK: %[[LATER:.+]] = fmul double 2.500000e-01, %0
// CHECK: %[[RATE:.+]] = select i1 %[[EARLY]], double 5.000000e-01, double %[[LATER]]
// CHECK: ret double %[[RATE]]

// Each function hands the runtime the train block's number, and arrays.
//
// CHECK-LABEL: define i32 @train_train_step(ptr %0, i64 %1, ptr %2, ptr %3, ptr %4)
// CHECK: call i32 @nnc_train_step(ptr %0, i32 0, i64 %1, ptr null, ptr null, ptr %{{.+}})
// CHECK-LABEL: define i32 @train_train_gradients(ptr %0, i32 %1, i64 %2, ptr %3, ptr %4, ptr %5)
// CHECK: call i32 @nnc_train_gradients(ptr %0, i32 0, i32 %1, i64 %2, ptr null, ptr null, ptr %{{.+}})
// CHECK-LABEL: define i32 @train_train_update(ptr %0)
// CHECK: call i32 @nnc_train_update(ptr %0, i32 0)

// HEADER: #define TRAIN_X_SIZE 16 /* elements of one example of x */
// HEADER: #define TRAIN_LABEL_SIZE 1 /* elements of one example of label */
// HEADER-NOT: LOSS_SIZE
// HEADER-NOT: RATE_SIZE
// HEADER: NNC_API nnc_status train_infer(
// HEADER: NNC_API nnc_status train_training_create(nnc_model *model, int64_t max_batch, nnc_context **out_context);
// HEADER: /** Takes one step of adam on `batch` examples, in train block 0 of nnc/runtime.h. The loss is
// HEADER-NEXT:  * the mean of theirs; when it is not finite, NNC_NUMERIC, the weights stay as they were.
// HEADER:  * takes label [batch], numbers of 10 classes
// HEADER-NEXT:  * gives loss
// HEADER: NNC_API nnc_status train_train_step(nnc_context *context, int64_t batch, const float *x, const int32_t *label, float *loss);
// HEADER: NNC_API nnc_status train_train_gradients(nnc_context *context, int32_t accumulate, int64_t batch, const float *x, const int32_t *label, float *loss);
// HEADER: NNC_API nnc_status train_train_update(nnc_context *context);
