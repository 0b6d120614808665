//===- FakeNetwork.cpp - A network written by hand ------------------------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <cmath>
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

/// Where each weight lies: one after the other, in multiples of 64 bytes, what is
/// not trained last.
enum Offset : int64_t {
  KernelAt = 0,
  BiasAt = KernelAt + 768,
  ConvAt = BiasAt + 128,
  SwappedAt = ConvAt + 576,
  StartAt = SwappedAt + 256,
  TallAt = StartAt + 64,
  WideAt = TallAt + 128,
  NormalAt = WideAt + 128,
  UniformAt = NormalAt + 160000,
  GlorotAt = UniformAt + 160000,
  MeanAt = GlorotAt + 160000,
  WeightsEnd = MeanAt + 128
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
// Training
//===----------------------------------------------------------------------===//

static float *floatsAt(char *memory, int64_t offset) { return reinterpret_cast<float *>(memory + offset); }

static int32_t runGradients(const nnc_frame *frame) {
  const int64_t batch = frame->dims[0], length = frame->dims[1];
  const auto *x = static_cast<const float *>(frame->arguments[0]);
  const auto *label = static_cast<const int32_t *>(frame->arguments[1]);
  const float *bias = floatsAt(frame->weights, BiasAt);
  float *gradient = floatsAt(frame->gradients, BiasAt), *mean = floatsAt(frame->gradients, MeanAt);
  float loss = 0, sum = 0;
  for (const nnc_weight &weight : weights)
    if (weight.trainable)
      std::memset(frame->gradients + weight.offset, 0, weight.size);
  for (int64_t example = 0; example < batch; ++example)
    for (int64_t t = 0; t < frame->ragged[0][example]; ++t) {
      const int64_t i = example * length + t;
      const float distance = bias[label[i]] - x[i];
      loss += distance * distance;
      gradient[label[i]] += 2 * distance;
      sum += x[i];
    }
  *floatsAt(frame->gradients, StartAt) = static_cast<float>(frame->seed[0] & 0xff);
  *mean = *mean / 2 + sum;
  *static_cast<float *>(frame->arguments[2]) = loss / static_cast<float>(batch);
  return 0;
}

static int32_t runTotalGradients(const nnc_frame *frame) {
  runGradients(frame);
  *static_cast<float *>(frame->arguments[2]) *= static_cast<float>(frame->dims[0]);
  return 0;
}

static float getNumber(const nnc_frame *frame, int index) { return *static_cast<float *>(frame->arguments[index]); }

static int32_t runMomentum(const nnc_frame *frame) {
  float *weights = floatsAt(frame->weights, 0), *slot = floatsAt(frame->slots, 0);
  const float *gradients = floatsAt(frame->gradients, 0);
  for (int64_t i = (BiasAt + 80) / 4; i < ConvAt / 4; ++i)
    if (gradients[i] != 0)
      return 2;
  for (int64_t i = 0; i < MeanAt / 4; ++i) {
    slot[i] = slot[i] / 2 + gradients[i] * getNumber(frame, 1);
    weights[i] -= getNumber(frame, 0) * slot[i];
  }
  return 0;
}

static int32_t runAdam(const nnc_frame *frame) {
  float *weights = floatsAt(frame->weights, 0);
  float *slot0 = floatsAt(frame->slots, 0), *slot1 = floatsAt(frame->slots, MeanAt);
  const float *gradients = floatsAt(frame->gradients, 0);
  for (int64_t i = 0; i < MeanAt / 4; ++i) {
    const float gradient = gradients[i] * getNumber(frame, 1);
    slot0[i] = slot0[i] / 2 + gradient / 2;
    slot1[i] = slot1[i] * 3 / 4 + gradient * gradient / 4;
    const float deviation = std::sqrt(slot1[i] / getNumber(frame, 3)) + 1;
    weights[i] -= getNumber(frame, 0) * slot0[i] / getNumber(frame, 2) / deviation;
  }
  return 0;
}

static double getRate(double step, double epoch) { return (step < 2 ? 0.5 : 0.25) / (1 + epoch); }
static double getFixedRate(double, double) { return 0.125; }

//===----------------------------------------------------------------------===//
// The network
//===----------------------------------------------------------------------===//

static const nnc_extent sequence[] = {{0, 0, 0, 1}, {1, 0, 0, 1}};
static const nnc_argument arguments[] = {{"x", sequence, 0, 2, 0, NNC_FLOAT}, {"y", sequence, 0, 2, 1, NNC_FLOAT}};
static const nnc_argument trainArguments[] = {{"x", sequence, 0, 2, 0, NNC_FLOAT},
                                              {"label", sequence, 20, 2, 0, NNC_CLASS},
                                              {"loss", nullptr, 0, 0, 1, NNC_FLOAT}};
static const nnc_argument numbers[] = {{"rate", nullptr, 0, 0, 0, NNC_FLOAT},
                                       {"scale", nullptr, 0, 0, 0, NNC_FLOAT},
                                       {"correction0", nullptr, 0, 0, 0, NNC_FLOAT},
                                       {"correction1", nullptr, 0, 0, 0, NNC_FLOAT}};
static const nnc_function functions[] = {
    {"infer", arguments, 2, 0, planInfer, 2, runInfer},
    {"step", arguments, 2, NNC_FUNCTION_STEP, planNothing, 0, runStep},
    {"fail", arguments, 1, 0, planNothing, 0, runFail},
    {"train_gradients", trainArguments, 3, NNC_FUNCTION_GRADIENTS, planNothing, 0, runGradients},
    {"train_update", numbers, 2, NNC_FUNCTION_UPDATE, planNothing, 0, runMomentum},
    {"whole_gradients", trainArguments, 3, NNC_FUNCTION_GRADIENTS, planNothing, 0, runTotalGradients},
    {"whole_update", numbers, 4, NNC_FUNCTION_UPDATE, planNothing, 0, runAdam},
};
static const double betas[] = {0.5, 0.75};
static const nnc_train trains[] = {
    {"train", "momentum", TrainGradients, TrainUpdate, 1, 0, NNC_BATCH_MINI, 4, getRate, nullptr, 0, 0, 0},
    {"whole", "adam", WholeGradients, WholeUpdate, 2, 1, NNC_BATCH_FULL, 0, getFixedRate, betas, 2, 0, 0},
};
static const char *const freeDimNames[] = {"T"};
static const int64_t freeDimBounds[] = {maxT};
static const char *const errors[] = {"dense (fake.nn:7): failed", "padding is not 0"};

const nnc_network &nnc::test::getFakeNetwork() {
  static const nnc_network network = {NNC_NETWORK_VERSION,
                                      1 << NNC_ISA_AVX2 | 1 << NNC_ISA_AVX512,
                                      NNC_HOST,
                                      0,
                                      "fake",
                                      "nnc 1.0.0",
                                      weights,
                                      sizeof weights / sizeof *weights,
                                      1,
                                      freeDimNames,
                                      freeDimBounds,
                                      functions,
                                      sizeof functions / sizeof *functions,
                                      sizeof trains / sizeof *trains,
                                      trains,
                                      WeightsEnd,
                                      MeanAt,
                                      64,
                                      prepare,
                                      64,
                                      getStateSize,
                                      reset,
                                      nullptr,
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

Context nnc::test::makeTraining(const Model &model, int64_t maxBatch, int64_t maxLength) {
  nnc_context *context = nullptr;
  EXPECT_EQ(nnc_training_create(model.get(), nullptr, maxBatch, &maxLength, &context), NNC_OK)
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
