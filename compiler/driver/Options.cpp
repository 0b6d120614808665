//===- Options.cpp - What the user asks nnc for ---------------------------===//

#include "compiler/driver/Options.h"

#include "compiler/emit/Cache.h"
#include "compiler/emit/DeviceCode.h"
#include "targets/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace nnc;
using namespace nnc::driver;

static cl::OptionCategory category("nnc options");

static cl::opt<std::string> input(cl::Positional, cl::desc("FILE.nn"), cl::init(""), cl::cat(category));
static cl::opt<std::string> output("o", cl::desc("Folder for the library; file for what -emit prints"),
                                   cl::value_desc("path"), cl::Prefix, cl::cat(category));
static cl::opt<std::string> target("target", cl::desc("Machine to compile for (see -list-targets)"), cl::init("x86"),
                                   cl::value_desc("name"), cl::cat(category));
static cl::list<std::string> architectures("arch", cl::CommaSeparated,
                                           cl::desc("Of CUDA: assemble the kernels for these, such as sm_80,sm_90, "
                                                    "with ptxas; without, a device's driver compiles them on loading"),
                                           cl::value_desc("names"), cl::cat(category));
static cl::opt<Emit>
    emitStation("emit", cl::desc("Print what leaves a station, instead of writing the library:"),
                cl::init(Emit::Library),
                cl::values(clEnumValN(Emit::Ast, "ast", "the source as a tree"),
                           clEnumValN(Emit::Model, "model", "the checked program, layers inlined"),
                           clEnumValN(Emit::Imported, "nn", "the nn dialect"),
                           clEnumValN(Emit::Typed, "nn-typed", "with every shape"),
                           clEnumValN(Emit::Split, "nn-split", "with time loops split"),
                           clEnumValN(Emit::Unfolded, "nn-bptt",
                                      "train blocks, unfolded in time for as many steps as -lengths says (3)"),
                           clEnumValN(Emit::Differentiated, "nn-grad", "with the gradients of losses"),
                           clEnumValN(Emit::Optimized, "nn-opt", "simplified, weights hoisted and laid out"),
                           clEnumValN(Emit::Grouped, "nn-groups", "with ops in groups"),
                           clEnumValN(Emit::Planned, "nn-planned", "with kernels and places in memory"),
                           clEnumValN(Emit::Algorithm, "algorithm", "each kernel as a Halide algorithm"),
                           clEnumValN(Emit::Loops, "loops", "each kernel's loops as they are scheduled"),
                           clEnumValN(Emit::LLVM, "llvm", "the entry functions as LLVM IR"),
                           clEnumValN(Emit::Device, "device", "the kernels' code for the device: PTX, OpenCL C"),
                           clEnumValN(Emit::Assembly, "asm", "entry functions and kernels as assembly"),
                           clEnumValN(Emit::Header, "header", "the C header"),
                           clEnumValN(Emit::Library, "library", "library and header, as files")),
                cl::cat(category));
static cl::opt<char> optimization("O",
                                  cl::desc("Optimization of the functions that call the kernels: -O0 to -O3 (2); the "
                                           "kernels, which do the work, are always optimized"),
                                  cl::Prefix, cl::init('2'), cl::value_desc("level"), cl::cat(category));
// For tests of the compiler: it finds no mistakes of the program's.
static cl::opt<std::string> sanitize("sanitize", cl::Hidden,
                                     cl::desc("Check every access to memory, in programs that link AddressSanitizer"),
                                     cl::value_desc("address"), cl::cat(category));
static cl::opt<std::string> libraryName("name", cl::desc("Name of the library instead of the network's"),
                                        cl::value_desc("name"), cl::cat(category));
static cl::list<std::string> set("set", cl::desc("Give a network's parameter another value than its default"),
                                 cl::value_desc("name=value"), cl::cat(category));
static cl::opt<bool> listWeights("list-weights",
                                 cl::desc("Print the weights: name, shape, and whether they are trained"),
                                 cl::cat(category));
static cl::opt<bool> noTrain("no-train", cl::desc("Leave train blocks out: a library for inference alone"),
                             cl::cat(category));
static cl::opt<bool> noWinograd("no-winograd",
                                cl::desc("Convolve directly everywhere: nearer to the exact result, and slower"),
                                cl::cat(category));
static cl::opt<bool> allWinograd("all-winograd",
                                 cl::desc("Convolve by tiles wherever that is possible, whatever it costs"),
                                 cl::cat(category));
static cl::opt<bool> shared("shared", cl::desc("Write a shared library too"), cl::cat(category));
static cl::opt<std::string> embedWeights("embed-weights", cl::desc("Carry these weights in the library"),
                                         cl::value_desc("file.safetensors"), cl::cat(category));
static cl::opt<std::string> stdPath("std-path", cl::desc("Folder of the standard library"), cl::value_desc("folder"),
                                    cl::cat(category));
static cl::opt<std::string> cacheDir("cache-dir", cl::desc("Folder of the kernel cache"), cl::value_desc("folder"),
                                     cl::cat(category));
static cl::opt<bool> noCache("no-cache", cl::desc("Compile every kernel anew"), cl::cat(category));
static cl::opt<unsigned> processes("j", cl::desc("Kernels compiled at once (one a processor)"), cl::Prefix, cl::init(0),
                                   cl::value_desc("N"), cl::cat(category));
static cl::opt<bool> writeDependencies("MD", cl::desc("Write which files were read, for make and ninja"),
                                       cl::cat(category));
static cl::opt<std::string> dependencyFile("MF", cl::desc("Where -MD writes"), cl::value_desc("file"),
                                           cl::cat(category));
static cl::opt<bool> verifyDiagnostics("verify-diagnostics",
                                       cl::desc("Check the errors against expected-error comments in the source"),
                                       cl::cat(category));
static cl::opt<bool> gradCheck("gradcheck",
                               cl::desc("Check the gradients of train blocks, in float64, against differences of "
                                        "losses, instead of writing the library"),
                               cl::cat(category));
static cl::opt<Report>
    report("explain", cl::desc("Explain the program, instead of writing the library:"), cl::init(Report::None),
           cl::ValueOptional,
           cl::values(clEnumValN(Report::Groups, "groups", "what is computed together, and how fast it can be"),
                      clEnumValN(Report::Groups, "", "the same"),
                      clEnumValN(Report::Memory, "memory", "the workspace of a call, and the least that it could be"),
                      clEnumValN(Report::Bptt, "bptt",
                                 "memory and operations of each policy of back-propagation through time"),
                      clEnumValN(Report::Gradients, "gradients", "the ways from losses back to weights")),
           cl::cat(category));
static cl::opt<bool> gradientStats("gradient-stats",
                                   cl::desc("Let training record norms of errors, saturated and dead activations, and "
                                            "where values are not finite"),
                                   cl::cat(category));
static cl::opt<bool> profile("profile", cl::desc("Let the library measure how long each group of operations takes"),
                             cl::cat(category));
static cl::opt<int64_t> callBatch("batch", cl::desc("Examples of the call that is checked or explained"), cl::init(0),
                                  cl::value_desc("N"), cl::cat(category));
static cl::list<std::string> callLengths("lengths", cl::desc("Lengths of the same"), cl::CommaSeparated,
                                         cl::value_desc("T=N,…"), cl::cat(category));
static cl::opt<bool> listTargets("list-targets", cl::desc("List the machines that can be compiled for"),
                                 cl::cat(category));

static std::optional<ExitCode> complain(const Twine &message) {
  errs() << "nnc: " << message << "\n";
  return ExitCode::WrongUsage;
}

/// Whether a name can begin C's names.
static bool isIdentifier(StringRef name) {
  return !name.empty() && !isDigit(name.front()) && all_of(name, [](char c) { return isAlnum(c) || c == '_'; });
}

/// The number of an architecture's name: 90 of sm_90 and sm_90a; 0 when it is none.
static unsigned getArchitectureNumber(StringRef name) {
  unsigned number = 0;
  if (!name.consume_front("sm_") || name.consumeInteger(10, number) || !(name.empty() || name == "a" || name == "f"))
    return 0;
  return number;
}

/// The one whose number is nearest; of two the older one, whose code the newer may run.
static std::string findNearestArchitecture(StringRef name, const std::vector<std::string> &known) {
  int wanted = getArchitectureNumber(name);
  auto distance = [&](const std::string &other) {
    int number = getArchitectureNumber(other);
    return std::tuple(std::abs(number - wanted), number, other.size());
  };
  return *min_element(known, [&](auto &a, auto &b) { return distance(a) < distance(b); });
}

static std::optional<ExitCode> checkArchitectures() {
  if (architectures.empty())
    return std::nullopt;
  if (target != "cuda")
    return complain("-arch is of -target=cuda");
  for (const std::string &name : architectures) {
    unsigned number = getArchitectureNumber(name);
    if (number == 0)
      return complain("'" + name + "' is no architecture of CUDA's; sm_80 and sm_90 are");
    if (number < 80)
      return complain("'" + name + "' is too old: kernels need sm_80 or later");
  }
  if (!emit::hasAssembler())
    return complain(
        "-arch needs ptxas and fatbinary of NVIDIA's CUDA toolkit; without -arch the kernels stay PTX, which "
        "the device's driver compiles");
  std::vector<std::string> known = emit::getKnownArchitectures();
  for (const std::string &name : architectures)
    if (!known.empty() && !is_contained(known, name))
      return complain("'" + name + "' is not known to ptxas; did you mean '" + findNearestArchitecture(name, known) +
                      "'?");
  return std::nullopt;
}

/// "T=100" as a name and a number that a call can have.
static std::optional<std::pair<std::string, int64_t>> readLength(StringRef text) {
  auto [name, value] = text.split('=');
  int64_t number;
  if (name.empty() || value.getAsInteger(10, number) || number < 1 || number > std::numeric_limits<int32_t>::max())
    return std::nullopt;
  return std::pair(name.str(), number);
}

static std::optional<ExitCode> checkOptions() {
  if (input.empty())
    return complain("no input file; try nnc -help");
  if (!targets::findTarget(target))
    return complain("there is no target '" + target + "'; there are: " + join(targets::targetNames(), ", "));
  if (optimization < '0' || optimization > '3')
    return complain("there is no optimization level '" + Twine(optimization.getValue()) + "'; there are 0 to 3");
  if (!sanitize.empty() && sanitize != "address")
    return complain("there is no sanitizer '" + sanitize + "' for libraries; there is: address");
  if (!libraryName.empty() && !isIdentifier(libraryName))
    return complain("'" + libraryName + "' cannot be a library's name: use letters, digits and underscores");
  for (StringRef setting : set)
    if (!isIdentifier(setting.split('=').first) || setting.split('=').second.empty())
      return complain("'" + setting + "' sets nothing: write -set name=value");
  if (StringRef(input).ends_with(".mlir") && (!set.empty() || listWeights))
    return complain("-set and -list-weights need a program, not a module");
  if (listWeights && emitStation != Emit::Library)
    return complain("-list-weights and -emit exclude each other");
  if (report != Report::None && (emitStation != Emit::Library || gradCheck || listWeights))
    return complain("-explain excludes -emit, -gradcheck and -list-weights");
  if (report != Report::None && StringRef(input).ends_with(".mlir"))
    return complain("-explain needs a program, not a module");
  if (!dependencyFile.empty() && !writeDependencies)
    return complain("-MF needs -MD");
  if (callBatch < 0)
    return complain("-batch is at least 1");
  for (StringRef length : callLengths)
    if (!readLength(length))
      return complain("'" + length + "' is no length: write -lengths T=100");
  if (noCache && !cacheDir.empty())
    return complain("-cache-dir and -no-cache exclude each other");
  if ((emitStation != Emit::Library || report != Report::None) && (shared || writeDependencies))
    return complain("-shared and -MD need the library, which " + Twine(report == Report::None ? "-emit" : "-explain") +
                    " does not write");
  if (gradientStats && noTrain)
    return complain("-gradient-stats and -no-train exclude each other");
  if (profile && target != "x86")
    return complain("-profile measures what the processor runs; on a device groups are not measured one by one");
  if (emitStation == Emit::Device && target == "x86")
    return complain("-emit=device is of a target that has a device: " +
                    join(ArrayRef(targets::targetNames()).drop_front(), ", "));
  return checkArchitectures();
}

std::optional<ExitCode> driver::parseOptions(int argc, char **argv, Options &options) {
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter([](raw_ostream &os) { os << "nnc " NNC_VERSION "\n"; });
  if (!cl::ParseCommandLineOptions(argc, argv, "compiles neural networks to C libraries\n", &errs()))
    return ExitCode::WrongUsage;
  if (listTargets) {
    for (const std::string &name : targets::targetNames())
      outs() << name << "\n";
    return ExitCode::Success;
  }
  if (std::optional<ExitCode> wrong = checkOptions())
    return wrong;
  options.input = input;
  options.output = output;
  options.target = target;
  options.architectures = architectures;
  options.emit = emitStation;
  options.optimization = optimization - '0';
  options.sanitize = !sanitize.empty();
  options.name = libraryName;
  for (StringRef setting : set)
    options.parameters.emplace_back(setting.split('=').first, setting.split('=').second);
  options.listsWeights = listWeights;
  options.leavesTrainingOut = noTrain;
  options.usesWinograd = !noWinograd && !gradCheck; // gradients of what was written
  options.allWinograd = allWinograd;
  options.shared = shared;
  options.embeddedWeights = embedWeights;
  options.stdFolder = stdPath;
  if (!noCache)
    options.cacheFolder = cacheDir.empty() ? emit::Cache::getDefaultFolder() : cacheDir.getValue();
  options.processes = processes;
  options.writeDependencies = writeDependencies;
  options.dependencyFile = dependencyFile;
  options.verifyDiagnostics = verifyDiagnostics;
  options.checksGradients = gradCheck;
  options.report = report;
  options.recordsGradients = gradientStats;
  options.profiles = profile;
  options.batch = callBatch;
  for (StringRef length : callLengths)
    options.lengths.insert(*readLength(length));
  return std::nullopt;
}
