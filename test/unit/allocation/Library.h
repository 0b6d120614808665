//===- Library.h - A network whose calls are counted ----------------------===//

#ifndef NNC_TEST_UNIT_ALLOCATION_LIBRARY_H
#define NNC_TEST_UNIT_ALLOCATION_LIBRARY_H

#include "Allocation.h"

#include <nnc/runtime.h>

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace nnc::test {

struct Destroy {
  void operator()(nnc_model *model) const { nnc_model_destroy(model); }
  void operator()(nnc_context *context) const { nnc_context_destroy(context); }
};

/// What a context is made for.
enum class Use { Inference, Training };

/// A context of a network and its model, made with so many threads.
class Library {
public:
  Library(Use use, const nnc_network &network, int threads, int64_t maxBatch, std::vector<int64_t> maxLengths = {}) {
    EXPECT_EQ(nnc_set_threads(threads), NNC_OK);
    nnc_model *newModel = nullptr;
    EXPECT_EQ(nnc_model_create(&network, nullptr, &newModel), NNC_OK);
    model.reset(newModel);
    nnc_context *newContext = nullptr;
    auto create = use == Use::Training ? nnc_training_create : nnc_context_create;
    EXPECT_EQ(create(newModel, nullptr, maxBatch, maxLengths.data(), &newContext), NNC_OK);
    context.reset(newContext);
  }

  nnc_model *getModel() const { return model.get(); }
  nnc_context *getContext() const { return context.get(); }

private:
  std::unique_ptr<nnc_model, Destroy> model;
  std::unique_ptr<nnc_context, Destroy> context;
};

/// How often a call allocates; it must end with this status.
template <typename Call> int64_t countIn(Call call, nnc_status expected = NNC_OK) {
  int64_t before = countAllocations();
  nnc_status status = call();
  int64_t count = countAllocations() - before;
  EXPECT_EQ(status, expected) << nnc_status_message(status);
  return count;
}

} // namespace nnc::test

#endif // NNC_TEST_UNIT_ALLOCATION_LIBRARY_H
