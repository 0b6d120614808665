//===- bench.cpp - How fast compiled networks run -------------------------===//
//
// Times inference and steps of training of networks that nnc compiled, with one thread and with two, and beside
// them what the machine can multiply and add at most. The counter `fastest` is the seconds of the fastest call,
// `flops` its floating-point operations a second, counted as the direct algorithm needs
// them. bench.py turns the numbers into ratios.
//
//===----------------------------------------------------------------------===//

#include "runtime/src/multiply_add.h"

#include "alexnet.h"
#include "char_rnn.h"
#include "conv1x1_14_256_1024.h"
#include "conv1x1_56_256_64.h"
#include "conv1x1_56_64_256.h"
#include "conv3x3_14_256_256.h"
#include "conv3x3_28_128_128.h"
#include "conv3x3_56_64_64.h"
#include "conv3x3_7_512_512.h"
#include "conv_gradients_14_1_256_1024_1.h"
#include "conv_gradients_14_3_256_256_1.h"
#include "conv_gradients_14_3_512_512_2.h"
#include "conv_gradients_28_3_128_128_1.h"
#include "conv_gradients_28_3_256_256_2.h"
#include "conv_gradients_56_1_256_512_2.h"
#include "conv_gradients_56_1_256_64_1.h"
#include "conv_gradients_56_1_64_256_1.h"
#include "conv_gradients_56_3_128_128_2.h"
#include "conv_gradients_56_3_64_64_1.h"
#include "conv_gradients_7_3_512_512_1.h"
#include "dense_1008.h"
#include "dense_64.h"
#include "dense_8.h"
#include "googlenet.h"
#include "gru.h"
#include "gru_128.h"
#include "gru_256.h"
#include "gru_512.h"
#include "lenet5.h"
#include "lenet5_sgd.h"
#include "lstm.h"
#include "lstm_128.h"
#include "lstm_256.h"
#include "lstm_512.h"
#include "resnet152.h"
#include "resnet18.h"
#include "resnet50.h"
#include "rnn.h"
#include "train_alexnet.h"
#include "train_googlenet.h"
#include "train_resnet152.h"
#include "train_vgg16.h"
#include "vgg16.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// A network and the call that is timed.
struct Subject {
  const char *name;
  const nnc_network *network;
  int64_t batch;
  double operations;            ///< floating-point operations an example
  std::vector<int64_t> lengths; ///< of the free dimensions
  bool trains = false;          ///< a step of training, else inference
  /// With -profile: what the timed group begins with, of the layer timed; none: the whole call.
  const char *group = nullptr;
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

/// Forward, and for each product the gradients of both its operands.
constexpr double trainingFactor = 3;

/// Inference: layers by themselves.
std::vector<Subject> layers() {
  return {
      {"lenet5", &lenet5_network, 1, lenet5Operations(), {}},
      {"dense_1008", &dense_1008_network, 1008, denseOperations(1008, 1008), {}},
      {"dense_64", &dense_64_network, 64, denseOperations(1024, 1024), {}},
      {"dense_8", &dense_8_network, 8, denseOperations(512, 512), {}},
      {"conv3x3_56_64_64", &conv3x3_56_64_64_network, 1, convOperations(56, 3, 64, 64), {}},
      {"conv3x3_28_128_128", &conv3x3_28_128_128_network, 1, convOperations(28, 3, 128, 128), {}},
      {"conv3x3_14_256_256", &conv3x3_14_256_256_network, 1, convOperations(14, 3, 256, 256), {}},
      {"conv3x3_7_512_512", &conv3x3_7_512_512_network, 1, convOperations(7, 3, 512, 512), {}},
      {"conv1x1_56_64_256", &conv1x1_56_64_256_network, 1, convOperations(56, 1, 64, 256), {}},
      {"conv1x1_56_256_64", &conv1x1_56_256_64_network, 1, convOperations(56, 1, 256, 64), {}},
      {"conv1x1_14_256_1024", &conv1x1_14_256_1024_network, 1, convOperations(14, 1, 256, 1024), {}},
  };
}

constexpr double GigaMultiplyAdds = 2e9;

/// Inference: whole networks for photographs, with what their convolutions and dense layers multiply.
std::vector<Subject> photographs() {
  return {
      {"alexnet", &alexnet_network, 1, 0.714 * GigaMultiplyAdds, {}},
      {"vgg16", &vgg16_network, 1, 15.470 * GigaMultiplyAdds, {}},
      {"resnet18", &resnet18_network, 1, 1.814 * GigaMultiplyAdds, {}},
      {"resnet50", &resnet50_network, 1, 4.089 * GigaMultiplyAdds, {}},
      {"resnet152", &resnet152_network, 1, 11.514 * GigaMultiplyAdds, {}},
      {"googlenet", &googlenet_network, 1, 1.498 * GigaMultiplyAdds, {}},
  };
}

/// Inference: networks for pictures, of several at a time.
std::vector<Subject> batches() {
  std::vector<Subject> subjects;
  auto add = [&](const char *few, const char *many, const nnc_network *network, double operations) {
    subjects.push_back({few, network, 8, operations, {}});
    subjects.push_back({many, network, 32, operations, {}});
  };
  add("lenet5_8", "lenet5_32", &lenet5_network, lenet5Operations());
  add("alexnet_8", "alexnet_32", &alexnet_network, 0.714 * GigaMultiplyAdds);
  add("vgg16_8", "vgg16_32", &vgg16_network, 15.470 * GigaMultiplyAdds);
  add("googlenet_8", "googlenet_32", &googlenet_network, 1.498 * GigaMultiplyAdds);
  add("resnet152_8", "resnet152_32", &resnet152_network, 11.514 * GigaMultiplyAdds);
  return subjects;
}

/// Steps of a sequence, its inputs, and what each step is labelled with; as long as the peers'.
constexpr int64_t Steps = 64, Inputs = 128, Tags = 32;

/// A recurrent layer with a product of inputs and one of states for each gate, and a dense one on every step.
double recurrentOperations(double gates, double hidden) {
  return Steps * (gates * denseOperations(Inputs + hidden, hidden) + denseOperations(hidden, Tags));
}

/// Inference: recurrent networks.
std::vector<Subject> sequences() {
  std::vector<Subject> subjects;
  auto add = [&](const char *name, const nnc_network *network, int64_t batch, double gates, double hidden) {
    subjects.push_back({name, network, batch, recurrentOperations(gates, hidden), {Steps}});
  };
  add("lstm_128_1", &lstm_128_network, 1, 4, 128);
  add("lstm_256_1", &lstm_256_network, 1, 4, 256);
  add("lstm_512_1", &lstm_512_network, 1, 4, 512);
  add("lstm_128_16", &lstm_128_network, 16, 4, 128);
  add("lstm_256_16", &lstm_256_network, 16, 4, 256);
  add("lstm_512_16", &lstm_512_network, 16, 4, 512);
  add("gru_128_1", &gru_128_network, 1, 3, 128);
  add("gru_256_1", &gru_256_network, 1, 3, 256);
  add("gru_512_1", &gru_512_network, 1, 3, 512);
  add("gru_128_16", &gru_128_network, 16, 3, 128);
  add("gru_256_16", &gru_256_network, 16, 3, 256);
  add("gru_512_16", &gru_512_network, 16, 3, 512);
  return subjects;
}

/// Training: whole steps.
std::vector<Subject> steps() {
  constexpr int64_t steps = Steps, letters = 7;
  auto recurrent = [](double gates) { return trainingFactor * recurrentOperations(gates, 256); };
  double charRnn = trainingFactor * (letters * denseOperations(58 + 128, 128) + denseOperations(128, 16));
  return {
      {"train_char_rnn", &char_rnn_network, 1, charRnn, {letters}, true},
      {"train_rnn_1", &rnn_network, 1, recurrent(1), {steps}, true},
      {"train_rnn_32", &rnn_network, 32, recurrent(1), {steps}, true},
      {"train_lstm_1", &lstm_network, 1, recurrent(4), {steps}, true},
      {"train_lstm_32", &lstm_network, 32, recurrent(4), {steps}, true},
      {"train_gru_1", &gru_network, 1, recurrent(3), {steps}, true},
      {"train_gru_32", &gru_network, 32, recurrent(3), {steps}, true},
      {"train_lenet5_64", &lenet5_sgd_network, 64, trainingFactor * lenet5Operations(), {}, true},
      {"train_alexnet", &train_alexnet_network, 8, trainingFactor * 0.714 * GigaMultiplyAdds, {}, true},
      {"train_vgg16", &train_vgg16_network, 8, trainingFactor * 15.470 * GigaMultiplyAdds, {}, true},
      {"train_resnet152", &train_resnet152_network, 8, trainingFactor * 11.514 * GigaMultiplyAdds, {}, true},
      {"train_googlenet", &train_googlenet_network, 8, trainingFactor * 1.498 * GigaMultiplyAdds, {}, true},
  };
}

/// Training: the gradients of one convolution, of its image and of its kernel.
std::vector<Subject> gradients() {
  std::vector<Subject> subjects;
  auto add = [&](const char *data, const char *weights, const nnc_network *network, double size, double kernel,
                 double inputs, double outputs) {
    double operations = convOperations(size, kernel, inputs, outputs);
    subjects.push_back({data, network, 8, operations, {}, true, "conv_input_gradient"});
    subjects.push_back({weights, network, 8, operations, {}, true, "conv_kernel_gradient"});
  };
#define NNC_ADD(size, kernel, inputs, outputs, stride)                                                                 \
  add("data_gradient_" #size "_" #kernel "_" #inputs "_" #outputs "_" #stride,                                         \
      "weight_gradient_" #size "_" #kernel "_" #inputs "_" #outputs "_" #stride,                                       \
      &conv_gradients_##size##_##kernel##_##inputs##_##outputs##_##stride##_network, double(size) / (stride), kernel,  \
      inputs, outputs)
  NNC_ADD(56, 3, 64, 64, 1);
  NNC_ADD(28, 3, 128, 128, 1);
  NNC_ADD(14, 3, 256, 256, 1);
  NNC_ADD(7, 3, 512, 512, 1);
  NNC_ADD(56, 1, 64, 256, 1);
  NNC_ADD(56, 1, 256, 64, 1);
  NNC_ADD(14, 1, 256, 1024, 1);
  NNC_ADD(56, 3, 128, 128, 2);
  NNC_ADD(28, 3, 256, 256, 2);
  NNC_ADD(14, 3, 512, 512, 2);
  NNC_ADD(56, 1, 256, 512, 2);
#undef NNC_ADD
  return subjects;
}

/// What an argument points to: elements that begin at a cache line, with random values.
class Values {
public:
  Values(const nnc_argument_info &argument, int64_t batch, const int64_t *lengths) {
    size_t count = 1;
    for (int32_t i = 0; i < argument.rank; ++i)
      count *= static_cast<size_t>(nnc_extent_length(&argument.extents[i], batch, lengths));
    memory.reset(::operator new(count * sizeof(float), Line));
    uint32_t state = 1;
    for (size_t i = 0; i < count; ++i) {
      state = state * 1664525u + 1013904223u;
      if (argument.element == NNC_CLASS)
        static_cast<int32_t *>(memory.get())[i] = static_cast<int32_t>((state >> 8) % argument.classes);
      else
        static_cast<float *>(memory.get())[i] = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
    }
  }
  void *data() const { return memory.get(); }

private:
  static constexpr std::align_val_t Line{64};
  struct Release {
    void operator()(void *memory) const { ::operator delete(memory, Line); }
  };
  std::unique_ptr<void, Release> memory;
};

/// The arguments of a function of the network.
std::vector<Values> makeArguments(const Subject &subject, int32_t function) {
  nnc_function_info info;
  std::vector<Values> arguments;
  if (nnc_function_at(subject.network, function, &info) != NNC_OK)
    return arguments;
  for (int32_t i = 0; i < info.argument_count; ++i)
    if (nnc_argument_info argument; nnc_argument_at(subject.network, function, i, &argument) == NNC_OK)
      arguments.emplace_back(argument, subject.batch, subject.lengths.data());
  return arguments;
}

using Model = std::unique_ptr<nnc_model, decltype(&nnc_model_destroy)>;
using Context = std::unique_ptr<nnc_context, decltype(&nnc_context_destroy)>;

/// Skips the benchmark when a call failed.
bool succeeded(benchmark::State &state, nnc_status status) {
  if (status != NNC_OK)
    state.SkipWithError(nnc_status_message(status));
  return status == NNC_OK;
}

/// Seconds in the subject's group since the profile was cleared; none where there is no such group.
std::optional<double> getGroupSeconds(nnc_context *context, const Subject &subject) {
  for (int32_t i = 0; i < nnc_profile_count(subject.network); ++i) {
    nnc_group_profile group;
    if (nnc_profile_at(context, i, &group) == NNC_OK && std::string_view(group.layer) == "timed1" &&
        std::strncmp(group.operations, subject.group, std::strlen(subject.group)) == 0)
      return group.seconds;
  }
  return std::nullopt;
}

/// Seconds of the fastest call, which is what the peers are asked for, too: what else the machine does makes others
/// longer.
class Fastest {
public:
  void add(double seconds) { least = std::min(least, seconds); }

  /// Reports it, and the operations a second of a call with so many.
  void report(benchmark::State &state, double operations) const {
    state.counters["fastest"] = least;
    state.counters["flops"] = operations / least;
  }

private:
  double least = std::numeric_limits<double>::infinity();
};

using Clock = std::chrono::steady_clock;

double getSeconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

/// Runs the network as often as the library asks; its argument is the number of threads.
void runSubject(benchmark::State &state, const Subject &subject) {
  nnc_model *rawModel = nullptr;
  if (!succeeded(state, nnc_set_threads(static_cast<int>(state.range(0)))) ||
      !succeeded(state, nnc_model_create(subject.network, nullptr, &rawModel)))
    return;
  Model model(rawModel, nnc_model_destroy);
  nnc_context *rawContext = nullptr;
  auto create = subject.trains ? nnc_training_create : nnc_context_create;
  const int64_t *lengths = subject.lengths.data();
  if (!succeeded(state, create(model.get(), nullptr, subject.batch, lengths, &rawContext)))
    return;
  Context context(rawContext, nnc_context_destroy);

  nnc_train_info train{};
  if (subject.trains && !succeeded(state, nnc_train_at(subject.network, 0, &train)))
    return;
  std::vector<Values> memory = makeArguments(subject, train.gradients);
  std::vector<void *> arguments;
  for (const Values &values : memory)
    arguments.push_back(values.data());
  auto run = subject.trains ? nnc_train_step : nnc_run;
  // The first call transforms weights, and touches memory for the first time.
  if (!succeeded(state, run(context.get(), 0, subject.batch, lengths, nullptr, arguments.data())))
    return;
  Fastest fastest;
  for (auto _ : state) {
    if (subject.group && !succeeded(state, nnc_profile_clear(context.get())))
      return;
    Clock::time_point begin = Clock::now();
    if (!succeeded(state, run(context.get(), 0, subject.batch, lengths, nullptr, arguments.data())))
      return;
    if (!subject.group) {
      fastest.add(getSeconds(begin));
      continue;
    }
    std::optional<double> seconds = getGroupSeconds(context.get(), subject);
    if (!seconds)
      return state.SkipWithError("no such group");
    fastest.add(*seconds);
    state.SetIterationTime(*seconds);
  }
  fastest.report(state, subject.operations * static_cast<double>(subject.batch));
}

/// Multiply-adds on registers alone: the peak of one core.
void runPeak(benchmark::State &state, nnc_isa isa) {
  constexpr int64_t Rounds = 100000;
  double operations = 0;
  Fastest fastest;
  for (auto _ : state) {
    Clock::time_point begin = Clock::now();
    operations = nnc_multiply_add(isa, Rounds);
    fastest.add(getSeconds(begin));
  }
  fastest.report(state, operations);
}

void registerAll() {
  benchmark::RegisterBenchmark("peak_avx2", runPeak, NNC_ISA_AVX2)->UseRealTime();
  if (__builtin_cpu_supports("avx512f"))
    benchmark::RegisterBenchmark("peak_avx512", runPeak, NNC_ISA_AVX512)->UseRealTime();
  std::vector<Subject> subjects = layers();
  for (Subject &photograph : photographs())
    subjects.push_back(std::move(photograph));
  for (Subject &pictures : batches())
    subjects.push_back(std::move(pictures));
  for (Subject &sequence : sequences())
    subjects.push_back(std::move(sequence));
  for (Subject &step : steps())
    subjects.push_back(std::move(step));
  for (Subject &gradient : gradients())
    subjects.push_back(std::move(gradient));
  for (const Subject &subject : subjects) {
    auto *registered = benchmark::RegisterBenchmark(subject.name, runSubject, subject)
                           ->ArgName("threads")
                           ->Arg(1)
                           ->Arg(2)
                           ->Unit(benchmark::kMicrosecond);
    if (subject.group)
      registered->UseManualTime();
    else
      registered->UseRealTime();
  }
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
