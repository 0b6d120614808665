//===- TrainerTest.cpp - The loop of training -----------------------------===//
//
// Trains a line, y = a * x + b, by momentum, so that a run that is resumed needs
// more than the weights to give the same bits.
//
//===----------------------------------------------------------------------===//

#include "tools/trainer/Trainer.h"
#include "Files.h"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>

using namespace nnc::test;
using namespace nnc::trainer;
using llvm::Error;
using llvm::Expected;

namespace {

/// What a checkpoint holds.
struct State {
  float weights[2] = {0, 0}, velocity[2] = {0, 0};
  int64_t step = 0, epoch = 0;
};

class Line : public Learner {
public:
  Line() {
    signature.network = "line";
    signature.train = "train";
    signature.inputs = {makeArgument("x", {})};
    signature.labels = {makeArgument("wanted", {})};
    signature.outputs = {makeArgument("y", {})};
    signature.batchSize = 4;
  }

  const Signature &getSignature() const override { return signature; }

  Expected<float> step(Batch &batch) override {
    Expected<float> loss = addGradients(batch, false);
    if (loss)
      llvm::cantFail(update());
    return loss;
  }

  Expected<float> addGradients(Batch &batch, bool accumulate) override {
    largest = std::max(largest, batch.getSize());
    if (state.step == failAt)
      return llvm::createStringError("a value is not finite");
    if (!accumulate)
      gradients[0] = gradients[1] = count = 0;
    const float *x = static_cast<float *>(batch.getData(0)), *wanted = static_cast<float *>(batch.getData(1));
    float loss = 0;
    for (int64_t i = 0; i < batch.getSize(); ++i) {
      float difference = state.weights[0] * x[i] + state.weights[1] - wanted[i];
      loss += difference * difference;
      gradients[0] += 2 * difference * x[i];
      gradients[1] += 2 * difference;
      ++count;
      seen.push_back(x[i]);
    }
    return loss / static_cast<float>(batch.getSize());
  }

  Error update() override {
    for (int i : {0, 1}) {
      state.velocity[i] = 0.9f * state.velocity[i] + gradients[i] / count;
      state.weights[i] -= static_cast<float>(getRate()) * state.velocity[i];
    }
    ++state.step;
    return Error::success();
  }

  Error infer(Batch &batch, Outputs &outputs) override {
    outputs.assign(1, std::vector<char>(batch.getSize() * sizeof(float)));
    const float *x = static_cast<float *>(batch.getData(0));
    for (int64_t i = 0; i < batch.getSize(); ++i)
      reinterpret_cast<float *>(outputs[0].data())[i] = state.weights[0] * x[i] + state.weights[1];
    return Error::success();
  }

  int64_t getStep() const override { return state.step; }
  int64_t getEpoch() const override { return state.epoch; }
  Error setEpoch(int64_t epoch) override {
    state.epoch = epoch;
    return Error::success();
  }
  double getRate() const override { return 0.02 / (1 + 0.1 * static_cast<double>(state.epoch)); }

  Error save(llvm::StringRef path) override {
    if (diskIsFull)
      return llvm::createStringError(path + ": No space left on device");
    writeText(path.str(), std::string(reinterpret_cast<const char *>(&state), sizeof state));
    return Error::success();
  }
  Error load(llvm::StringRef path) override {
    std::string bytes = readText(path.str());
    if (bytes.size() != sizeof state)
      return llvm::createStringError(path + ": No such file or directory");
    std::memcpy(&state, bytes.data(), sizeof state);
    return Error::success();
  }
  Error saveWeights(llvm::StringRef path) override {
    writeText(path.str(), std::string(reinterpret_cast<const char *>(state.weights), sizeof state.weights));
    return Error::success();
  }

  std::vector<LayerState> getLayers() override { return layers; }

  Signature signature;
  State state;
  std::vector<LayerState> layers;
  float gradients[2] = {0, 0}, count = 0;
  std::vector<float> seen; ///< inputs, in the order that they came
  int64_t largest = 0;     ///< most examples of a call
  int64_t failAt = -1;
  bool diskIsFull = false;
};

/// 22 points of y = 3 x - 1.
DataSet makePoints(int count = 22) {
  Folder folder;
  Floats x, y;
  for (int i = 0; i < count; ++i) {
    x.push_back(static_cast<float>(i) / 11 - 1);
    y.push_back(3 * x.back() - 1);
  }
  writeTensors(folder / "set", {{"x", {{count}, x}}, {"wanted", {{count}, y}}});
  return llvm::cantFail(DataSet::read(folder / "set", Line().signature));
}

class TrainerTest : public testing::Test {
protected:
  Settings makeSettings(const char *name = "run") {
    Settings settings;
    settings.folder = folder / name;
    settings.epochs = 6;
    settings.seed = 5;
    return settings;
  }

  Expected<Outcome> train(Line &line, const Settings &settings, std::function<bool()> stop = [] { return false; }) {
    llvm::raw_string_ostream os(printed);
    Progress progress(os, false, 80);
    return Trainer(line, points, &heldOut, settings, progress, std::move(stop)).run();
  }

  Outcome trainWell(Line &line, const Settings &settings, std::function<bool()> stop = [] { return false; }) {
    Expected<Outcome> outcome = train(line, settings, std::move(stop));
    if (outcome)
      return *outcome;
    ADD_FAILURE() << llvm::toString(outcome.takeError());
    return Outcome::Stopped;
  }

  /// The history without what depends on the clock and on where a run stopped.
  std::vector<std::string> readEvents(const char *name) {
    std::vector<std::string> lines;
    for (llvm::json::Object &event : llvm::cantFail(readHistory(folder / (std::string(name) + "/history.jsonl")))) {
      event.erase("seconds");
      if (getEvent(event) != "checkpoint")
        llvm::raw_string_ostream(lines.emplace_back()) << llvm::json::Value(std::move(event));
    }
    return lines;
  }

  Folder folder;
  DataSet points = makePoints(), heldOut = makePoints(7);
  std::string printed;
};

} // namespace

TEST_F(TrainerTest, Learns) {
  Line line;
  Settings settings = makeSettings();
  settings.epochs = 60;
  EXPECT_EQ(trainWell(line, settings), Outcome::Finished);
  EXPECT_NEAR(line.state.weights[0], 3, 0.01);
  EXPECT_NEAR(line.state.weights[1], -1, 0.01);
  EXPECT_EQ(line.getStep(), 60 * 6) << "22 examples are five batches of 4 and one of 2";
  for (const char *file : {"checkpoint.safetensors", "weights.safetensors", "best.safetensors", "history.svg"})
    EXPECT_FALSE(readText(folder / "run/" + file).empty()) << file;
  EXPECT_NE(printed.find("held out: mean squared error"), std::string::npos) << printed;
}

// Each epoch sees every example once, in an order of its own.
TEST_F(TrainerTest, SeesEveryExampleOnceAnEpoch) {
  Line line;
  Settings settings = makeSettings();
  settings.epochs = 2;
  trainWell(line, settings);
  ASSERT_EQ(line.seen.size(), 44u);
  Floats first(line.seen.begin(), line.seen.begin() + 22), second(line.seen.begin() + 22, line.seen.end());
  EXPECT_NE(first, second);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  EXPECT_EQ(first, points.getColumns()[0].floats);
  EXPECT_EQ(second, first);
}

// Stopped at the first step, around the end of an epoch, in the middle of one or
// at the last step, then resumed: the weights, the momentum
// and the history are to the bit those of a run that was never stopped.
TEST_F(TrainerTest, ResumesToTheSameBits) {
  Line whole;
  trainWell(whole, makeSettings("whole"));
  for (int64_t stopAt : {1, 5, 6, 7, 21, 36}) {
    std::string name = "stopped" + std::to_string(stopAt);
    Settings settings = makeSettings(name.c_str());
    Line first;
    EXPECT_EQ(trainWell(first, settings, [&] { return first.getStep() == stopAt; }), Outcome::Stopped);
    settings.resume = true;
    Line second;
    EXPECT_EQ(trainWell(second, settings), Outcome::Finished);
    EXPECT_EQ(std::memcmp(&second.state, &whole.state, sizeof(State)), 0) << stopAt;
    EXPECT_EQ(readEvents(name.c_str()), readEvents("whole")) << stopAt;
    EXPECT_EQ(readText(folder / name + "/best.safetensors"), readText(folder / "whole/best.safetensors"));
  }
}

// A process that is killed leaves a history that is ahead of its checkpoint.
TEST_F(TrainerTest, ResumesFromAnOlderCheckpoint) {
  Line whole;
  trainWell(whole, makeSettings("whole"));
  Settings settings = makeSettings();
  settings.checkpointSeconds = 0; // after every step
  Line first;
  std::string older;
  trainWell(first, settings, [&] {
    if (first.getStep() == 10)
      older = readText(folder / "run/checkpoint.safetensors"); // of step 9
    return first.getStep() == 20;
  });
  writeText(folder / "run/checkpoint.safetensors", older);
  settings.resume = true;
  Line second;
  EXPECT_EQ(trainWell(second, settings), Outcome::Finished);
  EXPECT_EQ(second.seen.size(), 6 * 22u - (22 + 3 * 4)) << "nine steps were done: an epoch of six, and three";
  EXPECT_EQ(std::memcmp(&second.state, &whole.state, sizeof(State)), 0);
  EXPECT_EQ(readEvents("run"), readEvents("whole"));
}

// Going on for more epochs is a resume, too.
TEST_F(TrainerTest, GoesOnForMoreEpochs) {
  Line whole, first, second;
  trainWell(whole, makeSettings("whole"));
  Settings settings = makeSettings();
  settings.epochs = 4;
  EXPECT_EQ(trainWell(first, settings), Outcome::Finished);
  settings.epochs = 6;
  settings.resume = true;
  EXPECT_EQ(trainWell(second, settings), Outcome::Finished);
  EXPECT_EQ(std::memcmp(&second.state, &whole.state, sizeof(State)), 0);
}

TEST_F(TrainerTest, RefusesToResumeAnotherRun) {
  Line line;
  trainWell(line, makeSettings());
  auto refuse = [&](Settings settings) {
    Line other;
    return getError(train(other, settings));
  };
  EXPECT_EQ(refuse(makeSettings()),
            folder / "run" + " has the checkpoint of another run; resume it, or take another folder");
  Settings settings = makeSettings();
  settings.resume = true;
  settings.seed = 6;
  EXPECT_EQ(refuse(settings),
            folder / "run/history.jsonl" + ": seed was \"5\" and is \"6\"; the run cannot be resumed");
  settings.seed = 5;
  settings.batch = 2;
  EXPECT_NE(refuse(settings).find("batch was 4 and is 2"), std::string::npos);
  settings.batch = 0;
  points = makePoints(21);
  EXPECT_NE(refuse(settings).find("the run cannot be resumed"), std::string::npos);
  settings = makeSettings("none");
  settings.resume = true;
  EXPECT_NE(refuse(settings).find("No such file"), std::string::npos);
}

// A step in parts takes the same step, but for rounding.
TEST_F(TrainerTest, TakesAFullBatchInParts) {
  Line whole, parts;
  whole.signature.batch = parts.signature.batch = BatchKind::Full;
  trainWell(whole, makeSettings("whole"));
  Settings settings = makeSettings("parts");
  settings.chunk = 5;
  trainWell(parts, settings);
  EXPECT_EQ(whole.largest, 22);
  EXPECT_EQ(parts.largest, 5);
  EXPECT_EQ(parts.getStep(), 6) << "one step an epoch";
  EXPECT_NEAR(parts.state.weights[0], whole.state.weights[0], 1e-5);
}

TEST_F(TrainerTest, OnlineIsOneExampleAStep) {
  Line line;
  line.signature.batch = BatchKind::Online;
  Settings settings = makeSettings();
  settings.epochs = 1;
  trainWell(line, settings);
  EXPECT_EQ(line.getStep(), 22);
}

TEST_F(TrainerTest, StopsWhenItHasConverged) {
  Line line, resumed;
  Settings settings = makeSettings();
  settings.epochs = 100000;
  settings.patience = 3;
  EXPECT_EQ(trainWell(line, settings), Outcome::Converged);
  EXPECT_LT(line.getEpoch(), 1000);
  settings.resume = true;
  EXPECT_EQ(trainWell(resumed, settings), Outcome::Converged);
  EXPECT_EQ(resumed.getEpoch(), line.getEpoch()) << "it has not gone on";
}

TEST_F(TrainerTest, SaysWhatBecomesOfLayers) {
  Line line;
  line.layers = {{"dense1", "dense", "net.nn:4:7", 0.5, -1, -1}, {"", "tanh", "net.nn:4:19", NAN, 0.25, -1}};
  Settings settings = makeSettings();
  settings.epochs = 1;
  ASSERT_TRUE(bool(train(line, settings)));
  EXPECT_EQ(printed.find("dense1"), std::string::npos) << printed;
  settings.folder = folder / "with";
  settings.showsLayers = true;
  Line other = line;
  ASSERT_TRUE(bool(train(other, settings)));
  EXPECT_NE(printed.find("  dense1 dense (net.nn:4:7): error 0.5\n"), std::string::npos) << printed;
  EXPECT_NE(printed.find("  tanh (net.nn:4:19): error nan, saturated 25.0 %\n"), std::string::npos) << printed;
  std::string history = readText(folder / "with/history.jsonl");
  EXPECT_NE(history.find(R"({"epoch":1,"event":"layers","layers":[)"), std::string::npos) << history;
}

TEST(Convergence, CountsEpochsWithoutImprovement) {
  Convergence convergence;
  EXPECT_TRUE(convergence.add(1, 0.1));
  EXPECT_TRUE(convergence.add(0.95, 0.1)) << "the best, but not by a tenth";
  EXPECT_EQ(convergence.sinceBest, 1);
  EXPECT_FALSE(convergence.add(0.99, 0.1));
  EXPECT_EQ(convergence.sinceBest, 2);
  EXPECT_TRUE(convergence.add(0.5, 0.1));
  EXPECT_EQ(convergence.sinceBest, 0);
  EXPECT_FALSE(convergence.add(NAN, 0.1));
}

// With a full disk training goes on, and says so at its end.
TEST_F(TrainerTest, GoesOnWhenTheDiskIsFull) {
  Line line;
  line.diskIsFull = true;
  EXPECT_EQ(getError(train(line, makeSettings())), "the last checkpoint could not be written");
  EXPECT_EQ(line.getEpoch(), 6);
  EXPECT_NE(printed.find("warning: " + (folder / "run/checkpoint.safetensors") + ": No space left on device"),
            std::string::npos)
      << printed;
}

// No file can grow: neither history nor plot ends the process.
TEST_F(TrainerTest, SurvivesADiskThatTakesNothing) {
  Line line;
  Settings settings = makeSettings();
  trainWell(line, settings);
  settings.resume = true;
  settings.epochs = 8;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = 100;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  Line resumed;
  std::string error = getError(train(resumed, settings));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error, "the last checkpoint could not be written");
  EXPECT_NE(printed.find("history.svg: File too large"), std::string::npos) << printed;
  Line again;
  EXPECT_EQ(trainWell(again, settings), Outcome::Finished) << "with the disk back";
}

// The checkpoint is older than the step that failed.
TEST_F(TrainerTest, SaysWhichStepFailed) {
  Line line;
  line.failAt = 8;
  EXPECT_EQ(getError(train(line, makeSettings())), "step 8, epoch 2: a value is not finite");
  Line after;
  llvm::cantFail(after.load(folder / "run/checkpoint.safetensors"));
  EXPECT_EQ(after.getStep(), 6);
}
