//===- vanishing/main.cpp - How an error fades over 100 steps --------------===//
//
// Links librecall_rnn and librecall_lstm, which nnc made with -gradient-stats. For
// losses of several steps it asks how large their gradients are with respect to the
// states of all steps before, and draws that: in a plain RNN, in an LSTM as it starts,
// and in one whose gates begin open.
//
//   vanishing-demo [PICTURE.svg]
//
//===------------------------------------------------------------------------===//

#include "recall_lstm.h"
#include "recall_rnn.h"
#include "tools/trainer/Plot.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

using nnc::trainer::Chart;

namespace {

constexpr int64_t Batch = 16, Steps = 100, Inputs = 8, Hidden = 32, Classes = 4;

void check(nnc_status status, const char *detail) {
  if (status != NNC_OK)
    throw std::runtime_error(std::string(nnc_status_message(status)) + ": " + detail);
}

using Model = std::unique_ptr<nnc_model, decltype(&nnc_model_destroy)>;
using Context = std::unique_ptr<nnc_context, decltype(&nnc_context_destroy)>;

Model makeModel(const nnc_network &network) {
  nnc_model *model = nullptr;
  check(nnc_model_create(&network, nullptr, &model), nnc_model_error(nullptr));
  return {model, nnc_model_destroy};
}

Context makeContext(const Model &model) {
  nnc_context *context = nullptr;
  check(nnc_training_create(model.get(), nullptr, Batch, &Steps, &context), nnc_model_error(model.get()));
  return {context, nnc_context_destroy};
}

/// Sequences of noise, and what is to be said after each step.
struct Data {
  std::vector<float> x = std::vector<float>(Batch * Steps * Inputs);
  std::vector<int32_t> label = std::vector<int32_t>(Batch * Steps);

  Data() {
    std::mt19937 random(1); // the standard fixes its numbers, but not those of its distributions
    for (float &value : x)
      value = static_cast<float>(random() >> 8) * 0x1p-23f - 1;
    for (int32_t &value : label)
      value = static_cast<int32_t>(random() >> 30);
  }
};

using Norms = std::vector<float>; ///< of each step's state

/// Norms of the gradient of one step's loss, by a function flow(loss step, norms).
template <typename Flow> Chart draw(const char *title, const Flow &flow) {
  static constexpr std::pair<int32_t, const char *> lossSteps[] = {
      {99, "#0072b2"}, {74, "#009e73"}, {49, "#e69f00"}, {24, "#d55e00"}};
  Chart chart{title, {}};
  for (auto [step, colour] : lossSteps) {
    Norms norms(Steps);
    flow(step, norms.data());
    nnc::trainer::Series series{"loss of step " + std::to_string(step), {}, colour};
    for (int32_t t = 0; t <= step; ++t)
      series.points.push_back({static_cast<double>(t), std::log10(static_cast<double>(norms[t]))});
    std::printf("%-28s loss of step %2d: at its own state %.1e, 10 steps before %.1e, at the first %.1e\n", title, step,
                static_cast<double>(norms[step]), static_cast<double>(norms[step - 10]), static_cast<double>(norms[0]));
    chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart drawRnn(const Data &data) {
  Model model = makeModel(recall_rnn_network);
  Context context = makeContext(model);
  return draw("RNN", [&](int32_t step, float *h) {
    float loss;
    check(
        recall_rnn_train_flow(context.get(), Batch, Steps, nullptr, data.x.data(), data.label.data(), &step, &loss, h),
        nnc_context_error(context.get()));
  });
}

/// Cells keep so much of what they held as the forget gate says: sigmoid(bias), where it
/// starts. The input gate is closed as far as it is open (Tallec & Ollivier 2018).
Chart drawLstm(const Data &data, const char *title, float forget) {
  Model model = makeModel(recall_lstm_network);
  std::vector<float> open(Hidden, forget), closed(Hidden, -forget);
  check(nnc_weight_write(model.get(), "lstm1.bf", open.data(), Hidden), nnc_model_error(model.get()));
  check(nnc_weight_write(model.get(), "lstm1.bi", closed.data(), Hidden), nnc_model_error(model.get()));
  Context context = makeContext(model);
  return draw(title, [&](int32_t step, float *c) {
    float loss;
    Norms h(Steps);
    check(recall_lstm_train_flow(context.get(), Batch, Steps, nullptr, data.x.data(), data.label.data(), &step, &loss,
                                 h.data(), c),
          nnc_context_error(context.get()));
  });
}

/// How far the first point of a chart's first line is below its last: powers of ten.
double getFall(const Chart &chart) {
  const auto &points = chart.series.front().points;
  return points.back().y - points.front().y;
}

} // namespace

int main(int argc, char **argv) try {
  Data data;
  const std::vector<Chart> charts{drawRnn(data), drawLstm(data, "LSTM", 1),
                                  drawLstm(data, "LSTM, open", std::log(static_cast<float>(Steps)))};
  if (argc > 1) {
    std::ofstream file(argv[1]);
    file << nnc::trainer::drawCharts(charts, "step of the state; up: log10 of the gradient's norm");
    if (!file.flush())
      throw std::runtime_error(std::string("cannot write ") + argv[1]);
  }
  // What the picture shows: of an error at the end an open cell keeps, after 99 steps, what the others lose.
  return getFall(charts[2]) < 2 && getFall(charts[0]) > 10 ? 0 : 1;
} catch (const std::exception &error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
