//===- two/main.cpp - One network under two names in one C++ program ------===//
//
// Links libmlp and libmlp_twin: the same program compiled twice, the second
// time under another name. Each runs in a thread of its own on contexts that
// are released by scope. The twins must give the same bits.
//
//   two-cpp-demo [FOLDER]     FOLDER is examples/ where it is not as it was built
//
//===----------------------------------------------------------------------===//

#include "digits.h"
#include "mlp.h"
#include "mlp_twin.h"

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Model = std::unique_ptr<nnc_model, decltype(&nnc_model_destroy)>;
using Context = std::unique_ptr<nnc_context, decltype(&nnc_context_destroy)>;

/// Turns a failed call into an exception that says what was tried.
void check(nnc_status status, const std::string &what) {
  if (status != NNC_OK)
    throw std::runtime_error(what + ": " + nnc_status_message(status));
}

/// The logits of every picture [count][10], one picture at a time. `network` is what any library of nnc exports, so
/// that one function serves all networks with the same inputs and outputs.
std::vector<float> readAll(const nnc_network &network, const std::string &weights, const Digits &digits) {
  nnc_model *rawModel = nullptr;
  check(nnc_model_create(&network, nullptr, &rawModel), "making the network");
  Model model(rawModel, nnc_model_destroy);
  check(nnc_model_load(model.get(), weights.c_str()), weights);
  nnc_context *rawContext = nullptr;
  check(nnc_context_create(model.get(), nullptr, 1, nullptr, &rawContext), "making room to run");
  Context context(rawContext, nnc_context_destroy);

  std::vector<float> all(digits.heldOutCount * MLP_LOGITS_SIZE);
  for (size_t i = 0; i < digits.heldOutCount; ++i) {
    float x[MLP_X_SIZE], y[MLP_Y_SIZE];
    scaleDigit(&digits.heldOut[i], x);
    void *arguments[] = {x, y, &all[i * MLP_LOGITS_SIZE]};
    check(nnc_run(context.get(), 0, 1, nullptr, nullptr, arguments), "reading a digit");
  }
  return all;
}

/// Runs both networks at once; a thread's exception is thrown here.
void readWithTwins(const std::string &weights, const Digits &digits, std::vector<float> &first,
                   std::vector<float> &second) {
  std::exception_ptr error;
  std::thread other([&] {
    try {
      second = readAll(mlp_twin_network, weights, digits);
    } catch (...) {
      error = std::current_exception();
    }
  });
  try {
    first = readAll(mlp_network, weights, digits);
  } catch (...) {
    other.join();
    throw;
  }
  other.join();
  if (error)
    std::rethrow_exception(error);
}

} // namespace

int main(int argc, char **argv) {
  const std::string folder = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR;
  Digits raw;
  if (loadDigits((folder + "/digits/digits.bin").c_str(), &raw) != 0)
    return EXIT_FAILURE;
  std::unique_ptr<Digits, decltype(&freeDigits)> digits(&raw, freeDigits);
  try {
    std::vector<float> first, second;
    readWithTwins(folder + "/mlp/mlp.safetensors", raw, first, second);
    size_t right = 0;
    for (size_t i = 0; i < raw.heldOutCount; ++i)
      right += largest(&first[i * MLP_LOGITS_SIZE], DigitClasses) == raw.heldOut[i].label;
    bool same = std::memcmp(first.data(), second.data(), first.size() * sizeof(float)) == 0;
    std::cout << right << " of " << raw.heldOutCount << " held-out digits right; the twins' bits are "
              << (same ? "the same" : "not the same") << '\n';
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
