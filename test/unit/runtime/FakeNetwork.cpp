//===- FakeNetwork.cpp - A network written by hand ------------------------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace nnc::test;

std::atomic<int> nnc::test::prepareCount;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

static const int64_t kernelShape[] = {20, 6}, biasShape[] = {20}, convShape[] = {3, 3, 2, 5}, swappedShape[] = {7, 9},
                     tallShape[] = {8, 4}, wideShape[] = {4, 8}, manyShape[] = {40, 1000};

// Rows in panels of 16, the last of which is padded.
static const nnc_storage_dim kernelStorage[] = {{0, 16, 2}, {1, 1, 6}, {0, 1, 16}};
static const nnc_storage_dim biasStorage[] = {{0, 1, 20}};
// Output channels in blocks of 4, outermost.
static const nnc_storage_dim convStorage[] = {{3, 4, 2}, {0, 1, 3}, {1, 1, 3}, {2, 1, 2}, {3, 1, 4}};
// Column by column.
static const nnc_storage_dim swappedStorage[] = {{1, 1, 9}, {0, 1, 7}};
static const nnc_storage_dim tallStorage[] = {{0, 1, 8}, {1, 1, 4}};
static const nnc_storage_dim wideStorage[] = {{0, 1, 4}, {1, 4, 2}, {1, 1, 4}};
static const nnc_storage_dim manyStorage[] = {{0, 1, 40}, {1, 1, 1000}};

/// Where each weight lies: one after the other, in multiples of 64 bytes.
enum Offset : int64_t {
  KernelAt = 0,
  BiasAt = KernelAt + 768,
  ConvAt = BiasAt + 128,
  SwappedAt = ConvAt + 576,
  StartAt = SwappedAt + 256,
  MeanAt = StartAt + 64,
  TallAt = MeanAt + 128,
  WideAt = TallAt + 128,
  NormalAt = WideAt + 128,
  UniformAt = NormalAt + 160000,
  GlorotAt = UniformAt + 160000,
  WeightsEnd = GlorotAt + 160000
};

static const nnc_weight weights[] = {
    {"dense.kernel", kernelShape, kernelStorage, KernelAt, 768, 0, 0, 6, 20, 2, 3, NNC_INIT_GLOROT, 1},
    {"dense.bias", biasShape, biasStorage, BiasAt, 80, 0.5, 0, 0, 0, 1, 1, NNC_INIT_CONSTANT, 1},
    {"conv.kernel", convShape, convStorage, ConvAt, 576, 0, 0, 18, 45, 4, 5, NNC_INIT_HE, 1},
    {"swapped", swappedShape, swappedStorage, SwappedAt, 252, 0, 1, 0, 0, 2, 2, NNC_INIT_UNIFORM, 1},
    {"start", nullptr, nullptr, StartAt, 4, 0, 0, 0, 0, 0, 0, NNC_INIT_CONSTANT, 1},
    {"mean", biasShape, biasStorage, MeanAt, 80, 0, 0, 0, 0, 1, 1, NNC_INIT_CONSTANT, 0},
    {"tall", tallShape, tallStorage, TallAt, 128, 0, 0, 0, 0, 2, 2, NNC_INIT_ORTHOGONAL, 1},
    {"wide", wideShape, wideStorage, WideAt, 128, 0, 0, 0, 0, 2, 3, NNC_INIT_ORTHOGONAL, 1},
    {"normal", manyShape, manyStorage, NormalAt, 160000, 0.25, 0, 0, 0, 2, 2, NNC_INIT_NORMAL, 1},
    {"uniform", manyShape, manyStorage, UniformAt, 160000, -2, 6, 0, 0, 2, 2, NNC_INIT_UNIFORM, 1},
    {"glorot", manyShape, manyStorage, GlorotAt, 160000, 0, 0, 100, 50, 2, 2, NNC_INIT_GLOROT, 1},
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

static void planInfer(const int64_t *dims, int64_t *offsets) {
  offsets[0] = 0;
  offsets[1] = dims[0] * 64;
  // Values so large that no product of them fits, as the compiler's plans say.
  offsets[2] = dims[0] > 1000000 ? -1 : offsets[1] + dims[0] * dims[1] * 64;
}

static void planNothing(const int64_t *, int64_t *offsets) { offsets[0] = 0; }

/// One example, by way of both buffers of the workspace.
static int inferExample(void *, int example, uint8_t *closure) {
  const nnc_frame &frame = *reinterpret_cast<const nnc_frame *>(closure);
  int64_t length = frame.dims[1], own = frame.ragged[0][example];
  const float *x = static_cast<const float *>(frame.arguments[0]) + example * length;
  float *y = static_cast<float *>(frame.arguments[1]) + example * length;
  auto *factor = reinterpret_cast<float *>(frame.workspace + frame.offsets[0] + example * 64);
  *factor = *reinterpret_cast<float *>(frame.prepared);
  for (int64_t t = 0; t < length; ++t) {
    auto *product = reinterpret_cast<float *>(frame.workspace + frame.offsets[1] + (example * length + t) * 64);
    *product = *factor * x[t];
    y[t] = t < own ? *product : 0;
  }
  return 0;
}

static int32_t runInfer(const nnc_frame *frame) {
  frame->tasks->work = 1000000;
  auto *closure = reinterpret_cast<uint8_t *>(const_cast<nnc_frame *>(frame));
  return nnc_kernel_parallel_for(frame->tasks, inferExample, 0, static_cast<int>(frame->dims[0]), closure);
}

static int32_t runStep(const nnc_frame *frame) {
  auto *total = reinterpret_cast<float *>(frame->state);
  for (int64_t example = 0; example < frame->dims[0]; ++example) {
    total[example] += static_cast<const float *>(frame->arguments[0])[example] * static_cast<float>(frame->dims[1]);
    static_cast<float *>(frame->arguments[1])[example] = total[example];
  }
  return 0;
}

static int32_t runFail(const nnc_frame *frame) {
  return static_cast<int32_t>(*static_cast<const float *>(frame->arguments[0]));
}

static int32_t prepare(const nnc_frame *frame) {
  ++prepareCount;
  auto *twice = reinterpret_cast<float *>(frame->workspace);
  *twice = 2 * *reinterpret_cast<float *>(frame->weights + BiasAt);
  std::memcpy(frame->prepared, twice, sizeof *twice);
  return 0;
}

static int64_t getStateSize(const int64_t *dims) { return dims[0] * 4; }

static int32_t reset(const nnc_frame *frame) {
  for (int64_t example = 0; example < frame->dims[0]; ++example)
    std::memcpy(frame->state + 4 * example, frame->weights + StartAt, 4);
  return 0;
}

//===----------------------------------------------------------------------===//
// The network
//===----------------------------------------------------------------------===//

static const nnc_argument arguments[] = {{"x", 0, 0}, {"y", 1, 0}};
static const nnc_function functions[] = {
    {"infer", arguments, 2, 0, planInfer, 2, runInfer},
    {"step", arguments, 2, NNC_FUNCTION_STEP, planNothing, 0, runStep},
    {"fail", arguments, 1, 0, planNothing, 0, runFail},
};
static const char *const freeDimNames[] = {"T"};
static const int64_t freeDimBounds[] = {maxT};
static const char *const errors[] = {"dense (fake.nn:7): failed"};

const nnc_network &nnc::test::getFakeNetwork() {
  static const nnc_network network = {NNC_NETWORK_VERSION,
                                      1 << NNC_ISA_AVX2 | 1 << NNC_ISA_AVX512,
                                      "fake",
                                      "nnc 1.0.0",
                                      weights,
                                      sizeof weights / sizeof *weights,
                                      1,
                                      freeDimNames,
                                      freeDimBounds,
                                      functions,
                                      3,
                                      0,
                                      WeightsEnd,
                                      64,
                                      prepare,
                                      64,
                                      getStateSize,
                                      reset,
                                      nullptr,
                                      0,
                                      errors};
  return network;
}

int64_t nnc::test::countElements(const nnc_network &network) {
  int64_t count = 0;
  for (int32_t i = 0; i < nnc_weight_count(&network); ++i) {
    nnc_weight_info info;
    EXPECT_EQ(nnc_weight_at(&network, i, &info), NNC_OK);
    count += info.count;
  }
  return count;
}

//===----------------------------------------------------------------------===//
// Making things
//===----------------------------------------------------------------------===//

Model nnc::test::makeModel(const nnc_network &network, uint64_t seed) {
  nnc_model_options options = {};
  options.seed = seed;
  nnc_model *model = nullptr;
  EXPECT_EQ(nnc_model_create(&network, &options, &model), NNC_OK);
  return Model(model);
}

Context nnc::test::makeContext(const Model &model, int64_t maxBatch, int64_t maxLength) {
  nnc_context *context = nullptr;
  EXPECT_EQ(nnc_context_create(model.get(), nullptr, maxBatch, &maxLength, &context), NNC_OK)
      << nnc_model_error(model.get());
  return Context(context);
}

std::vector<float> nnc::test::readWeight(const Model &model, const std::string &name) {
  for (int32_t i = 0; i < nnc_weight_count(&getFakeNetwork()); ++i) {
    nnc_weight_info info;
    nnc_weight_at(&getFakeNetwork(), i, &info);
    if (name != info.name)
      continue;
    std::vector<float> values(info.count);
    EXPECT_EQ(nnc_weight_read(model.get(), info.name, values.data(), info.count), NNC_OK);
    return values;
  }
  ADD_FAILURE() << "no weight " << name;
  return {};
}

std::vector<float> nnc::test::readWeights(const Model &model) {
  std::vector<float> values;
  for (const nnc_weight &weight : weights) {
    std::vector<float> part = readWeight(model, weight.name);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}
