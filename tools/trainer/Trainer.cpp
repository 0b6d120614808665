//===- Trainer.cpp - The loop of training ---------------------------------===//

#include "Trainer.h"
#include "Plot.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace nnc::trainer;

static constexpr StringLiteral CheckpointFile = "checkpoint.safetensors", HistoryFile = "history.jsonl",
                               PlotFile = "history.svg", BestFile = "best.safetensors",
                               WeightsFile = "weights.safetensors", TableFile = "profile.txt",
                               TraceFile = "profile.json";

int64_t nnc::trainer::getBatch(const Settings &settings, const Signature &signature, int64_t examples) {
  int64_t batch = settings.batch != 0                    ? settings.batch
                  : signature.batch == BatchKind::Online ? 1
                  : signature.batch == BatchKind::Full   ? examples
                                                         : signature.batchSize;
  return std::clamp<int64_t>(batch, 1, examples);
}

int64_t nnc::trainer::getChunk(const Settings &settings, int64_t batch) {
  return std::min(batch, settings.chunk != 0 ? settings.chunk : DefaultChunk);
}

bool Convergence::add(double loss, double improvement) {
  bool isLeast = epochs == 0 || loss < best;
  // A small fall is the new best, but does not reset the patience.
  bool isImprovement = epochs == 0 || loss < best - std::abs(best) * improvement;
  ++epochs;
  sinceBest = isImprovement ? 0 : sinceBest + 1;
  if (isLeast)
    best = loss;
  return isLeast;
}

Trainer::Trainer(Learner &learner, const DataSet &train, const DataSet *heldOut, Settings settings, Progress &progress,
                 std::function<bool()> shouldStop)
    : learner(learner), train(train), heldOut(heldOut), settings(std::move(settings)), progress(progress),
      shouldStop(std::move(shouldStop)), batchSize(getBatch(this->settings, learner.getSignature(), train.getSize())),
      chunk(getChunk(this->settings, batchSize)), pairing(findPairing(learner.getSignature(), this->settings.output)) {}

std::string Trainer::getPath(StringRef file) const {
  SmallString<128> path(settings.folder);
  sys::path::append(path, file);
  return path.str().str();
}

void Trainer::warn(Error error) { progress.print("warning: " + toString(std::move(error))); }

void Trainer::record(json::Object event) {
  if (Error error = history->append(std::move(event)))
    warn(std::move(error));
}

//===----------------------------------------------------------------------===//
// Beginning and going on
//===----------------------------------------------------------------------===//

/// What a run must have in common with the one that it resumes.
json::Object Trainer::describeRun() const {
  const Signature &signature = learner.getSignature();
  return json::Object{{"event", "start"},
                      {"network", signature.network},
                      {"train", signature.train},
                      {"optimizer", signature.optimizer},
                      {"examples", train.getSize()},
                      {"data", utohexstr(train.getFingerprint())},
                      {"batch", batchSize},
                      {"chunk", chunk},
                      {"seed", std::to_string(settings.seed)}};
}

Error Trainer::checkSameRun(const json::Object &start) const {
  auto print = [](const json::Value &value) { return formatv("{0}", value).str(); };
  for (const auto &[key, value] : describeRun()) {
    const json::Value *before = start.get(key);
    if (!before || *before != value)
      return createStringError(getPath(HistoryFile) + ": " + StringRef(key) + " was " +
                               (before ? print(*before) : "not given") + " and is " + print(value) +
                               "; the run cannot be resumed");
  }
  return Error::success();
}

Error Trainer::resume() {
  if (Error error = learner.load(getPath(CheckpointFile)))
    return error;
  Expected<History> resumed = History::resume(getPath(HistoryFile), learner.getEpoch(), learner.getStep());
  if (!resumed)
    return resumed.takeError();
  history.emplace(std::move(*resumed));
  if (Error error = checkSameRun(history->getEvents().front()))
    return error;
  for (const json::Object &event : history->getEvents())
    if (getEvent(event) == "epoch")
      convergence.add(event.getNumber("criterion").value_or(NAN), settings.improvement);
  const json::Object &last = history->getEvents().back();
  position.examples = last.getInteger("position").value_or(0);
  position.lossSum = last.getNumber("loss_sum").value_or(0);
  position.lineSum = last.getNumber("line_sum").value_or(0);
  position.lineExamples = last.getInteger("line_examples").value_or(0);
  position.seconds = last.getNumber("seconds").value_or(0);
  progress.print("resumed at epoch " + Twine(learner.getEpoch() + 1) + ", step " + Twine(learner.getStep()));
  return Error::success();
}

Error Trainer::begin() {
  if (std::error_code error = sys::fs::create_directories(settings.folder, true, sys::fs::all_all))
    return createStringError(error, settings.folder + ": " + error.message());
  if (settings.resume)
    return resume();
  if (sys::fs::exists(getPath(CheckpointFile)))
    return createStringError(settings.folder + " has the checkpoint of another run; resume it, or take another folder");
  Expected<History> created = History::create(getPath(HistoryFile));
  if (!created)
    return created.takeError();
  history.emplace(std::move(*created));
  if (Error error = history->append(describeRun()))
    return error;
  return learner.setEpoch(0);
}

//===----------------------------------------------------------------------===//
// Saving
//===----------------------------------------------------------------------===//

/// The history says first where the epoch stands, then the checkpoint is made:
/// when the process ends in between, the older checkpoint's line is still there.
void Trainer::saveCheckpoint() {
  lastCheckpoint = getSeconds();
  Error error = history->append(json::Object{{"event", "checkpoint"},
                                             {"epoch", learner.getEpoch()},
                                             {"step", learner.getStep()},
                                             {"position", position.examples},
                                             {"loss_sum", position.lossSum},
                                             {"line_sum", position.lineSum},
                                             {"line_examples", position.lineExamples},
                                             {"seconds", position.seconds}});
  if (!error)
    error = history->flush();
  if (!error)
    error = learner.save(getPath(CheckpointFile));
  isSaved = !error;
  if (error)
    warn(std::move(error));
}

Error Trainer::saveWeights(StringRef file) { return learner.saveWeights(getPath(file)); }

/// Replaces a file by this text, or leaves it as it is.
static Error writeFile(const std::string &path, StringRef text) {
  std::string temporary = path + ".tmp";
  std::error_code error;
  raw_fd_ostream os(temporary, error);
  if (!error) {
    os << text;
    os.close();
    error = os.error();
    os.clear_error(); // which would end the process
  }
  if (!error)
    error = sys::fs::rename(temporary, path);
  if (!error)
    return Error::success();
  sys::fs::remove(temporary);
  return createStringError(error, path + ": " + error.message());
}

void Trainer::savePlot() {
  const Signature &signature = learner.getSignature();
  std::string svg = drawCharts(getCharts(history->getEvents()), "epochs of " + signature.network);
  Error error = writeFile(getPath(PlotFile), svg);
  if (error)
    warn(std::move(error));
}

//===----------------------------------------------------------------------===//
// Epochs and steps
//===----------------------------------------------------------------------===//

/// Takes one step of the optimizer and gives the loss summed over the examples.
Expected<double> Trainer::takeStep(ArrayRef<int64_t> examples) {
  bool whole = static_cast<int64_t>(examples.size()) <= chunk;
  double sum = 0;
  for (ArrayRef<int64_t> left = examples; !left.empty();) {
    size_t count = std::min<size_t>(left.size(), chunk);
    batch.fill(train, left.take_front(count));
    Expected<float> loss = whole ? learner.step(batch) : learner.addGradients(batch, left.size() != examples.size());
    if (!loss)
      return loss.takeError();
    sum += static_cast<double>(*loss) * (learner.getSignature().sumsLoss ? 1 : static_cast<double>(count));
    left = left.drop_front(count);
  }
  if (!whole)
    if (Error error = learner.update())
      return error;
  return sum;
}

void Trainer::logLoss() {
  double at = static_cast<double>(learner.getEpoch()) +
              static_cast<double>(position.examples) / static_cast<double>(train.getSize());
  record(json::Object{{"event", "loss"},
                      {"at", at},
                      {"step", learner.getStep()},
                      {"loss", position.lineSum / static_cast<double>(position.lineExamples)},
                      {"rate", learner.getRate()}});
  position.lineSum = 0;
  position.lineExamples = 0;
}

void Trainer::show(double started) {
  double seconds = getSeconds() - started;
  if (seconds > 0.5 || examplesPerSecond == 0)
    examplesPerSecond = static_cast<double>(position.examples - resumedAt) / std::max(seconds, 1e-9);
  progress.show({learner.getEpoch() + 1, settings.epochs, position.examples, train.getSize(),
                 position.lossSum / static_cast<double>(position.examples), learner.getRate(), examplesPerSecond});
}

/// Trains until the end of the epoch. Gives false when it was stopped before.
Expected<bool> Trainer::runEpoch() {
  std::vector<int64_t> order = shuffle(train.getSize(), settings.seed, learner.getEpoch());
  double started = getSeconds(), secondsBefore = position.seconds;
  resumedAt = position.examples;
  while (position.examples < train.getSize()) {
    size_t count = std::min(batchSize, train.getSize() - position.examples);
    Expected<double> loss = takeStep(ArrayRef<int64_t>(order).slice(position.examples, count));
    if (!loss)
      return createStringError("step " + Twine(learner.getStep()) + ", epoch " + Twine(learner.getEpoch() + 1) + ": " +
                               toString(loss.takeError()));
    int64_t lines = position.examples * settings.lossLines / train.getSize();
    position.examples += static_cast<int64_t>(count);
    position.lossSum += *loss;
    position.lineSum += *loss;
    position.lineExamples += static_cast<int64_t>(count);
    position.seconds = secondsBefore + getSeconds() - started;
    if (position.examples * settings.lossLines / train.getSize() != lines)
      logLoss();
    show(started);
    if (shouldStop())
      return false;
    if (getSeconds() - lastCheckpoint >= settings.checkpointSeconds)
      saveCheckpoint();
  }
  return true;
}

static std::string formatEpoch(const json::Object &event) {
  std::string line;
  raw_string_ostream os(line);
  os << "epoch " << event.getInteger("epoch").value_or(0) << format(": loss %.4f", event.getNumber("loss").value_or(0));
  static const std::pair<StringRef, StringRef> values[] = {{"held_out_cross_entropy", "cross entropy"},
                                                           {"held_out_mean_squared_error", "mean squared error"}};
  static const std::pair<StringRef, StringRef> shares[] = {{"held_out_accuracy", "accuracy"},
                                                           {"held_out_exact", "whole examples"}};
  const char *lead = "; held out: ";
  for (const auto &[field, name] : values)
    if (std::optional<double> value = event.getNumber(field)) {
      os << lead << name << format(" %.4f", *value);
      lead = ", ";
    }
  for (const auto &[field, name] : shares)
    if (std::optional<double> value = event.getNumber(field)) {
      os << lead << name << format(" %.2f %%", 100 * *value);
      lead = ", ";
    }
  os << "; " << formatDuration(event.getNumber("seconds").value_or(0))
     << format(", rate %.3g", event.getNumber("rate").value_or(0));
  return line;
}

/// "  dense1 dense (net.nn:4:7): error 0.013, saturated 2 %".
static std::string formatLayer(const LayerState &layer) {
  std::string line;
  raw_string_ostream os(line);
  os << "  " << layer.layer << (layer.layer.empty() ? "" : " ") << layer.operation << " (" << layer.source << ")";
  const char *lead = ": ";
  auto add = [&](double value, const char *text) {
    if (value < 0) // there is none; what is no number is said
      return;
    os << lead << format(text, value);
    lead = ", ";
  };
  add(layer.error, "error %.3g");
  add(100 * layer.saturated, "saturated %.1f %%");
  add(100 * layer.dead, "dead %.1f %%");
  return line;
}

/// Says and writes down what the last step found in each layer.
void Trainer::logLayers() {
  json::Array list;
  for (const LayerState &layer : learner.getLayers()) {
    json::Object own{{"layer", layer.layer}, {"operation", layer.operation}, {"source", layer.source}};
    for (auto [name, value] : {std::pair("error", layer.error), {"saturated", layer.saturated}, {"dead", layer.dead}})
      if (value >= 0 && std::isfinite(value))
        own[name] = value;
    list.push_back(std::move(own));
    progress.print(formatLayer(layer));
  }
  if (!list.empty())
    record(json::Object{{"event", "layers"}, {"epoch", learner.getEpoch() + 1}, {"layers", std::move(list)}});
}

/// Looks at the held-out set, writes down the epoch and goes to the next.
Error Trainer::endEpoch() {
  double loss = position.lossSum / static_cast<double>(train.getSize()), criterion = loss;
  json::Object event{{"event", "epoch"}, {"epoch", learner.getEpoch() + 1}, {"step", learner.getStep()},
                     {"loss", loss},     {"rate", learner.getRate()},       {"seconds", position.seconds}};
  if (heldOut && pairing) {
    Expected<Metrics> metrics = evaluate(learner, *heldOut, *pairing, chunk);
    if (!metrics)
      return createStringError("held-out set: " + toString(metrics.takeError()));
    criterion = metrics->getLoss();
    auto set = [&](StringRef field, std::optional<double> value) {
      if (value)
        event[field] = *value;
    };
    set("held_out_cross_entropy", metrics->crossEntropy);
    set("held_out_mean_squared_error", metrics->meanSquaredError);
    set("held_out_accuracy", metrics->accuracy);
    set("held_out_exact", metrics->exact);
  }
  event["criterion"] = criterion;
  progress.print(formatEpoch(event));
  record(std::move(event));
  if (settings.showsLayers)
    logLayers();
  if (convergence.add(criterion, settings.improvement))
    if (Error error = saveWeights(BestFile))
      warn(std::move(error));
  if (Error error = learner.setEpoch(learner.getEpoch() + 1))
    return error;
  position = {};
  return Error::success();
}

bool Trainer::hasConverged() const { return settings.patience > 0 && convergence.sinceBest >= settings.patience; }

Expected<Outcome> Trainer::run() {
  if (Error error = begin())
    return error;
  lastCheckpoint = getSeconds();
  while (learner.getEpoch() < settings.epochs && !hasConverged()) {
    Expected<bool> isWhole = runEpoch();
    if (!isWhole)
      return isWhole.takeError();
    if (*isWhole)
      if (Error error = endEpoch())
        return error;
    saveCheckpoint();
    savePlot();
    if (!*isWhole || shouldStop()) {
      if (!isSaved)
        return createStringError("stopped, and the last checkpoint could not be written");
      return Outcome::Stopped;
    }
  }
  if (Error error = saveWeights(WeightsFile))
    return error;
  if (Error error = learner.saveProfile(getPath(TableFile), getPath(TraceFile)))
    warn(std::move(error));
  if (!isSaved)
    return createStringError("the last checkpoint could not be written");
  return hasConverged() ? Outcome::Converged : Outcome::Finished;
}
