//===- CudaTest.cpp - What the runtime makes of a driver's errors ---------===//

#include "FakeCuda.h"
#include "FakeNetwork.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

using namespace nnc::test;
using testing::HasSubstr;

namespace {

int32_t launchKernel(const nnc_frame *frame) {
  static void *state;
  size_t sizes[] = {0};
  if (nnc_kernel_load(frame->tasks, &state, "PTX", 4) != 0)
    return 1;
  return nnc_kernel_run(frame->tasks, state, "kernel", 1, 1, 1, 32, 1, 1, 0, sizes, nullptr, nullptr) != 0;
}

/// A kernel that another one waits for, which the last one waits for, and one that waits for none.
int32_t launchInBranches(const nnc_frame *frame) {
  int32_t failed = 0;
  nnc_tasks *tasks = frame->tasks;
  nnc_device_join(tasks);
  nnc_device_branch(tasks, 0);
  failed |= launchKernel(frame);
  nnc_device_mark(tasks, 0);
  nnc_device_branch(tasks, 1);
  nnc_device_wait(tasks, 0);
  failed |= launchKernel(frame);
  nnc_device_mark(tasks, 1);
  nnc_device_branch(tasks, 2);
  failed |= launchKernel(frame);
  nnc_device_branch(tasks, 0);
  nnc_device_wait(tasks, 1);
  failed |= launchKernel(frame);
  nnc_device_join(tasks);
  return failed;
}

/// Three examples that take this many steps each: after those their flags are set.
int64_t endsOfExamples[3];
int64_t foundEnd, stepsTaken;

int32_t loopUntil(const nnc_frame *frame) {
  const int64_t trip = 11;
  int8_t flags[3];
  foundEnd = 0;
  for (stepsTaken = 0; stepsTaken < trip && foundEnd == 0;) {
    ++stepsTaken;
    for (int i = 0; i < 3; ++i)
      flags[i] = stepsTaken >= endsOfExamples[i];
    foundEnd = nnc_device_find_end(frame->tasks, flags, sizeof flags, stepsTaken, trip);
  }
  return 0;
}

/// The fake network for CUDA; `run` is what its first function does, where it is not what it does on the host.
class CudaTest : public testing::Test {
protected:
  CudaTest() {
    getFakeCuda() = FakeCuda();
    functions.assign(network.functions, network.functions + network.function_count);
    network.functions = functions.data();
    network.device = NNC_CUDA;
    network.isa_mask = 0;
  }

  FakeCuda &driver() { return getFakeCuda(); }
  void fail(const char *function, CudaError error) { driver().errors[function] = error; }

  /// Asserts that no model is made, for this reason.
  void expectNoModel(nnc_status status, const char *why, int32_t device = 0) {
    nnc_model_options options = {};
    options.device = device;
    nnc_model *model = nullptr;
    EXPECT_EQ(nnc_model_create(&network, &options, &model), status);
    EXPECT_EQ(model, nullptr);
    EXPECT_THAT(nnc_model_error(nullptr), HasSubstr(why));
    nnc_model_destroy(model);
  }

  nnc_status infer(const Context &context) {
    const int64_t batch = 2, length = 3;
    float x[6] = {1, 2, 3, 4, 5, 6};
    void *arguments[] = {x, y};
    return nnc_run(context.get(), Infer, batch, &length, nullptr, arguments);
  }

  nnc_network network = getFakeNetwork();
  std::vector<nnc_function> functions;
  float y[6] = {};
};

TEST_F(CudaTest, RunsAndRecords) {
  Model model = makeModel(network);
  Context context = makeContext(model);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
  EXPECT_EQ(driver().calls["cuStreamBeginCapture_v2"], 1);
  EXPECT_EQ(driver().calls["cuGraphLaunch"], 2);
}

TEST_F(CudaTest, RecordsBranches) {
  functions[Infer].run = launchInBranches;
  {
    Model model = makeModel(network);
    Context context = makeContext(model);
    EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
    EXPECT_EQ(driver().calls["cuStreamWaitEvent"], 0) << "without a graph all is in order";
    EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
    int own = driver().streams - 7; // as many as there are branches beside it
    std::string first = std::to_string(own) + " ", second = std::to_string(own + 1) + " ",
                third = std::to_string(own + 2) + " ";
    // Event 1 is where branches begin; 4 and 5 are where two of them end.
    EXPECT_THAT(driver().work, testing::ElementsAre(first + "marks 1", first + "runs", first + "marks 2", //
                                                    second + "waits for 1", second + "waits for 2", second + "runs",
                                                    second + "marks 3",                    //
                                                    third + "waits for 1", third + "runs", //
                                                    first + "waits for 3", first + "runs", //
                                                    second + "marks 4", first + "waits for 4", third + "marks 5",
                                                    first + "waits for 5", first + "marks 1"));
    EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
    EXPECT_EQ(driver().calls["cuGraphLaunch"], 2);
  }
  EXPECT_EQ(driver().streams, 0);
  EXPECT_EQ(driver().events, 0);
}

TEST_F(CudaTest, RunsInOrderWhereNoBranchesCanBeMade) {
  functions[Infer].run = launchInBranches;
  for (const char *function : {"cuStreamCreate", "cuEventCreate", "cuEventRecord", "cuStreamWaitEvent"}) {
    driver() = FakeCuda();
    bool makes = function == std::string("cuStreamCreate");
    Model model = makeModel(network);
    Context context = makeContext(model);
    for (int i = 0; i < 3; ++i) {
      driver().errors = {{function, OutOfMemory}};
      driver().calls.clear();
      EXPECT_EQ(infer(context), NNC_OK) << function << ": " << nnc_context_error(context.get());
    }
    EXPECT_EQ(driver().calls["cuGraphLaunch"], makes) << function;
    EXPECT_EQ(driver().calls["cuLaunchKernel"], makes ? 0 : 4) << function;
    EXPECT_EQ(driver().calls["cuStreamWaitEvent"], 0) << function;
  }
}

TEST_F(CudaTest, SaysThatADriverCannotBeUsed) {
  driver().devices = 0;
  expectNoModel(NNC_UNSUPPORTED, "the CUDA driver finds no device");
  fail("cuDeviceGetCount", NoDevice);
  expectNoModel(NNC_UNSUPPORTED, "the CUDA driver finds no device: no CUDA-capable device is detected");
}

TEST_F(CudaTest, SaysWhichDevicesThereAre) {
  driver().devices = 2;
  expectNoModel(NNC_INVALID_ARGUMENT, "options->device is 2, but there are 2 CUDA devices", 2);
  expectNoModel(NNC_INVALID_ARGUMENT, "options->device is -1: it must be 0 to", -1);
}

TEST_F(CudaTest, SaysThatADeviceCannotBeUsed) {
  fail("cuDevicePrimaryCtxRetain", OutOfMemory);
  expectNoModel(NNC_OUT_OF_MEMORY, "CUDA device 0 cannot be used: out of memory");
  fail("cuDevicePrimaryCtxRetain", LaunchFailed);
  expectNoModel(NNC_DEVICE_ERROR, "CUDA device 0 cannot be used: unspecified launch failure");
}

TEST_F(CudaTest, SaysThatMemoryIsShort) {
  fail("cuMemAlloc_v2", OutOfMemory);
  expectNoModel(NNC_OUT_OF_MEMORY, "Fake GPU has no ");
  driver().errors.clear();
  Model model = makeModel(network);
  const int64_t length = 8;
  for (const char *function : {"cuMemAlloc_v2", "cuMemAllocHost_v2"}) {
    driver().errors = {{function, OutOfMemory}};
    nnc_context *context = nullptr;
    EXPECT_EQ(nnc_context_create(model.get(), nullptr, 4, &length, &context), NNC_OUT_OF_MEMORY);
    EXPECT_EQ(context, nullptr);
    EXPECT_THAT(nnc_model_error(model.get()), HasSubstr("Fake GPU has no "));
  }
}

TEST_F(CudaTest, SaysThatKernelsAreForAnotherDevice) {
  functions[Infer].run = launchKernel;
  Model model = makeModel(network);
  Context context = makeContext(model);
  fail("cuModuleLoadDataEx", NoBinaryForGpu);
  EXPECT_EQ(infer(context), NNC_UNSUPPORTED);
  EXPECT_THAT(nnc_context_error(context.get()),
              HasSubstr("Fake GPU: the library has no kernels for sm_72: no kernel image "
                        "is available for execution on the device"));
  fail("cuModuleLoadDataEx", LaunchFailed);
  driver().log = "ptxas: line 7 is wrong";
  EXPECT_EQ(infer(context), NNC_DEVICE_ERROR);
  EXPECT_THAT(nnc_context_error(context.get()), HasSubstr("ptxas: line 7 is wrong: unspecified launch failure"));
  driver().errors.clear();
  EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
}

TEST_F(CudaTest, SaysThatALaunchFails) {
  functions[Infer].run = launchKernel;
  Model model = makeModel(network);
  Context context = makeContext(model);
  fail("cuLaunchKernel", LaunchFailed);
  EXPECT_EQ(infer(context), NNC_DEVICE_ERROR);
  EXPECT_THAT(nnc_context_error(context.get()), HasSubstr("Fake GPU: launching a kernel: unspecified launch failure"));
  driver().errors.clear();
  EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
}

TEST_F(CudaTest, SaysThatKernelsFail) {
  Model model = makeModel(network);
  Context context = makeContext(model);
  for (int call = 0; call < 3; ++call) { // directly, where a graph is recorded, and where it is replayed
    driver().errors.clear();
    fail("cuStreamSynchronize", IllegalAddress);
    EXPECT_EQ(infer(context), NNC_DEVICE_ERROR);
    EXPECT_THAT(nnc_context_error(context.get()),
                HasSubstr("Fake GPU: running kernels: an illegal memory access was encountered"));
  }
}

TEST_F(CudaTest, RunsWithoutGraphsWhereNoneCanBeMade) {
  Model model = makeModel(network);
  Context context = makeContext(model);
  fail("cuGraphInstantiateWithFlags", InvalidPtx);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
  EXPECT_EQ(driver().calls["cuGraphLaunch"], 0);
}

TEST_F(CudaTest, LooksEveryFewStepsWhetherALoopHasEnded) {
  functions[Infer].run = loopUntil;
  functions[Infer].flags |= NNC_FUNCTION_LOOKS;
  Model model = makeModel(network);
  Context context = makeContext(model);
  auto run = [&](int64_t first, int64_t second, int64_t third) {
    std::tie(endsOfExamples[0], endsOfExamples[1], endsOfExamples[2]) = std::tie(first, second, third);
    driver().calls.clear();
    EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
  };
  run(1, 1, 1);
  EXPECT_EQ(foundEnd, 1);
  EXPECT_EQ(stepsTaken, 4);
  run(2, 6, 5);
  EXPECT_EQ(foundEnd, 6);
  EXPECT_EQ(stepsTaken, 8);
  run(3, 10, 2); // within the last steps, which are fewer
  EXPECT_EQ(foundEnd, 10);
  EXPECT_EQ(stepsTaken, 11);
  run(3, 40, 2);
  EXPECT_EQ(foundEnd, 0);
  EXPECT_EQ(stepsTaken, 11);
  EXPECT_EQ(driver().calls["cuStreamBeginCapture_v2"], 0) << "the host waits while such a function runs";
}

TEST_F(CudaTest, EndsALoopWhereTheDeviceFails) {
  functions[Infer].run = loopUntil;
  functions[Infer].flags |= NNC_FUNCTION_LOOKS;
  Model model = makeModel(network);
  Context context = makeContext(model);
  endsOfExamples[0] = 40;
  EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
  fail("cuStreamSynchronize", IllegalAddress);
  EXPECT_EQ(infer(context), NNC_DEVICE_ERROR);
  EXPECT_EQ(stepsTaken, 4);
  driver().errors.clear();
  EXPECT_EQ(infer(context), NNC_OK) << nnc_context_error(context.get());
  EXPECT_EQ(stepsTaken, 11);
}

} // namespace
