//===- FakeNetwork.h - A network written by hand --------------------------===//
//
// What the compiler would write for a network with one free dimension T:
//
//   infer(x[batch][T]) -> y[batch][T]   y = 2 * bias[0] * x, 0 behind an example's length
//   step(x[batch]) -> y[batch]          y = total, the sum of all x since reset
//   fail(x[batch][T])                   fails as a kernel does, with the code x[0]
//
// 2 * bias[0] is prepared. `total` starts at `start`, a weight. Two train blocks:
//
//   train(x[batch][T], label[batch][T]) -> loss   the mean of the examples' sums of (bias[label] - x)²
//   whole(…)                                      the same, but their sum
//
// The gradient of `start` is a number drawn from the seed. `mean[0]`, a running
// statistic, becomes mean[0] / 2 + the sum of all x. `train` moves by momentum, at
// the rate (step < 2 ? 1/2 : 1/4) / (1 + epoch), `whole` as Adam does.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TEST_UNIT_RUNTIME_FAKENETWORK_H
#define NNC_TEST_UNIT_RUNTIME_FAKENETWORK_H

#include "nnc/network.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace nnc::test {

enum FakeFunction : int32_t { Infer, Step, Fail, TrainGradients, TrainUpdate, WholeGradients, WholeUpdate };
enum FakeTrain : int32_t { Train, Whole };

/// The longest T.
constexpr int64_t maxT = 50;

const nnc_network &getFakeNetwork();

/// How often the weights were prepared.
extern std::atomic<int> prepareCount;

/// The number of elements, and the bytes in storage, of all weights.
int64_t countElements(const nnc_network &network);

struct Destroy {
  void operator()(nnc_model *model) const { nnc_model_destroy(model); }
  void operator()(nnc_context *context) const { nnc_context_destroy(context); }
};
using Model = std::unique_ptr<nnc_model, Destroy>;
using Context = std::unique_ptr<nnc_context, Destroy>;

/// Asserts that it can be made.
Model makeModel(const nnc_network &network = getFakeNetwork(), uint64_t seed = 0);
Context makeContext(const Model &model, int64_t maxBatch = 4, int64_t maxLength = 8);
Context makeTraining(const Model &model, int64_t maxBatch = 4, int64_t maxLength = 8);

std::vector<float> readWeight(const Model &model, const std::string &name);

/// All weights, one after the other.
std::vector<float> readWeights(const Model &model);

} // namespace nnc::test

#endif // NNC_TEST_UNIT_RUNTIME_FAKENETWORK_H
