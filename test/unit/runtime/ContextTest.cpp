//===- ContextTest.cpp - Contexts and calls -------------------------------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <thread>

using namespace nnc::test;

namespace {

/// A model and room to run it.
struct Room {
  Model model = makeModel();
  Context context = makeContext(model);

  nnc_status infer(int64_t batch, int64_t length, const int32_t *lengths, const float *x, float *y) {
    const int32_t *ragged[] = {lengths};
    void *arguments[] = {const_cast<float *>(x), y};
    return nnc_run(context.get(), Infer, batch, &length, ragged, arguments);
  }

  nnc_status step(int64_t batch, const float *x, float *y) {
    void *arguments[] = {const_cast<float *>(x), y};
    return nnc_run(context.get(), Step, batch, nullptr, nullptr, arguments);
  }

  void set(const char *weight, float value) {
    std::vector<float> values(std::strcmp(weight, "start") == 0 ? 1 : 20, value);
    EXPECT_EQ(nnc_weight_write(model.get(), weight, values.data(), values.size()), NNC_OK);
  }

  std::string error() { return nnc_context_error(context.get()); }
};

using Floats = std::vector<float>;

} // namespace

//===----------------------------------------------------------------------===//
// Making contexts
//===----------------------------------------------------------------------===//

static nnc_status create(const Model &model, int64_t maxBatch, const int64_t *maxLengths,
                         nnc_context_options options = {}) {
  nnc_context *context = nullptr;
  nnc_status status = nnc_context_create(model.get(), &options, maxBatch, maxLengths, &context);
  EXPECT_EQ(context != nullptr, status == NNC_OK);
  nnc_context_destroy(context);
  return status;
}

TEST(Context, RefusesNullPointers) {
  Model model = makeModel();
  nnc_context *context = nullptr;
  int64_t length = 1;
  EXPECT_EQ(nnc_context_create(nullptr, nullptr, 1, &length, &context), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_context_create(model.get(), nullptr, 1, &length, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(create(model, 1, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_model_error(model.get()), "max_lengths is null, but fake has 1 free dimensions");
  EXPECT_EQ(nnc_context_reset(nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_run(nullptr, 0, 1, &length, nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_context_error(nullptr), "");
  EXPECT_EQ(nnc_context_memory_size(nullptr, 1, &length), 0u);
  nnc_context_destroy(nullptr);
}

TEST(Context, RefusesSizesOutOfRange) {
  Model model = makeModel();
  int64_t length = 8;
  for (int64_t batch : {INT64_C(0), INT64_C(-1), INT64_C(1) << 31, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(create(model, batch, &length), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(nnc_context_memory_size(&getFakeNetwork(), batch, &length), 0u);
  }
  for (int64_t wrong : {INT64_C(0), INT64_C(-1), maxT + 1, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(create(model, 1, &wrong), NNC_INVALID_ARGUMENT);
    EXPECT_EQ(nnc_context_memory_size(&getFakeNetwork(), 1, &wrong), 0u);
  }
  length = maxT + 1;
  create(model, 1, &length);
  EXPECT_STREQ(nnc_model_error(model.get()), "the largest T is 51: it must be 1 to 50");
}

TEST(Context, RefusesWhatThePlanSaysIsTooLarge) {
  Model model = makeModel();
  int64_t length = 8;
  EXPECT_EQ(create(model, 1000001, &length), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_context_memory_size(&getFakeNetwork(), 1000001, &length), 0u);
}

TEST(Context, LivesInTheCallersMemory) {
  Room room;
  int64_t length = 8;
  nnc_context_options options = {};
  options.memory_size = nnc_context_memory_size(&getFakeNetwork(), 4, &length);
  ASSERT_GT(options.memory_size, 0u);
  options.memory = std::aligned_alloc(64, options.memory_size);
  std::memset(options.memory, 0xff, options.memory_size); // What was there must not matter.
  nnc_context *made = nullptr;
  ASSERT_EQ(nnc_context_create(room.model.get(), &options, 4, &length, &made), NNC_OK);
  EXPECT_EQ(static_cast<void *>(made), options.memory);
  room.context.reset(made);
  float x[] = {1, 2, 3, 4}, y[4];
  EXPECT_EQ(room.infer(4, 1, nullptr, x, y), NNC_OK);
  EXPECT_EQ(room.step(4, x, y), NNC_OK);
  EXPECT_EQ(Floats(y, y + 4), Floats(x, x + 4));
  room.context.reset();
  std::free(options.memory);
}

TEST(Context, RefusesMemoryThatIsTooSmallOrNotAligned) {
  Model model = makeModel();
  int64_t length = 8;
  size_t size = nnc_context_memory_size(&getFakeNetwork(), 4, &length);
  char *memory = static_cast<char *>(std::aligned_alloc(64, size + 64));
  EXPECT_EQ(create(model, 4, &length, {memory, size - 1}), NNC_OUT_OF_MEMORY);
  EXPECT_EQ(nnc_model_error(model.get()), "the context needs " + std::to_string(size) + " bytes");
  EXPECT_EQ(create(model, 4, &length, {memory + 4, size}), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_model_error(model.get()), "the context's memory is not aligned to 64 bytes");
  std::free(memory);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

// Up to the largest sizes of the context, in every batch and length.
TEST(Run, ComputesTheNetwork) {
  Room room;
  room.set("dense.bias", 3);
  for (int64_t batch = 1; batch <= 4; ++batch)
    for (int64_t length = 1; length <= 8; ++length) {
      Floats x(batch * length), y(x.size()), expected(x.size());
      for (size_t i = 0; i < x.size(); ++i)
        expected[i] = 6 * (x[i] = i + 1.0f);
      ASSERT_EQ(room.infer(batch, length, nullptr, x.data(), y.data()), NNC_OK) << room.error();
      EXPECT_EQ(y, expected);
    }
}

TEST(Run, EndsEachExampleAtItsOwnLength) {
  Room room;
  Floats x(12, 1), y(12);
  int32_t lengths[] = {4, 0, 2};
  ASSERT_EQ(room.infer(3, 4, lengths, x.data(), y.data()), NNC_OK);
  EXPECT_EQ(y, (Floats{1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0}));
}

// All full after a call in which they were not.
TEST(Run, TakesExamplesAsFullWhereNoLengthsAreGiven) {
  Room room;
  Floats x(6, 1), y(6);
  int32_t lengths[] = {1, 1};
  ASSERT_EQ(room.infer(2, 3, lengths, x.data(), y.data()), NNC_OK);
  ASSERT_EQ(room.infer(2, 3, nullptr, x.data(), y.data()), NNC_OK);
  EXPECT_EQ(y, Floats(6, 1));
  int64_t length = 3;
  void *arguments[] = {x.data(), y.data()};
  EXPECT_EQ(nnc_run(room.context.get(), Infer, 2, &length, nullptr, arguments), NNC_OK);
}

TEST(Run, SaysWhatIsWrongWithItsArguments) {
  Room room;
  float x[64] = {}, y[64];
  EXPECT_EQ(room.error(), "");
  EXPECT_EQ(room.infer(5, 1, nullptr, x, y), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "infer: the batch is 5, the context was made for 1 to 4");
  EXPECT_EQ(room.infer(0, 1, nullptr, x, y), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.infer(1, 9, nullptr, x, y), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "infer: T is 9, the context was made for 1 to 8");
  EXPECT_EQ(room.infer(1, 0, nullptr, x, y), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.infer(1, 1, nullptr, x, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "infer: y is null");
  int32_t tooLong[] = {2, 3}, negative[] = {-1, 2};
  EXPECT_EQ(room.infer(2, 2, tooLong, x, y), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "infer: the length of example 1 along T is 3, it must be 0 to 2");
  EXPECT_EQ(room.infer(2, 2, negative, x, y), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.infer(1, 1, nullptr, x, y), NNC_OK) << "and goes on";
}

TEST(Run, SaysWhatIsMissing) {
  Room room;
  float x[4] = {}, y[4];
  void *arguments[] = {x, y};
  int64_t length = 1;
  EXPECT_EQ(nnc_run(room.context.get(), Infer, 1, nullptr, nullptr, arguments), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "infer: lengths is null");
  EXPECT_EQ(nnc_run(room.context.get(), Infer, 1, &length, nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "infer: arguments is null");
  for (int32_t function : {-1, 7})
    EXPECT_EQ(nnc_run(room.context.get(), function, 1, &length, nullptr, arguments), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(room.error(), "fake has no function 7");
}

TEST(Run, NamesTheLayerThatFailed) {
  Room room;
  int64_t length = 1;
  float code = 1;
  void *arguments[] = {&code};
  EXPECT_EQ(nnc_run(room.context.get(), Fail, 1, &length, nullptr, arguments), NNC_INTERNAL);
  EXPECT_EQ(room.error(), "fail: dense (fake.nn:7): failed");
  code = -1;
  EXPECT_EQ(nnc_run(room.context.get(), Fail, 1, &length, nullptr, arguments), NNC_INTERNAL);
  EXPECT_EQ(room.error(), "fail: a kernel failed");
}

//===----------------------------------------------------------------------===//
// Prepared weights
//===----------------------------------------------------------------------===//

TEST(Prepare, RunsOnceForEachChangeOfWeights) {
  Room room;
  Context other = makeContext(room.model);
  prepareCount = 0;
  float x = 1, y = 0;
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(room.infer(1, 1, nullptr, &x, &y), NNC_OK);
  std::swap(room.context, other);
  ASSERT_EQ(room.infer(1, 1, nullptr, &x, &y), NNC_OK);
  EXPECT_EQ(prepareCount, 1) << "for both contexts";
  EXPECT_EQ(y, 1);
  room.set("dense.bias", 2);
  room.set("dense.bias", 4);
  ASSERT_EQ(room.infer(1, 1, nullptr, &x, &y), NNC_OK);
  EXPECT_EQ(prepareCount, 2);
  EXPECT_EQ(y, 8);
}

TEST(Prepare, SaysWhenItFails) {
  nnc_network network = getFakeNetwork();
  network.prepare = [](const nnc_frame *) -> int32_t { return 1; };
  Room room;
  room.context.reset();
  room.model = makeModel(network);
  room.context = makeContext(room.model);
  float x = 1, y = 0;
  EXPECT_EQ(room.infer(1, 1, nullptr, &x, &y), NNC_INTERNAL);
  EXPECT_EQ(room.error(), "preparing the weights: dense (fake.nn:7): failed");
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

TEST(State, IsCarriedFromStepToStep) {
  Room room;
  float x[] = {1, 10}, y[2];
  ASSERT_EQ(room.step(2, x, y), NNC_OK);
  ASSERT_EQ(room.step(2, x, y), NNC_OK);
  EXPECT_EQ(Floats(y, y + 2), (Floats{2, 20}));
  EXPECT_EQ(nnc_context_reset(room.context.get()), NNC_OK);
  ASSERT_EQ(room.step(2, x, y), NNC_OK);
  EXPECT_EQ(Floats(y, y + 2), (Floats{1, 10}));
}

// A context may be made before the weights are set.
TEST(State, StartsFromTheWeightsOfTheFirstStep) {
  Room room;
  room.set("start", 100);
  float x = 1, y = 0;
  ASSERT_EQ(room.step(1, &x, &y), NNC_OK);
  EXPECT_EQ(y, 101);
}

TEST(State, IsEachContextsOwn) {
  Room room;
  Context other = makeContext(room.model);
  float x = 1, y = 0;
  ASSERT_EQ(room.step(1, &x, &y), NNC_OK);
  std::swap(room.context, other);
  ASSERT_EQ(room.step(1, &x, &y), NNC_OK);
  EXPECT_EQ(y, 1);
}

TEST(State, SaysWhenResetFails) {
  nnc_network network = getFakeNetwork();
  network.reset = [](const nnc_frame *) -> int32_t { return 1; };
  Room room;
  room.context.reset();
  room.model = makeModel(network);
  room.context = makeContext(room.model);
  EXPECT_EQ(nnc_context_reset(room.context.get()), NNC_INTERNAL);
  EXPECT_EQ(room.error(), "reset: dense (fake.nn:7): failed");
}

TEST(State, MayBeMissing) {
  nnc_network network = getFakeNetwork();
  network.reset = nullptr;
  network.state_size = nullptr;
  Model model = makeModel(network);
  EXPECT_EQ(nnc_context_reset(makeContext(model).get()), NNC_OK);
}

//===----------------------------------------------------------------------===//
// Many threads
//===----------------------------------------------------------------------===//

// Two callers, the pool shared by both, and weights that one of them prepares.
TEST(Run, ServesTwoContextsAtOnce) {
  Model model = makeModel();
  nnc_set_threads(3);
  auto call = [&](float seed) {
    Context context = makeContext(model);
    Floats x(32, seed), y(32);
    int64_t length = 8;
    void *arguments[] = {x.data(), y.data()};
    for (int i = 0; i < 500; ++i) {
      x.assign(32, seed + static_cast<float>(i));
      ASSERT_EQ(nnc_run(context.get(), Infer, 4, &length, nullptr, arguments), NNC_OK);
      ASSERT_EQ(y, x);
    }
  };
  std::thread first(call, 1.0f), second(call, 1000.0f);
  first.join();
  second.join();
  nnc_set_threads(0);
}
