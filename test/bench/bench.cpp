//===- bench.cpp - How fast compiled networks run -------------------------===//
//
// Times networks that nnc compiled, with one thread and with two, and beside
// them what the machine can multiply and add at most. The counter `flops` is
// floating-point operations a second, counted as the direct algorithm needs
// them. bench.py turns the numbers into ratios.
//
//===----------------------------------------------------------------------===//

#include "peak.h"

#include "conv1x1_14_256_1024.h"
#include "conv1x1_56_256_64.h"
#include "conv1x1_56_64_256.h"
#include "conv3x3_14_256_256.h"
#include "conv3x3_28_128_128.h"
#include "conv3x3_56_64_64.h"
#include "conv3x3_7_512_512.h"
#include "dense_1008.h"
#include "dense_64.h"
#include "dense_8.h"
#include "lenet5.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

using namespace nnc::bench;

/// A network, the batch to run it with, and what one example needs.
struct Subject {
  const char *name;
  const nnc_network *network;
  int64_t batch;
  double operations;                  ///< floating-point operations an example
  std::vector<int64_t> argumentSizes; ///< elements an example: inputs, then outputs
};

double denseOperations(double inputs, double outputs) { return 2 * inputs * outputs; }

double convOperations(double size, double kernel, double inputs, double outputs) {
  return 2 * size * size * kernel * kernel * inputs * outputs;
}

/// Multiply-adds of LeNet-5: two convolutions and three dense layers.
double lenet5Operations() {
  return convOperations(28, 5, 1, 6) + convOperations(10, 5, 6, 16) + denseOperations(400, 120) +
         denseOperations(120, 84) + denseOperations(84, 10);
}

std::vector<Subject> subjects() {
  return {
      {"lenet5", &lenet5_network, 1, lenet5Operations(), {LENET5_IMAGE_SIZE, LENET5_DIGIT_SIZE, LENET5_LOGITS_SIZE}},
      {"dense_1008", &dense_1008_network, 1008, denseOperations(1008, 1008), {DENSE_1008_X_SIZE, DENSE_1008_Y_SIZE}},
      {"dense_64", &dense_64_network, 64, denseOperations(1024, 1024), {DENSE_64_X_SIZE, DENSE_64_Y_SIZE}},
      {"dense_8", &dense_8_network, 8, denseOperations(512, 512), {DENSE_8_X_SIZE, DENSE_8_Y_SIZE}},
      {"conv3x3_56_64_64",
       &conv3x3_56_64_64_network,
       1,
       convOperations(56, 3, 64, 64),
       {CONV3X3_56_64_64_X_SIZE, CONV3X3_56_64_64_Y_SIZE}},
      {"conv3x3_28_128_128",
       &conv3x3_28_128_128_network,
       1,
       convOperations(28, 3, 128, 128),
       {CONV3X3_28_128_128_X_SIZE, CONV3X3_28_128_128_Y_SIZE}},
      {"conv3x3_14_256_256",
       &conv3x3_14_256_256_network,
       1,
       convOperations(14, 3, 256, 256),
       {CONV3X3_14_256_256_X_SIZE, CONV3X3_14_256_256_Y_SIZE}},
      {"conv3x3_7_512_512",
       &conv3x3_7_512_512_network,
       1,
       convOperations(7, 3, 512, 512),
       {CONV3X3_7_512_512_X_SIZE, CONV3X3_7_512_512_Y_SIZE}},
      {"conv1x1_56_64_256",
       &conv1x1_56_64_256_network,
       1,
       convOperations(56, 1, 64, 256),
       {CONV1X1_56_64_256_X_SIZE, CONV1X1_56_64_256_Y_SIZE}},
      {"conv1x1_56_256_64",
       &conv1x1_56_256_64_network,
       1,
       convOperations(56, 1, 256, 64),
       {CONV1X1_56_256_64_X_SIZE, CONV1X1_56_256_64_Y_SIZE}},
      {"conv1x1_14_256_1024",
       &conv1x1_14_256_1024_network,
       1,
       convOperations(14, 1, 256, 1024),
       {CONV1X1_14_256_1024_X_SIZE, CONV1X1_14_256_1024_Y_SIZE}},
  };
}

/// Floats that begin at a cache line, filled with values in [-0.5, 0.5).
class AlignedFloats {
public:
  explicit AlignedFloats(int64_t count)
      : values(static_cast<float *>(::operator new(static_cast<size_t>(count) * sizeof(float), Line))) {
    uint32_t state = 1;
    for (int64_t i = 0; i < count; ++i) {
      state = state * 1664525u + 1013904223u;
      values.get()[i] = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
    }
  }
  float *data() const { return values.get(); }

private:
  static constexpr std::align_val_t Line{64};
  struct Release {
    void operator()(float *memory) const { ::operator delete(memory, Line); }
  };
  std::unique_ptr<float, Release> values;
};

using Model = std::unique_ptr<nnc_model, decltype(&nnc_model_destroy)>;
using Context = std::unique_ptr<nnc_context, decltype(&nnc_context_destroy)>;

/// Skips the benchmark when a call failed.
bool succeeded(benchmark::State &state, nnc_status status) {
  if (status != NNC_OK)
    state.SkipWithError(nnc_status_message(status));
  return status == NNC_OK;
}

/// Runs the network as often as the library asks; its argument is the number of threads.
void runSubject(benchmark::State &state, const Subject &subject) {
  nnc_model *rawModel = nullptr;
  if (!succeeded(state, nnc_set_threads(static_cast<int>(state.range(0)))) ||
      !succeeded(state, nnc_model_create(subject.network, nullptr, &rawModel)))
    return;
  Model model(rawModel, nnc_model_destroy);
  nnc_context *rawContext = nullptr;
  if (!succeeded(state, nnc_context_create(model.get(), nullptr, subject.batch, nullptr, &rawContext)))
    return;
  Context context(rawContext, nnc_context_destroy);

  std::vector<AlignedFloats> memory;
  std::vector<void *> arguments;
  for (int64_t size : subject.argumentSizes)
    arguments.push_back(memory.emplace_back(size * subject.batch).data());
  for (auto _ : state)
    if (!succeeded(state, nnc_run(context.get(), 0, subject.batch, nullptr, nullptr, arguments.data())))
      return;
  state.counters["flops"] = benchmark::Counter(subject.operations * static_cast<double>(subject.batch),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

/// Multiply-adds on registers alone: the peak of one core.
void runPeak(benchmark::State &state, int64_t (*multiplyAdd)(int64_t)) {
  constexpr int64_t Rounds = 100000;
  int64_t operations = 0;
  for (auto _ : state)
    operations += multiplyAdd(Rounds);
  state.counters["flops"] = benchmark::Counter(static_cast<double>(operations), benchmark::Counter::kIsRate);
}

void registerAll() {
  benchmark::RegisterBenchmark("peak_avx2", runPeak, multiplyAddAvx2)->UseRealTime();
  if (hasAvx512())
    benchmark::RegisterBenchmark("peak_avx512", runPeak, multiplyAddAvx512)->UseRealTime();
  for (const Subject &subject : subjects())
    benchmark::RegisterBenchmark(subject.name, runSubject, subject)
        ->ArgName("threads")
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
}

} // namespace

int main(int argc, char **argv) {
  registerAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return EXIT_FAILURE;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
