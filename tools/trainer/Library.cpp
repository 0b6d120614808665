//===- Library.cpp - A compiled library as a learner ----------------------===//

#include "Library.h"

#include <nnc/network.h>

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <cassert>
#include <dlfcn.h>

using namespace llvm;
using namespace nnc::trainer;

/// An error that says what a call gave, and what it was about.
static Error makeError(nnc_status status, StringRef detail) {
  return createStringError(Twine(nnc_status_message(status)) + (detail.empty() ? "" : ": ") + detail);
}

//===----------------------------------------------------------------------===//
// What a network says of itself
//===----------------------------------------------------------------------===//

static Argument readArgument(const nnc_argument_info &info) {
  Argument argument;
  argument.name = info.name;
  argument.element = info.element == NNC_FLOAT   ? Element::Float
                     : info.element == NNC_TRUTH ? Element::Bool
                                                 : Element::Int;
  argument.classes = info.element == NNC_CLASS ? info.classes : 0;
  for (const nnc_extent &extent : ArrayRef(info.extents, info.rank))
    if (extent.dim < 0)
      argument.shape.push_back({Dim::Fixed, extent.size, 0, 1});
    else if (extent.dim > 0) // 0 is the batch, which an example does not have
      argument.shape.push_back({extent.dim - 1, 0, extent.offset, extent.stride});
  return argument;
}

/// The arguments of a function: inputs, then outputs.
static void readArguments(const nnc_network *network, int32_t function, std::vector<Argument> &inputs,
                          std::vector<Argument> &outputs) {
  nnc_function_info info;
  if (nnc_function_at(network, function, &info) != NNC_OK)
    return;
  for (int32_t i = 0; i < info.argument_count; ++i) {
    nnc_argument_info argument;
    if (nnc_argument_at(network, function, i, &argument) == NNC_OK)
      (argument.is_output ? outputs : inputs).push_back(readArgument(argument));
  }
}

/// The index of the train block that is called so; of the first for "".
static Expected<int32_t> findTrain(const nnc_network *network, StringRef name) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < nnc_train_count(network); ++i) {
    nnc_train_info info;
    if (nnc_train_at(network, i, &info) != NNC_OK)
      continue;
    if (name.empty() || name == info.name)
      return i;
    names.push_back(info.name);
  }
  if (names.empty())
    return createStringError("network " + Twine(nnc_network_name(network)) + " has no train block");
  return createStringError("network " + Twine(nnc_network_name(network)) + " has no train block " + name +
                           "; there are: " + join(names, ", "));
}

Expected<Library> Library::describe(const nnc_network *network, StringRef name) {
  Expected<int32_t> train = findTrain(network, name);
  if (!train)
    return train.takeError();
  Library library;
  library.network = network;
  library.train = *train;
  nnc_train_info info;
  nnc_train_at(network, *train, &info);

  Signature &signature = library.signature;
  signature.network = nnc_network_name(network);
  signature.train = info.name;
  signature.optimizer = info.optimizer;
  signature.sumsLoss = info.reduce_sum != 0;
  signature.batchSize = info.batch_size;
  signature.batch = info.batch == NNC_BATCH_ONLINE ? BatchKind::Online
                    : info.batch == NNC_BATCH_FULL ? BatchKind::Full
                                                   : BatchKind::Mini;
  for (int32_t i = 0; i < nnc_free_dim_count(network); ++i) {
    nnc_free_dim_info dim;
    nnc_free_dim_at(network, i, &dim);
    signature.freeDims.push_back({dim.name, dim.bound});
  }
  // Function 0 is inference; a train block's takes its inputs, then the labels.
  std::vector<Argument> columns, loss;
  readArguments(network, 0, signature.inputs, signature.outputs);
  readArguments(network, info.gradients, columns, loss);
  assert(columns.size() >= signature.inputs.size() && "a train block takes the network's inputs");
  signature.labels.assign(columns.begin() + signature.inputs.size(), columns.end());
  return library;
}

Expected<Library> Library::open(StringRef path, StringRef network, StringRef train, int threads) {
  if (nnc_status status = nnc_set_threads(threads); status != NNC_OK)
    return makeError(status, "-j" + std::to_string(threads));
  // Without a slash, dlopen would look elsewhere than where the user is.
  std::string file = path.contains('/') ? path.str() : ("./" + path).str();
  void *handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return createStringError(dlerror());
  std::string name = network.str();
  if (name.empty()) {
    StringRef stem = sys::path::stem(path);
    stem.consume_front("lib");
    name = stem.str();
  }
  auto *found = static_cast<const nnc_network *>(dlsym(handle, (name + "_network").c_str()));
  if (!found)
    return createStringError(path + ": has no network " + name + "; name it with -network");
  if (found->version != NNC_NETWORK_VERSION)
    return createStringError(path + ": " + nnc_status_message(NNC_VERSION_MISMATCH));
  Expected<Library> library = describe(found, train);
  if (!library)
    return createStringError(path + ": " + toString(library.takeError()));
  return library;
}

int64_t Library::getParameterCount() const {
  int64_t count = 0;
  for (int32_t i = 0; i < nnc_weight_count(network); ++i) {
    nnc_weight_info info;
    if (nnc_weight_at(network, i, &info) == NNC_OK && info.trainable)
      count += info.count;
  }
  return count;
}

bool Library::recordsLayers() const { return nnc_statistics_count(network, train) > 0; }

//===----------------------------------------------------------------------===//
// The learner
//===----------------------------------------------------------------------===//

namespace {

struct Destroy {
  void operator()(nnc_model *model) const { nnc_model_destroy(model); }
  void operator()(nnc_context *context) const { nnc_context_destroy(context); }
};

class LibraryLearner : public Learner {
public:
  LibraryLearner(const nnc_network *network, int32_t train, const Signature &signature)
      : network(network), train(train), signature(signature) {}

  Error create(int64_t maxBatch, ArrayRef<int64_t> lengths, uint64_t seed, StringRef weights);

  const Signature &getSignature() const override { return signature; }
  Expected<float> step(Batch &batch) override;
  Expected<float> addGradients(Batch &batch, bool accumulate) override;
  Error update() override { return check(nnc_train_update(context.get(), train)); }
  Error infer(Batch &batch, Outputs &outputs) override;

  int64_t getStep() const override { return nnc_training_step(context.get()); }
  int64_t getEpoch() const override { return nnc_training_epoch(context.get()); }
  Error setEpoch(int64_t epoch) override { return check(nnc_training_set_epoch(context.get(), epoch)); }
  double getRate() const override {
    return network->trains[train].rate(static_cast<double>(getStep()), static_cast<double>(getEpoch()));
  }

  Error save(StringRef path) override { return check(nnc_training_save(context.get(), path.str().c_str())); }
  Error load(StringRef path) override { return check(nnc_training_load(context.get(), path.str().c_str())); }
  Error saveWeights(StringRef path) override {
    nnc_status status = nnc_model_save(model.get(), path.str().c_str());
    return status == NNC_OK ? Error::success() : makeError(status, nnc_model_error(model.get()));
  }

  std::vector<LayerState> getLayers() override;
  Error saveProfile(StringRef table, StringRef trace) override;

private:
  Error check(nnc_status status) const {
    return status == NNC_OK ? Error::success() : makeError(status, nnc_context_error(context.get()));
  }

  /// Inputs, labels and the loss, as a call takes them.
  ArrayRef<void *> getArguments(Batch &batch) {
    arguments.clear();
    for (size_t column = 0; column < batch.getColumnCount(); ++column)
      arguments.push_back(batch.getData(column));
    arguments.push_back(&loss);
    return arguments;
  }

  const nnc_network *network;
  int32_t train;
  Signature signature;
  std::unique_ptr<nnc_model, Destroy> model;
  std::unique_ptr<nnc_context, Destroy> context;
  std::vector<void *> arguments;
  float loss = 0;
};

} // namespace

Error LibraryLearner::create(int64_t maxBatch, ArrayRef<int64_t> lengths, uint64_t seed, StringRef weights) {
  nnc_model_options options = {};
  options.seed = seed;
  nnc_model *newModel = nullptr;
  if (nnc_status status = nnc_model_create(network, &options, &newModel); status != NNC_OK)
    return makeError(status, signature.network);
  model.reset(newModel);
  nnc_context *newContext = nullptr;
  nnc_status status = nnc_training_create(newModel, nullptr, maxBatch, lengths.data(), &newContext);
  if (status != NNC_OK)
    return makeError(status, nnc_model_error(newModel));
  context.reset(newContext);
  if (Error error = check(nnc_training_seed(newContext, seed)))
    return error;
  if (weights.empty())
    return Error::success();
  status = nnc_model_load(newModel, weights.str().c_str());
  return status == NNC_OK ? Error::success() : makeError(status, nnc_model_error(newModel));
}

Expected<float> LibraryLearner::step(Batch &batch) {
  if (Error error = check(nnc_train_step(context.get(), train, batch.getSize(), batch.getLengths().data(),
                                         batch.getRagged().data(), getArguments(batch).data())))
    return error;
  return loss;
}

Expected<float> LibraryLearner::addGradients(Batch &batch, bool accumulate) {
  if (Error error =
          check(nnc_train_gradients(context.get(), train, accumulate, batch.getSize(), batch.getLengths().data(),
                                    batch.getRagged().data(), getArguments(batch).data())))
    return error;
  return loss;
}

std::vector<LayerState> LibraryLearner::getLayers() {
  std::vector<LayerState> layers;
  nnc_layer_statistics layer;
  for (int32_t i = 0; i < nnc_statistics_count(network, train); ++i)
    if (nnc_statistics_at(context.get(), train, i, &layer) == NNC_OK)
      layers.push_back({layer.layer, layer.operation, layer.source, static_cast<double>(layer.error),
                        static_cast<double>(layer.saturated), static_cast<double>(layer.dead)});
  return layers;
}

Error LibraryLearner::saveProfile(StringRef table, StringRef trace) {
  if (nnc_profile_count(network) == 0)
    return Error::success();
  if (Error error = check(nnc_profile_write_table(context.get(), table.str().c_str())))
    return error;
  return check(nnc_profile_write_trace(context.get(), trace.str().c_str()));
}

Error LibraryLearner::infer(Batch &batch, Outputs &outputs) {
  arguments.clear();
  for (size_t input = 0; input < signature.inputs.size(); ++input)
    arguments.push_back(batch.getData(input));
  outputs.resize(signature.outputs.size());
  for (auto [output, bytes] : zip(signature.outputs, outputs)) {
    bytes.resize(batch.getSize() * output.getCount(batch.getLengths()) * getSize(output.element));
    arguments.push_back(bytes.data());
  }
  return check(nnc_run(context.get(), /*function=*/0, batch.getSize(), batch.getLengths().data(),
                       batch.getRagged().data(), arguments.data()));
}

Expected<std::unique_ptr<Learner>> Library::makeLearner(int64_t batch, ArrayRef<int64_t> lengths, uint64_t seed,
                                                        StringRef weights) const {
  auto learner = std::make_unique<LibraryLearner>(network, train, signature);
  if (Error error = learner->create(batch, lengths, seed, weights))
    return error;
  return std::unique_ptr<Learner>(std::move(learner));
}
