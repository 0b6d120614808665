//===- Metrics.cpp - How good answers are ---------------------------------===//

#include "Metrics.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace llvm;
using namespace nnc::trainer;

/// How far the sum of probabilities may be from 1.
static constexpr double Tolerance = 1e-3;

double Metrics::getLoss() const {
  if (crossEntropy)
    return *crossEntropy;
  if (meanSquaredError)
    return *meanSquaredError;
  return 1 - accuracy.value_or(0);
}

//===----------------------------------------------------------------------===//
// Which output answers which label
//===----------------------------------------------------------------------===//

/// Whether the output is classes as the label's, or a score for each of them.
static bool answersClasses(const Argument &label, const Argument &output) {
  if (output.classes == label.classes)
    return output.shape == label.shape;
  if (output.element != Element::Float || output.shape.size() != label.shape.size() + 1)
    return false;
  ArrayRef<Dim> shape = output.shape;
  return shape.drop_back() == ArrayRef<Dim>(label.shape) && shape.back().isFixed() &&
         shape.back().size == label.classes;
}

static bool answers(const Argument &label, const Argument &output) {
  if (label.classes != 0)
    return answersClasses(label, output);
  return label.element == Element::Float && output.element == Element::Float && label.shape == output.shape;
}

std::optional<Pairing> nnc::trainer::findPairing(const Signature &signature, StringRef name) {
  for (auto [label, argument] : enumerate(signature.labels))
    for (auto [output, other] : enumerate(signature.outputs))
      if ((name.empty() || other.name == name) && answers(argument, other))
        return Pairing{label, output};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Counting
//===----------------------------------------------------------------------===//

MetricsCounter::MetricsCounter(const Signature &signature, const Pairing &pairing)
    : label(signature.labels[pairing.label]), output(signature.outputs[pairing.output]),
      labelColumn(signature.inputs.size() + pairing.label), outputIndex(pairing.output) {}

/// Adds one distribution over classes. Gives whether the label's is the highest.
bool MetricsCounter::addScores(const float *scores, int32_t wanted) {
  const float *end = scores + label.classes, *highest = std::max_element(scores, end);
  double sum = std::accumulate(scores, end, 0.0);
  double exponentials = 0;
  for (const float *score = scores; score != end; ++score)
    exponentials += std::exp(static_cast<double>(*score) - *highest);
  double logSum = *highest + std::log(exponentials);
  double least = *std::min_element(scores, end);
  areProbabilities &= least >= 0 && std::abs(sum - 1) <= Tolerance;
  areLogarithms &= *highest <= 0 && std::abs(logSum) <= Tolerance;
  // As the loss in training, a probability of 0 costs what the smallest float does.
  fromProbabilities -= std::log(std::max<double>(scores[wanted], std::numeric_limits<float>::min()));
  fromLogarithms -= scores[wanted];
  fromLogits += logSum - scores[wanted];
  return highest == scores + wanted;
}

void MetricsCounter::addFloats(const float *answer, const float *wanted, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    double difference = static_cast<double>(answer[i]) - wanted[i];
    squares += difference * difference;
  }
  labels += count;
}

/// Adds consecutive labels of an example. Gives whether all are right.
bool MetricsCounter::addExample(const float *scores, const int32_t *chosen, const void *wanted, int64_t count) {
  bool all = true;
  const auto *classes = static_cast<const int32_t *>(wanted);
  for (int64_t i = 0; i < count; ++i) {
    bool isRight = chosen ? chosen[i] == classes[i] : addScores(scores + i * label.classes, classes[i]);
    right += isRight;
    all &= isRight;
  }
  labels += count;
  return all;
}

/// Calls `run(start, count)` for the labels of one example that are not padding:
/// `start` counts from the example's first one.
static void forEachRun(ArrayRef<Dim> dims, ArrayRef<int64_t> own, ArrayRef<int64_t> full, int64_t start,
                       function_ref<void(int64_t, int64_t)> run) {
  if (dims.empty())
    return run(start, 1);
  int64_t stride = 1;
  for (const Dim &dim : dims.drop_front())
    stride *= dim.getExtent(full);
  int64_t extent = dims.front().getExtent(own);
  bool whole = dims.drop_front().empty() ||
               all_of(dims.drop_front(), [&](const Dim &dim) { return dim.getExtent(own) == dim.getExtent(full); });
  if (whole)
    return run(start, extent * stride);
  for (int64_t i = 0; i < extent; ++i)
    forEachRun(dims.drop_front(), own, full, start + i * stride, run);
}

void MetricsCounter::add(Batch &batch, const Outputs &outputs) {
  ArrayRef<int64_t> full = batch.getLengths();
  int64_t perExample = label.getCount(full);
  const auto *wanted = static_cast<const char *>(batch.getData(labelColumn));
  const char *given = outputs[outputIndex].data();
  std::vector<int64_t> own(full.size());
  for (int64_t example = 0; example < batch.getSize(); ++example) {
    for (size_t dim = 0; dim < own.size(); ++dim)
      own[dim] = batch.getRagged()[dim] ? batch.getRagged()[dim][example] : full[dim];
    bool all = true;
    forEachRun(label.shape, own, full, example * perExample, [&](int64_t start, int64_t count) {
      const void *labelsHere = wanted + start * 4;
      if (label.classes == 0)
        addFloats(reinterpret_cast<const float *>(given) + start, static_cast<const float *>(labelsHere), count);
      else if (output.classes != 0)
        all &= addExample(nullptr, reinterpret_cast<const int32_t *>(given) + start, labelsHere, count);
      else
        all &= addExample(reinterpret_cast<const float *>(given) + start * label.classes, nullptr, labelsHere, count);
    });
    exact += all;
    ++examples;
  }
}

Metrics MetricsCounter::get() const {
  Metrics metrics;
  if (labels == 0)
    return metrics;
  double count = static_cast<double>(labels);
  if (label.classes == 0) {
    metrics.meanSquaredError = squares / count;
    return metrics;
  }
  metrics.accuracy = static_cast<double>(right) / count;
  if (!label.shape.empty())
    metrics.exact = static_cast<double>(exact) / static_cast<double>(examples);
  if (output.classes == 0)
    metrics.crossEntropy = (areProbabilities ? fromProbabilities : areLogarithms ? fromLogarithms : fromLogits) / count;
  return metrics;
}

Expected<Metrics> nnc::trainer::evaluate(Learner &learner, const DataSet &set, const Pairing &pairing,
                                         int64_t batchSize) {
  MetricsCounter counter(learner.getSignature(), pairing);
  Batch batch;
  Outputs outputs;
  std::vector<int64_t> examples(set.getSize());
  std::iota(examples.begin(), examples.end(), 0);
  ArrayRef<int64_t> left = examples;
  while (!left.empty()) {
    size_t count = std::min<size_t>(left.size(), batchSize);
    batch.fill(set, left.take_front(count));
    if (Error error = learner.infer(batch, outputs))
      return error;
    counter.add(batch, outputs);
    left = left.drop_front(count);
  }
  return counter.get();
}
