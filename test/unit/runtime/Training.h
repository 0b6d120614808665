//===- Training.h - The fake network at training --------------------------===//

#ifndef NNC_TEST_UNIT_RUNTIME_TRAINING_H
#define NNC_TEST_UNIT_RUNTIME_TRAINING_H

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace nnc::test {

/// A model and a context that trains it. Batches are rows of one length.
struct Trainer {
  using Rows = std::vector<std::vector<float>>;
  using Labels = std::vector<std::vector<int32_t>>;

  Model model;
  Context context;
  float loss = 0;
  std::vector<int32_t> lengths; ///< of the examples; empty when all are full

  Trainer() : Trainer(makeModel()) {}
  explicit Trainer(Model &&made) : model(std::move(made)), context(makeTraining(model)) {}

  /// A second one of a model that another owns.
  explicit Trainer(Model &shared) : context(makeTraining(shared)) {}

  nnc_status step(const Rows &x, const Labels &labels, int32_t train = Train) {
    return call(x, labels, [&](int64_t batch, const int64_t *length, const int32_t *const *ragged, void **arguments) {
      return nnc_train_step(context.get(), train, batch, length, ragged, arguments);
    });
  }

  nnc_status gradients(const Rows &x, const Labels &labels, bool accumulate = false, int32_t train = Train) {
    return call(x, labels, [&](int64_t batch, const int64_t *length, const int32_t *const *ragged, void **arguments) {
      return nnc_train_gradients(context.get(), train, accumulate, batch, length, ragged, arguments);
    });
  }

  nnc_status update(int32_t train = Train) { return nnc_train_update(context.get(), train); }

  /// 0 where it cannot be read.
  std::vector<float> readGradient(const char *name, int32_t train = Train) {
    for (int32_t i = 0; i < nnc_weight_count(&getFakeNetwork()); ++i) {
      nnc_weight_info info;
      nnc_weight_at(&getFakeNetwork(), i, &info);
      if (std::strcmp(info.name, name) != 0)
        continue;
      std::vector<float> values(info.count);
      EXPECT_EQ(nnc_gradient_read(context.get(), train, name, values.data(), info.count), NNC_OK) << error();
      return values;
    }
    ADD_FAILURE() << "no weight " << name;
    return {};
  }

  /// y for one x.
  float infer(float x) {
    float y = 0;
    void *arguments[] = {&x, &y};
    int64_t length = 1;
    EXPECT_EQ(nnc_run(context.get(), Infer, 1, &length, nullptr, arguments), NNC_OK) << error();
    return y;
  }

  std::string error() { return nnc_context_error(context.get()); }

private:
  template <typename Call> nnc_status call(const Rows &rows, const Labels &labels, Call call) {
    std::vector<float> x;
    std::vector<int32_t> label;
    for (const auto &row : rows)
      x.insert(x.end(), row.begin(), row.end());
    for (const auto &row : labels)
      label.insert(label.end(), row.begin(), row.end());
    int64_t length = rows[0].size();
    const int32_t *ragged[] = {lengths.empty() ? nullptr : lengths.data()};
    void *arguments[] = {x.data(), label.data(), &loss};
    return call(rows.size(), &length, ragged, arguments);
  }
};

} // namespace nnc::test

#endif // NNC_TEST_UNIT_RUNTIME_TRAINING_H
