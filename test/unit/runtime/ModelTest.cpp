//===- ModelTest.cpp - Statuses and models --------------------------------===//

#include "FakeNetwork.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>

using namespace nnc::test;

//===----------------------------------------------------------------------===//
// Statuses
//===----------------------------------------------------------------------===//

TEST(Status, EachHasAMessageOfItsOwn) {
  std::set<std::string> messages;
  for (int status = NNC_OK; status <= NNC_INTERNAL; ++status)
    messages.insert(nnc_status_message(static_cast<nnc_status>(status)));
  EXPECT_EQ(messages.size(), static_cast<size_t>(NNC_INTERNAL) + 1);
  EXPECT_EQ(messages.count(""), 0u);
}

TEST(Status, AnUnknownOneHasAMessageToo) {
  EXPECT_STREQ(nnc_status_message(static_cast<nnc_status>(15)), "an unknown status");
}

TEST(Status, VersionIsThatOfTheProject) { EXPECT_STREQ(nnc_runtime_version(), "1.0.0"); }

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static nnc_status create(const nnc_network &network, nnc_model_options options = {}) {
  nnc_model *model = nullptr;
  nnc_status status = nnc_model_create(&network, &options, &model);
  EXPECT_EQ(model != nullptr, status == NNC_OK);
  nnc_model_destroy(model);
  return status;
}

TEST(Model, IsMadeWithoutOptions) {
  nnc_model *model = nullptr;
  ASSERT_EQ(nnc_model_create(&getFakeNetwork(), nullptr, &model), NNC_OK);
  EXPECT_STREQ(nnc_model_error(model), "");
  nnc_model_destroy(model);
}

TEST(Model, RefusesNullPointers) {
  nnc_model *model = nullptr;
  EXPECT_EQ(nnc_model_create(&getFakeNetwork(), nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_create(nullptr, nullptr, &model), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_model_memory_size(nullptr), 0u);
  EXPECT_EQ(nnc_model_isa(nullptr), NNC_ISA_AUTO);
  nnc_model_destroy(nullptr);
}

TEST(Model, RefusesANetworkOfAnotherVersion) {
  nnc_network network = getFakeNetwork();
  network.version = NNC_NETWORK_VERSION + 1;
  EXPECT_EQ(create(network), NNC_VERSION_MISMATCH);
  EXPECT_EQ(nnc_model_memory_size(&network), 0u);
}

TEST(Model, RefusesTablesThatItHasNoRoomFor) {
  nnc_network network = getFakeNetwork();
  network.free_dim_count = 16;
  EXPECT_EQ(create(network), NNC_UNSUPPORTED);
  nnc_function function = network.functions[0];
  function.offset_count = 1024;
  network = getFakeNetwork();
  network.functions = &function;
  network.function_count = 1;
  EXPECT_EQ(create(network), NNC_UNSUPPORTED);
}

TEST(Model, SaysWhenNoMemoryIsThatLarge) {
  nnc_network network = getFakeNetwork();
  network.weights_size = INT64_MAX;
  EXPECT_EQ(nnc_model_memory_size(&network), 0u);
  EXPECT_EQ(create(network), NNC_OUT_OF_MEMORY);
  network.weights_size = INT64_MIN;
  EXPECT_EQ(create(network), NNC_OUT_OF_MEMORY);
}

//===----------------------------------------------------------------------===//
// Why there is no model
//===----------------------------------------------------------------------===//

static std::string whyNot(const nnc_network *network, nnc_model_options options = {}) {
  nnc_model *model = nullptr;
  EXPECT_NE(nnc_model_create(network, &options, &model), NNC_OK);
  EXPECT_EQ(model, nullptr);
  return nnc_model_error(model);
}

TEST(CreateError, SaysWhichArgumentIsNull) {
  EXPECT_EQ(whyNot(nullptr), "network is null");
  EXPECT_EQ(nnc_model_create(&getFakeNetwork(), nullptr, nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_STREQ(nnc_model_error(nullptr), "out_model is null");
}

TEST(CreateError, SaysWhatTheNetworkAsksForAndWhatThereIs) {
  nnc_network network = getFakeNetwork();
  network.version = 7;
  EXPECT_EQ(whyNot(&network),
            "the network's tables are of version 7, the runtime's of version " + std::to_string(NNC_NETWORK_VERSION));
  network = getFakeNetwork();
  network.free_dim_count = 16;
  EXPECT_EQ(whyNot(&network), "fake has 16 free dimensions, 15 are the most");
  network = getFakeNetwork();
  network.weights_size = INT64_MAX;
  EXPECT_EQ(whyNot(&network), "the weights of fake are more than memory can hold");
}

TEST(CreateError, SaysWhatIsWrongWithTheMemory) {
  alignas(64) char memory[128];
  nnc_model_options options = {};
  options.memory = memory;
  options.memory_size = 64;
  EXPECT_EQ(whyNot(&getFakeNetwork(), options), "the model needs " +
                                                    std::to_string(nnc_model_memory_size(&getFakeNetwork())) +
                                                    " bytes, options->memory_size is 64");
  options.memory = memory + 4;
  EXPECT_EQ(whyNot(&getFakeNetwork(), options), "options->memory is not aligned to 64 bytes");
}

TEST(CreateError, SaysWhichWeightsInTheLibraryAreWrong) {
  nnc_network network = getFakeNetwork();
  network.embedded = "no file";
  network.embedded_size = 7;
  EXPECT_EQ(whyNot(&network).rfind("the weights in fake: ", 0), 0u) << nnc_model_error(nullptr);
  EXPECT_GT(std::strlen(nnc_model_error(nullptr)), std::strlen("the weights in fake: "));
}

TEST(CreateError, IsGoneOnceAModelIsMade) {
  EXPECT_NE(whyNot(nullptr), "");
  Model model = makeModel();
  EXPECT_STREQ(nnc_model_error(nullptr), "");
}

/// Who creates models at the same time as others reads their own message.
TEST(CreateError, IsTheThreadsOwn) {
  EXPECT_EQ(whyNot(nullptr), "network is null");
  std::string before, after;
  std::thread([&] {
    before = nnc_model_error(nullptr);
    nnc_network network = getFakeNetwork();
    network.free_dim_count = 16;
    after = whyNot(&network);
  }).join();
  EXPECT_EQ(before, "");
  EXPECT_EQ(after, "fake has 16 free dimensions, 15 are the most");
  EXPECT_STREQ(nnc_model_error(nullptr), "network is null");
}

//===----------------------------------------------------------------------===//
// Memory of the caller's
//===----------------------------------------------------------------------===//

TEST(Model, LivesInTheCallersMemory) {
  nnc_model_options options = {};
  options.memory_size = nnc_model_memory_size(&getFakeNetwork());
  ASSERT_GT(options.memory_size, 0u);
  EXPECT_EQ(options.memory_size % 64, 0u);
  options.memory = std::aligned_alloc(64, options.memory_size);
  std::memset(options.memory, 0xff, options.memory_size); // What was there must not matter.
  nnc_model *made = nullptr;
  ASSERT_EQ(nnc_model_create(&getFakeNetwork(), &options, &made), NNC_OK);
  {
    Model model(made);
    EXPECT_EQ(static_cast<void *>(made), options.memory);
    EXPECT_EQ(readWeights(model), readWeights(makeModel()));
  }
  std::free(options.memory);
}

TEST(Model, RefusesMemoryThatIsTooSmallOrNotAligned) {
  nnc_model_options options = {};
  size_t size = nnc_model_memory_size(&getFakeNetwork());
  char *memory = static_cast<char *>(std::aligned_alloc(64, size + 64));
  options.memory = memory;
  options.memory_size = size - 1;
  EXPECT_EQ(create(getFakeNetwork(), options), NNC_OUT_OF_MEMORY);
  options.memory = memory + 32;
  options.memory_size = size;
  EXPECT_EQ(create(getFakeNetwork(), options), NNC_INVALID_ARGUMENT);
  std::free(memory);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {

/// Sets NNC_ISA for one test.
struct IsaVariable {
  explicit IsaVariable(const char *value) { setenv("NNC_ISA", value, 1); }
  ~IsaVariable() { unsetenv("NNC_ISA"); }
};

} // namespace

static nnc_model_options askFor(nnc_isa isa) {
  nnc_model_options options = {};
  options.isa = isa;
  return options;
}

TEST(Isa, IsTheOneAskedFor) {
  Model model;
  nnc_model *made = nullptr;
  nnc_model_options options = askFor(NNC_ISA_AVX2);
  ASSERT_EQ(nnc_model_create(&getFakeNetwork(), &options, &made), NNC_OK);
  model.reset(made);
  EXPECT_EQ(nnc_model_isa(made), NNC_ISA_AVX2);
}

TEST(Isa, RefusesOneThatDoesNotExist) {
  EXPECT_EQ(create(getFakeNetwork(), askFor(static_cast<nnc_isa>(3))), NNC_INVALID_ARGUMENT);
}

TEST(Isa, RefusesKernelsThatTheLibraryLacks) {
  nnc_network network = getFakeNetwork();
  network.isa_mask = 1 << NNC_ISA_AVX2;
  EXPECT_EQ(create(network, askFor(NNC_ISA_AVX512)), NNC_UNSUPPORTED);
  EXPECT_EQ(nnc_model_isa(makeModel(network).get()), NNC_ISA_AVX2) << "AUTO takes what there is";
  network.isa_mask = 0;
  EXPECT_EQ(create(network), NNC_UNSUPPORTED);
}

TEST(Isa, EnvironmentChoosesForAuto) {
  IsaVariable variable("avx2");
  EXPECT_EQ(nnc_model_isa(makeModel().get()), NNC_ISA_AVX2);
}

TEST(Isa, EnvironmentMustNameAnIsa) {
  IsaVariable variable("sse9");
  EXPECT_EQ(create(getFakeNetwork()), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(create(getFakeNetwork(), askFor(NNC_ISA_AVX2)), NNC_OK) << "it is asked where AUTO is";
}

TEST(Isa, ErrorsSayWhoAskedForIt) {
  nnc_network network = getFakeNetwork();
  network.isa_mask = 1 << NNC_ISA_AVX2;
  EXPECT_EQ(whyNot(&network, askFor(NNC_ISA_AVX512)), "fake has no kernels for AVX-512");
  EXPECT_EQ(whyNot(&network, askFor(static_cast<nnc_isa>(3))), "options->isa is 3, which is no nnc_isa");
  IsaVariable variable("sse9");
  EXPECT_EQ(whyNot(&network), "NNC_ISA is 'sse9' in the environment: it must be avx2 or avx512");
}

TEST(Isa, EnvironmentMayBeEmpty) {
  IsaVariable variable("");
  EXPECT_EQ(create(getFakeNetwork()), NNC_OK);
}
