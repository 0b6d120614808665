//===- LibraryTest.cpp - A compiled network as a learner ------------------===//
//
// The network is written by hand: what nnc would write for
//
//   input x[T <= 8]; output y; y = a * sum(x) + b
//   train: label wanted, loss the squared difference, momentum
//
//===----------------------------------------------------------------------===//

#include "tools/trainer/Library.h"
#include "Files.h"

#include <nnc/network.h>

#include <gtest/gtest.h>

#include <cmath>

using namespace nnc::test;
using namespace nnc::trainer;

//===----------------------------------------------------------------------===//
// The network
//===----------------------------------------------------------------------===//

/// Both weights are scalars, in 64 bytes each.
enum Offset { AAt = 0, BAt = 64, End = 128 };

static float &at(char *memory, Offset offset) { return *reinterpret_cast<float *>(memory + offset); }

static float sumOf(const nnc_frame *frame, int64_t example) {
  const float *x = static_cast<const float *>(frame->arguments[0]) + example * frame->dims[1];
  float sum = 0;
  for (int32_t t = 0; t < frame->ragged[0][example]; ++t)
    sum += x[t];
  return sum;
}

static int32_t runInfer(const nnc_frame *frame) {
  for (int64_t i = 0; i < frame->dims[0]; ++i)
    static_cast<float *>(frame->arguments[1])[i] = at(frame->weights, AAt) * sumOf(frame, i) + at(frame->weights, BAt);
  return 0;
}

static int32_t runGradients(const nnc_frame *frame) {
  float loss = 0, a = 0, b = 0;
  for (int64_t i = 0; i < frame->dims[0]; ++i) {
    float sum = sumOf(frame, i), answer = at(frame->weights, AAt) * sum + at(frame->weights, BAt);
    float difference = answer - static_cast<const float *>(frame->arguments[1])[i];
    loss += difference * difference;
    a += 2 * difference * sum;
    b += 2 * difference;
  }
  at(frame->gradients, AAt) = a;
  at(frame->gradients, BAt) = b;
  *static_cast<float *>(frame->arguments[2]) = loss / static_cast<float>(frame->dims[0]);
  return 0;
}

static int32_t runUpdate(const nnc_frame *frame) {
  float rate = *static_cast<float *>(frame->arguments[0]), scale = *static_cast<float *>(frame->arguments[1]);
  for (Offset offset : {AAt, BAt}) {
    float &velocity = at(frame->slots, offset);
    velocity = 0.5f * velocity + at(frame->gradients, offset) * scale;
    at(frame->weights, offset) -= rate * velocity;
  }
  return 0;
}

static const nnc_network &getNetwork() {
  static const nnc_extent sequence[] = {{0, 0, 0, 1}, {1, 0, 0, 1}}, single[] = {{0, 0, 0, 1}};
  static const nnc_argument inferArguments[] = {{"x", sequence, 0, 2, 0, NNC_FLOAT}, {"y", single, 0, 1, 1, NNC_FLOAT}};
  static const nnc_argument gradientArguments[] = {{"x", sequence, 0, 2, 0, NNC_FLOAT},
                                                   {"wanted", single, 0, 1, 0, NNC_FLOAT},
                                                   {"loss", nullptr, 0, 0, 1, NNC_FLOAT}};
  static const nnc_argument updateArguments[] = {{"rate", nullptr, 0, 0, 0, NNC_FLOAT},
                                                 {"scale", nullptr, 0, 0, 0, NNC_FLOAT}};
  static const auto plan = [](const int64_t *, int64_t *offsets) { offsets[0] = 0; };
  static const nnc_function functions[] = {
      {"infer", inferArguments, 2, 0, plan, 0, runInfer},
      {"train_gradients", gradientArguments, 3, NNC_FUNCTION_GRADIENTS, plan, 0, runGradients},
      {"train_update", updateArguments, 2, NNC_FUNCTION_UPDATE, plan, 0, runUpdate}};
  static const nnc_weight weights[] = {
      {"a", nullptr, nullptr, AAt, 4, 0, 0, 0, 0, 0, 0, NNC_INIT_CONSTANT, 1},
      {"b", nullptr, nullptr, BAt, 4, 0, 0, 0, 0, 0, 0, NNC_INIT_CONSTANT, 1},
  };
  static const char *const dims[] = {"T"};
  static const int64_t bounds[] = {8};
  static const nnc_network network = [] {
    static nnc_train train = {};
    train.name = "train";
    train.optimizer = "momentum";
    train.gradients = 1;
    train.update = 2;
    train.slot_count = 1;
    train.batch = NNC_BATCH_MINI;
    train.batch_size = 4;
    train.rate = [](double step, double epoch) { return 0.1 / (1 + 0.5 * epoch) + 0 * step; };
    nnc_network result = {};
    result.version = NNC_NETWORK_VERSION;
    result.isa_mask = 1 << NNC_ISA_AVX2;
    result.name = "sums";
    result.weights = weights;
    result.weight_count = 2;
    result.weights_size = result.trainable_size = End;
    result.free_dim_count = 1;
    result.free_dim_names = dims;
    result.free_dim_bounds = bounds;
    result.functions = functions;
    result.function_count = 3;
    result.trains = &train;
    result.train_count = 1;
    return result;
  }();
  return network;
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

namespace {

class LibraryTest : public testing::Test {
protected:
  void SetUp() override {
    library = llvm::cantFail(Library::describe(&getNetwork(), ""));
    // Sequences of 0 to 3 steps; y = 2 * sum(x) - 1.
    writeTensors(folder / "set", {{"x", {{6}, Floats{1, 0.5f, 0.5f, -1, 1, 0.5f}}},
                                  {"T.lengths", {{4}, Ints{1, 2, 0, 3}}},
                                  {"wanted", {{4}, Floats{1, 1, -1, 0}}}});
    set = llvm::cantFail(DataSet::read(folder / "set", library.getSignature()));
    learner = makeLearner();
    batch.fill(set, {0, 1, 2, 3});
  }

  std::unique_ptr<Learner> makeLearner(llvm::StringRef weights = "") {
    return llvm::cantFail(library.makeLearner(4, set.getLongest(), 0, weights));
  }

  float infer(Learner &learner, size_t example) {
    Outputs outputs;
    llvm::cantFail(learner.infer(batch, outputs));
    return reinterpret_cast<const float *>(outputs[0].data())[example];
  }

  Folder folder;
  Library library = llvm::cantFail(Library::describe(&getNetwork(), ""));
  DataSet set;
  std::unique_ptr<Learner> learner;
  Batch batch;
};

} // namespace

TEST_F(LibraryTest, SaysWhatTheNetworkTakes) {
  const Signature &signature = library.getSignature();
  EXPECT_EQ(signature.network, "sums");
  EXPECT_EQ(signature.train, "train");
  EXPECT_EQ(signature.optimizer, "momentum");
  EXPECT_EQ(signature.batch, BatchKind::Mini);
  EXPECT_EQ(signature.batchSize, 4);
  ASSERT_EQ(signature.freeDims.size(), 1u);
  EXPECT_EQ(signature.freeDims[0].bound, 8);
  ASSERT_EQ(signature.inputs.size(), 1u);
  EXPECT_EQ(signature.inputs[0].shape, (std::vector<Dim>{Dim{0, 0, 0, 1}})) << "the batch is not part of an example";
  ASSERT_EQ(signature.labels.size(), 1u);
  EXPECT_EQ(signature.labels[0].name, "wanted");
  ASSERT_EQ(signature.outputs.size(), 1u) << "the loss is no output of the network";
  EXPECT_EQ(library.getParameterCount(), 2);
}

TEST_F(LibraryTest, LearnsFromSequencesOfTheirOwnLengths) {
  float first = llvm::cantFail(learner->step(batch)), last = 0;
  EXPECT_EQ(first, 0.75f) << "of three in four the answer 0 is 1 away";
  for (int i = 0; i < 200; ++i)
    last = llvm::cantFail(learner->step(batch));
  EXPECT_LT(last, 1e-6f);
  EXPECT_EQ(learner->getStep(), 201);
  EXPECT_NEAR(infer(*learner, 0), 1, 1e-3);
  EXPECT_NEAR(infer(*learner, 2), -1, 1e-3) << "an empty sequence";
}

// Four examples at once, or two and two: the same step.
TEST_F(LibraryTest, AddsGradients) {
  llvm::cantFail(learner->step(batch));
  std::unique_ptr<Learner> other = makeLearner();
  Batch half;
  half.fill(set, {0, 1});
  llvm::cantFail(other->addGradients(half, false));
  half.fill(set, {2, 3});
  llvm::cantFail(other->addGradients(half, true));
  llvm::cantFail(other->update());
  EXPECT_EQ(other->getStep(), 1);
  for (size_t example : {0, 1, 2, 3})
    EXPECT_FLOAT_EQ(infer(*other, example), infer(*learner, example));
}

TEST_F(LibraryTest, RateFollowsTheEpoch) {
  EXPECT_EQ(learner->getRate(), 0.1);
  llvm::cantFail(learner->setEpoch(2));
  EXPECT_EQ(learner->getEpoch(), 2);
  EXPECT_EQ(learner->getRate(), 0.05);
}

// With the momentum, not the weights alone.
TEST_F(LibraryTest, GoesOnFromACheckpoint) {
  for (int i = 0; i < 3; ++i)
    llvm::cantFail(learner->step(batch));
  llvm::cantFail(learner->save(folder / "checkpoint"));
  llvm::cantFail(learner->saveWeights(folder / "weights"));
  std::unique_ptr<Learner> resumed = makeLearner(), restarted = makeLearner(folder / "weights");
  llvm::cantFail(resumed->load(folder / "checkpoint"));
  EXPECT_EQ(resumed->getStep(), 3);
  EXPECT_EQ(infer(*resumed, 0), infer(*learner, 0));
  EXPECT_EQ(infer(*restarted, 0), infer(*learner, 0));
  for (Learner *one : {learner.get(), resumed.get(), restarted.get()})
    llvm::cantFail(one->step(batch));
  EXPECT_EQ(infer(*resumed, 0), infer(*learner, 0));
  EXPECT_NE(infer(*restarted, 0), infer(*learner, 0));
}

TEST_F(LibraryTest, SaysWhyALossIsNotFinite) {
  static_cast<float *>(batch.getData(1))[0] = INFINITY;
  float before = infer(*learner, 0);
  std::string error = getError(learner->step(batch));
  EXPECT_EQ(error.find("a value is not finite"), 0u) << error;
  EXPECT_EQ(infer(*learner, 0), before);
  EXPECT_EQ(learner->getStep(), 0);
}

TEST_F(LibraryTest, NamesFilesAndBlocksThatAreMissing) {
  EXPECT_EQ(getError(Library::describe(&getNetwork(), "other")),
            "network sums has no train block other; there are: train");
  std::string error = llvm::toString(learner->load(folder / "none"));
  EXPECT_NE(error.find(folder / "none"), std::string::npos) << error;
  nnc_network bare = getNetwork();
  bare.train_count = 0;
  EXPECT_EQ(getError(Library::describe(&bare, "")), "network sums has no train block");
  EXPECT_NE(getError(Library::open(folder / "none.so", "", "", 0)).find("none.so"), std::string::npos);
}
