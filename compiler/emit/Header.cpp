//===- Header.cpp - The C header of a library -----------------------------===//
//
// Declares what compiler/emit/Api.cpp defines: parameters come in the same order.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Header.h"

#include "compiler/emit/Entry.h"
#include "compiler/emit/Work.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

namespace {

class HeaderEmitter {
public:
  HeaderEmitter(const Interface &interface, StringRef source)
      : interface(interface), name(interface.name), prefix(interface.prefix), source(source), os(text) {}

  std::string emit() {
    emitTop();
    emitSizes();
    emitWeights();
    emitModel();
    for (const Function &function : interface.functions)
      if (function.kind == FunctionKind::Infer || function.isStep())
        emitFunction(function);
    if (interface.reset)
      os << "\n/** Sets the state of every example back to its start values. */\n"
         << "NNC_API nnc_status " << name << "_reset(nnc_context *context);\n";
    if (!interface.trains.empty())
      emitTraining();
    emitBottom();
    return text;
  }

private:
  void emitTop();
  void emitSizes();
  void emitWorkSize();
  void emitWeights();
  void emitModel();
  void emitContextCreate(StringRef function, StringRef purpose);
  void emitFunction(const Function &function);
  void emitArguments(const Function &function);
  void emitParameters(const Function &function);
  void emitTraining();
  void emitTrain(const Train &train, size_t index);
  void emitFlow(const Train &train);
  void emitBottom();

  void emitDefine(StringRef macro, Twine value, StringRef comment) {
    os << "#define " << macro << ' ' << value << " /* " << comment << " */\n";
  }
  std::string getGuard() const { return ("NNC_" + prefix + "_H").str(); }
  std::string describeShape(RankedTensorType type, bool ofOneStep = false) const;
  std::string getExpression(const nn::Length &length) const;
  void emitWorkspace(const Function &function);

  const Interface &interface;
  StringRef name, prefix, source;
  std::string text;
  llvm::raw_string_ostream os;
};

} // namespace

/// "[batch][T][64]"; of one step, "[batch][64]".
std::string HeaderEmitter::describeShape(RankedTensorType type, bool ofOneStep) const {
  std::string shape;
  for (const nn::Extent &extent : nn::getExtents(type))
    if (!extent.isDynamic() || !ofOneStep || extent.name.getValue() == nn::batchName)
      shape += "[" + (extent.isDynamic() ? extent.name.str() : std::to_string(extent.size)) + "]";
  return shape;
}

/// A length as an expression of C, in the macros' parameters.
std::string HeaderEmitter::getExpression(const nn::Length &length) const {
  std::string value = length.symbol;
  if (int32_t dim = interface.getFreeDim(length.symbol); dim >= 0)
    value = "(int64_t)(" + interface.freeDims[dim].identifier + ")";
  if (length.offset != 0) {
    std::string sum = value + (length.offset > 0 ? " + " : " - ") + std::to_string(std::abs(length.offset));
    value = length.offset > 0 ? "(" + sum + ")" : "(" + sum + " > 0 ? " + sum + " : 0)";
  }
  return length.stride == 1 ? value : value + " / " + std::to_string(length.stride);
}

void HeaderEmitter::emitTop() {
  os << "/* " << name << ".h - written by nnc " NNC_VERSION " from "
     << (source == "-" ? "standard input" : llvm::sys::path::filename(source)) << ". Link with -lnnc_runtime. */\n\n"
     << "#ifndef " << getGuard() << "\n#define " << getGuard() << "\n\n"
     << "#include <nnc/runtime.h>\n\n"
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
}

void HeaderEmitter::emitBottom() { os << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* " << getGuard() << " */\n"; }

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

void HeaderEmitter::emitSizes() {
  llvm::StringSet<> defined;
  for (const Function &function : interface.functions)
    for (const Argument &argument : function.arguments)
      if (argument.hasFixedSize() && !function.isStep() && defined.insert(argument.macro).second)
        emitDefine(argument.macro, Twine(nn::getFixedSize(argument.type)),
                   "elements of one example of " + argument.name);
  for (const FreeDim &dim : interface.freeDims)
    if (dim.bound > 0)
      emitDefine((prefix + "_MAX_" + StringRef(dim.name).upper()).str(), Twine(dim.bound), "the longest " + dim.name);
  emitDefine((prefix + "_WEIGHTS_BYTES").str(), Twine(interface.weightsBytes), "of all weights in memory");
  emitWorkSize();
  for (const Function &function : interface.functions)
    if (function.kind != FunctionKind::Update && function.kind != FunctionKind::Flow)
      emitWorkspace(function);
  os << '\n';
}

/// Bytes that a call of a function computes in, as a macro of the batch and the lengths.
/// Of windows and segments of sequences the runtime says it, which chooses how many there
/// are.
void HeaderEmitter::emitWorkspace(const Function &function) {
  auto train = function.op->getAttrOfType<DictionaryAttr>("nn.train");
  if (train && nn::getWindowLength(train) > 0)
    return;
  std::string sum;
  for (const Arena &arena : getArenas(cast<func::FuncOp>(function.op))) {
    std::string term = "(size_t)" + std::to_string(arena.bytes);
    for (const nn::Length &length : nn::parseProduct(arena.unit)) {
      if (length.symbol == "1")
        continue;
      int32_t dim = interface.getFreeDim(length.symbol);
      if (dim >= static_cast<int32_t>(interface.freeDims.size()))
        return;
      term += " * " + (length.symbol == nn::batchName ? "(size_t)(batch)" : "(size_t)(" + getExpression(length) + ")");
    }
    sum += (sum.empty() ? "" : " + ") + term;
  }
  std::string macro = (prefix + "_" + StringRef(function.name).upper() + "_WORKSPACE(batch").str();
  for (const FreeDim &dim : interface.freeDims)
    macro += ", " + dim.identifier;
  emitDefine(macro + ")", "(" + (sum.empty() ? "0" : sum) + ")",
             "bytes, of those of a context, that a call computes in");
}

/// Floating-point operations of one example: a number, or a macro of the
/// lengths.
void HeaderEmitter::emitWorkSize() {
  Work terms;
  for (auto &[unit, count] : getWork(cast<func::FuncOp>(interface.functions.front().op))) {
    std::string term;
    for (const nn::Length &length : nn::parseProduct(unit)) {
      if (length.symbol == nn::batchName || length.symbol == "1")
        continue;
      term += " * " + getExpression(length);
    }
    terms[term] += count;
  }
  if (terms.empty())
    return;
  std::string sum;
  for (auto &[term, count] : terms)
    sum += (sum.empty() ? "" : " + ") + std::to_string(count) + term;
  std::string macro = (prefix + "_FLOPS").str();
  if (!interface.freeDims.empty()) {
    macro += "(" +
             llvm::join(llvm::map_range(interface.freeDims, [](const FreeDim &dim) { return dim.identifier; }), ", ") +
             ")";
    sum = "(" + sum + ")";
  }
  emitDefine(macro, sum, "floating-point operations of one example");
}

void HeaderEmitter::emitWeights() {
  if (interface.weights.empty())
    return;
  size_t widest = 0;
  for (const Weight &weight : interface.weights)
    widest = std::max(widest, weight.name.size());
  os << "/* Weights, by the names under which nnc_weight_read, nnc_weight_write and the files of nnc_model_load know\n"
     << " * them:\n *\n";
  for (const Weight &weight : interface.weights) {
    os << " *   " << llvm::left_justify(weight.name, widest) << "  " << describeShape(weight.type);
    if (!weight.isTrainable)
      os << "  a running statistic";
    os << '\n';
  }
  os << " */\n\n";
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

void HeaderEmitter::emitModel() {
  os << "/** The network itself, for the functions of nnc/runtime.h. */\n"
     << "extern NNC_API const nnc_network " << name << "_network;\n\n"
     << "/** Makes a model with initialized weights; options may be null. */\n"
     << "NNC_API nnc_status " << name << "_create(const nnc_model_options *options, nnc_model **out_model);\n"
     << "NNC_API void " << name << "_destroy(nnc_model *model);\n\n";
  emitContextCreate("context_create", "Makes room for calls with");
  os << "NNC_API void " << name << "_context_destroy(nnc_context *context);\n";
}

void HeaderEmitter::emitContextCreate(StringRef function, StringRef purpose) {
  os << "/** " << purpose << " up to max_batch examples";
  for (const FreeDim &dim : interface.freeDims)
    os << (&dim == &interface.freeDims.front() ? " and lengths of up to max_" : ", max_") << dim.name;
  os << ".\n * A context serves one caller at a time. */\n"
     << "NNC_API nnc_status " << name << "_" << function << "(nnc_model *model, int64_t max_batch";
  for (const FreeDim &dim : interface.freeDims)
    os << ", int64_t max_" << dim.identifier;
  os << ", nnc_context **out_context);\n";
}

static StringRef getElementType(const Argument &argument) {
  return argument.isClass() ? "int32_t" : argument.isTruth() ? "uint8_t" : "float";
}

static std::string describeElement(const Argument &argument) {
  // No name of the language has a dot.
  if (StringRef(argument.name).ends_with(".lengths"))
    return ", how many steps each example took";
  if (!argument.isClass())
    return argument.isTruth() ? ", 0 or 1" : "";
  return argument.classes ? ", numbers of " + std::to_string(argument.classes) + " classes" : ", numbers of classes";
}

/// A line of the comment for each argument.
void HeaderEmitter::emitArguments(const Function &function) {
  auto isStep = [&](const Argument &argument) { // the last input
    return function.kind == FunctionKind::Flow && argument.isClass() && argument.type.getRank() == 0;
  };
  for (const Argument &argument : function.arguments)
    os << " * " << (argument.isOutput ? "gives " : "takes ") << argument.identifier
       << (argument.type.getRank() ? " " : "") << describeShape(argument.type, function.isStep())
       << (isStep(argument) ? ", the step, counted from 0, or -1" : describeElement(argument)) << '\n';
  if (!function.isStep())
    for (const FreeDim &dim : interface.freeDims)
      os << " * " << dim.lengths << " [batch]: the length of each example, at most " << dim.identifier
         << ", or null when all are full\n";
}

/// The parameters behind the context.
void HeaderEmitter::emitParameters(const Function &function) {
  os << ", int64_t batch";
  if (!function.isStep())
    for (const FreeDim &dim : interface.freeDims)
      os << ", int64_t " << dim.identifier << ", const int32_t *" << dim.lengths;
  for (const Argument &argument : function.arguments)
    os << ", " << (argument.isOutput ? "" : "const ") << getElementType(argument) << " *" << argument.identifier;
  os << ");\n";
}

void HeaderEmitter::emitFunction(const Function &function) {
  if (function.isStep())
    os << "\n/** Runs one step on the context's state, which " << name << "_reset sets to its start.\n *\n";
  else
    os << "\n/** Runs the network on `batch` examples.\n *\n";
  emitArguments(function);
  os << " */\nNNC_API nnc_status " << name << "_" << function.name << "(nnc_context *context";
  emitParameters(function);
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

void HeaderEmitter::emitTraining() {
  os << "\n/* Training. nnc/runtime.h has what all networks share: epochs, seeds, files to go on from. */\n\n";
  emitContextCreate("training_create", "Makes a context that trains as well, for");
  for (auto [index, train] : llvm::enumerate(interface.trains))
    emitTrain(train, index);
}

void HeaderEmitter::emitTrain(const Train &train, size_t index) {
  const Function &gradients = interface.functions[train.gradients];
  std::string prefix = (name + "_" + train.name).str();
  StringRef optimizer = train.settings.getAs<StringAttr>("optimizer");
  bool isSum = train.settings.getAs<BoolAttr>("reduce_sum").getValue();
  os << "\n/** Takes one step of " << optimizer << " on `batch` examples, in train block " << index
     << " of nnc/runtime.h. The loss is\n * the " << (isSum ? "sum" : "mean")
     << " of theirs; when it is not finite, NNC_NUMERIC, the weights stay as they were.\n *\n";
  emitArguments(gradients);
  os << " */\nNNC_API nnc_status " << prefix << "_step(nnc_context *context";
  emitParameters(gradients);
  os << "\n/** The gradients alone. With accumulate they are added to those since the last update, else they\n"
     << " * replace them. */\nNNC_API nnc_status " << prefix << "_gradients(nnc_context *context, int32_t accumulate";
  emitParameters(gradients);
  os << "\n/** Changes the weights by the gradients since the last update. Must not overlap with any other\n"
     << " * call on the model or its contexts. */\nNNC_API nnc_status " << prefix << "_update(nnc_context *context);\n";
  if (train.flow >= 0)
    emitFlow(train);
}

void HeaderEmitter::emitFlow(const Train &train) {
  const Function &flow = interface.functions[train.flow];
  os << "\n/** How the error of one step's loss, or with a step of -1 of all, flows back through states: for each "
        "step\n"
     << " * of a state the norm of the loss's gradient with respect to it.\n *\n";
  emitArguments(flow);
  os << " */\nNNC_API nnc_status " << name << "_" << train.name << "_flow(nnc_context *context";
  emitParameters(flow);
}

std::string emit::emitHeader(const Interface &interface, StringRef source) {
  return HeaderEmitter(interface, source).emit();
}
