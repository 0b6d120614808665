//===- Options.cpp - What the user asks nnc-train for ---------------------===//

#include "Options.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace llvm;
using namespace nnc::trainer;

static cl::OptionCategory category("nnc-train options");

static cl::opt<std::string> library(cl::Positional, cl::desc("libNAME.so"), cl::init(""), cl::cat(category));
static cl::opt<std::string> data("data", cl::desc("Examples to train on"), cl::value_desc("file.safetensors"),
                                 cl::cat(category));
static cl::opt<std::string> heldOut("held-out", cl::desc("Examples to look at after each epoch"),
                                    cl::value_desc("file.safetensors"), cl::cat(category));
static cl::opt<std::string> folder("o", cl::desc("Folder of the run (run)"), cl::init("run"), cl::value_desc("folder"),
                                   cl::cat(category));
static cl::opt<bool> resume("resume", cl::desc("Go on from the folder's checkpoint"), cl::cat(category));
static cl::opt<std::string> weights("weights", cl::desc("Weights to start from, instead of random ones"),
                                    cl::value_desc("file.safetensors"), cl::cat(category));
static cl::opt<std::string> network("network", cl::desc("Network of the library (the one it is named after)"),
                                    cl::value_desc("name"), cl::cat(category));
static cl::opt<std::string> train("train", cl::desc("Train block (the first)"), cl::value_desc("name"),
                                  cl::cat(category));
static cl::opt<std::string> output("output", cl::desc("Output that is compared with the labels (the first that fits)"),
                                   cl::value_desc("name"), cl::cat(category));
static cl::opt<int64_t> epochs("epochs", cl::desc("Epochs in all (10)"), cl::init(10), cl::value_desc("N"),
                               cl::cat(category));
static cl::opt<int64_t> patience("patience", cl::desc("Stop after N epochs in which the loss has not improved (never)"),
                                 cl::init(0), cl::value_desc("N"), cl::cat(category));
static cl::opt<double> improvement("improvement", cl::desc("Share by which it must fall to improve (0.001)"),
                                   cl::init(1e-3), cl::value_desc("share"), cl::cat(category));
static cl::opt<int64_t> batch("batch", cl::desc("Examples of a step (as the program says)"), cl::init(0),
                              cl::value_desc("N"), cl::cat(category));
static cl::opt<int64_t> chunk("chunk", cl::desc("Most examples of a call; larger batches are added up (256)"),
                              cl::init(0), cl::value_desc("N"), cl::cat(category));
static cl::opt<uint64_t> seed("seed", cl::desc("Seed of weights, order and dropout (0)"), cl::init(0),
                              cl::value_desc("N"), cl::cat(category));
static cl::opt<int> threads("j", cl::desc("Threads (one a processor)"), cl::Prefix, cl::init(0), cl::value_desc("N"),
                            cl::cat(category));
static cl::opt<double> checkpointSeconds("checkpoint-every", cl::desc("Seconds between checkpoints in an epoch (60)"),
                                         cl::init(60), cl::value_desc("seconds"), cl::cat(category));

static cl::opt<bool> layers("layers",
                            cl::desc("Say after each epoch what the last step found in each layer (nnc "
                                     "-gradient-stats)"),
                            cl::cat(category));

static std::optional<ExitCode> complain(const Twine &message) {
  errs() << "nnc-train: " << message << "\n";
  return ExitCode::WrongUsage;
}

static std::optional<ExitCode> checkOptions() {
  if (library.empty())
    return complain("no library; try nnc-train -help");
  if (data.empty())
    return complain("no examples to train on; give -data=file.safetensors");
  if (epochs < 1)
    return complain("-epochs is " + Twine(epochs.getValue()) + "; there must be at least one");
  if (patience < 0 || threads < 0)
    return complain("-patience and -j cannot be negative");
  for (const cl::opt<int64_t> *size : {&batch, &chunk})
    if (size->getNumOccurrences() != 0 && *size < 1)
      return complain("-" + size->ArgStr + " is " + Twine(size->getValue()) + "; there must be at least one example");
  if (!(improvement >= 0) || !(improvement < 1))
    return complain("-improvement is a share in [0, 1)");
  if (!(checkpointSeconds >= 0))
    return complain("-checkpoint-every cannot be negative");
  if (resume && !weights.empty())
    return complain("-resume and -weights exclude each other");
  return std::nullopt;
}

std::optional<ExitCode> nnc::trainer::parseOptions(int argc, char **argv, Options &options) {
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter([](raw_ostream &os) { os << "nnc-train " NNC_VERSION "\n"; });
  if (!cl::ParseCommandLineOptions(argc, argv, "trains networks that nnc has compiled\n", &errs()))
    return ExitCode::WrongUsage;
  if (std::optional<ExitCode> wrong = checkOptions())
    return wrong;
  options.library = library;
  options.network = network;
  options.train = train;
  options.data = data;
  options.heldOut = heldOut;
  options.weights = weights;
  options.threads = threads;
  options.settings.folder = folder;
  options.settings.resume = resume;
  options.settings.epochs = epochs;
  options.settings.patience = patience;
  options.settings.improvement = improvement;
  options.settings.batch = batch;
  options.settings.chunk = chunk;
  options.settings.seed = seed;
  options.settings.checkpointSeconds = checkpointSeconds;
  options.settings.output = output;
  options.settings.showsLayers = layers;
  return std::nullopt;
}
