//===- Each.cpp - The time loop: syntax, types, checks --------------------===//

#include "compiler/dialect/NN.h"

using namespace mlir;
using namespace nnc::nn;

YieldOp EachOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

Block::BlockArgListType EachOp::getElements() { return getBody().getArguments().slice(1, getSequences().size()); }

Block::BlockArgListType EachOp::getCarried() { return getBody().getArguments().drop_front(1 + getSequences().size()); }

RankedTensorType EachOp::getElementType(RankedTensorType stacked) {
  return getTensorType(stacked.getElementType(), ArrayRef(getExtents(stacked)).drop_front());
}

RankedTensorType EachOp::getStackedType(RankedTensorType element) {
  Extents extents = getExtents(element);
  extents.insert(extents.begin(), StringAttr::get(getContext(), getTrip()));
  return getTensorType(element.getElementType(), extents);
}

EachOp EachOp::make(OpBuilder &builder, Location location, StringAttr trip, bool backward, ValueRange sequences,
                    ValueRange starts, Region &body) {
  auto yield = cast<YieldOp>(body.front().getTerminator());
  OperationState state(location, EachOp::getOperationName());
  state.addOperands(sequences);
  state.addOperands(starts);
  for (Value output : yield.getOutputs()) {
    Extents extents = getExtents(nn::getType(output));
    extents.insert(extents.begin(), trip);
    state.addTypes(getTensorType(nn::getType(output).getElementType(), extents));
  }
  state.addTypes(starts.getTypes());
  state.addAttribute("trip", trip);
  if (backward)
    state.addAttribute("backward", builder.getUnitAttr());
  auto count = [](ValueRange values) { return static_cast<int32_t>(values.size()); };
  auto &properties = state.getOrAddProperties<EachOp::Properties>();
  properties.operandSegmentSizes = {count(sequences), count(starts)};
  properties.resultSegmentSizes = {count(yield.getOutputs()), count(starts)};
  state.addRegion()->takeBody(body);
  return cast<EachOp>(builder.create(state));
}

EachOp EachOp::replaceWith(ValueRange sequences, ValueRange outputs, ArrayRef<int> results) {
  OpBuilder builder(*this);
  getYield().getOutputsMutable().assign(outputs);
  EachOp replacement = make(builder, getLoc(), getTripAttr(), getBackward(), sequences, getStarts(), getBody());
  replacement.setSegments(getSegments());
  for (auto [index, result] : llvm::enumerate(getOutputs()))
    if (results[index] >= 0)
      result.replaceAllUsesWith(replacement.getOutputs()[results[index]]);
  getFinals().replaceAllUsesWith(replacement.getFinals());
  erase();
  return replacement;
}

//===----------------------------------------------------------------------===//
// Syntax: [backward] trip sequences(…) start(…) { body } : (operands) -> (results)
//===----------------------------------------------------------------------===//

static ParseResult parseList(OpAsmParser &parser, StringRef keyword,
                             SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands) {
  if (failed(parser.parseOptionalKeyword(keyword)))
    return success();
  return parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren);
}

ParseResult EachOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr trip;
  SmallVector<OpAsmParser::UnresolvedOperand> sequences, starts;
  FunctionType type;
  Region *body = result.addRegion();
  SMLoc operandsLocation = parser.getCurrentLocation();
  if (succeeded(parser.parseOptionalKeyword("backward")))
    result.addAttribute("backward", parser.getBuilder().getUnitAttr());
  if (parser.parseAttribute(trip) || parseList(parser, "sequences", sequences) || parseList(parser, "start", starts) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) || parser.parseRegion(*body) ||
      parser.parseColonType(type))
    return failure();
  result.addAttribute(getTripAttrName(result.name), trip);
  SmallVector<OpAsmParser::UnresolvedOperand> operands(sequences);
  llvm::append_range(operands, starts);
  if (parser.resolveOperands(operands, type.getInputs(), operandsLocation, result.operands))
    return failure();
  result.addTypes(type.getResults());
  if (type.getNumResults() < starts.size())
    return parser.emitError(operandsLocation, "has fewer results than carried states");
  int32_t outputs = type.getNumResults() - starts.size();
  auto &properties = result.getOrAddProperties<EachOp::Properties>();
  properties.operandSegmentSizes = {static_cast<int32_t>(sequences.size()), static_cast<int32_t>(starts.size())};
  properties.resultSegmentSizes = {outputs, static_cast<int32_t>(starts.size())};
  ensureTerminator(*body, parser.getBuilder(), result.location);
  return success();
}

void EachOp::print(OpAsmPrinter &printer) {
  if (getBackward())
    printer << " backward";
  printer << ' ';
  printer.printAttributeWithoutType(getTripAttr());
  auto printList = [&](StringRef keyword, ValueRange values) {
    if (!values.empty())
      printer << ' ' << keyword << '(' << values << ')';
  };
  printList("sequences", getSequences());
  printList("start", getStarts());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(),
                                           {"trip", "backward", "operandSegmentSizes", "resultSegmentSizes"});
  printer << ' ';
  printer.printRegion(getBody());
  printer << " : ";
  printer.printFunctionalType(*this);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

LogicalResult EachOp::verify() {
  if (getBody().front().getNumArguments() != 1 + getSequences().size() + getStarts().size())
    return emitOpError("needs a body with an argument for the step's index, ")
           << getSequences().size() << " for the sequences and " << getStarts().size() << " for the states, not "
           << getBody().front().getNumArguments();
  auto indexType = dyn_cast<RankedTensorType>(getIndex().getType());
  if (!indexType || indexType.getRank() != 0 || !indexType.getElementType().isInteger(32))
    return emitOpError("needs an index of type tensor<i32>, not ") << getIndex().getType();
  return success();
}

static bool agree(Type a, Type b) { return a == b || !isa<RankedTensorType>(a) || !isa<RankedTensorType>(b); }

LogicalResult EachOp::verifyRegions() {
  YieldOp yield = getYield();
  if (yield.getNext().size() != getStarts().size() || yield.getOutputs().size() != getOutputs().size())
    return emitOpError("carries ") << getStarts().size() << " states and stacks " << getOutputs().size()
                                   << " values, but its body yields " << yield.getNext().size() << " and "
                                   << yield.getOutputs().size();
  for (auto [sequence, element] : llvm::zip_equal(getSequences(), getElements())) {
    auto stacked = dyn_cast<RankedTensorType>(sequence.getType());
    auto step = dyn_cast<RankedTensorType>(element.getType());
    if (stacked && step && getStackedType(step) != stacked)
      return emitOpError("steps through ") << stacked << ", whose steps are not " << step;
  }
  for (auto [start, carried, next, final] : llvm::zip_equal(getStarts(), getCarried(), yield.getNext(), getFinals()))
    if (!agree(start.getType(), carried.getType()) || !agree(start.getType(), next.getType()) ||
        !agree(start.getType(), final.getType()))
      return emitOpError("carries a state that starts as ")
             << start.getType() << ", is read as " << carried.getType() << ", becomes " << next.getType()
             << " and ends as " << final.getType();
  for (auto [output, stacked] : llvm::zip_equal(yield.getOutputs(), getOutputs())) {
    auto step = dyn_cast<RankedTensorType>(output.getType());
    auto whole = dyn_cast<RankedTensorType>(stacked.getType());
    if (step && whole && getStackedType(step) != whole)
      return emitOpError("stacks ") << step << " to " << getStackedType(step) << ", not " << whole;
  }
  return success();
}
