//===- NN.cpp - The dialect, its attributes, the rule of inferred types ---===//

#include "compiler/dialect/NN.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nnc::nn;

#include "compiler/dialect/NNDialect.cpp.inc"
#include "compiler/dialect/NNEnums.cpp.inc"
#include "compiler/dialect/NNInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "compiler/dialect/NNAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "compiler/dialect/NNOps.cpp.inc"

void NNDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "compiler/dialect/NNAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/dialect/NNOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  size_t dynamic = llvm::count_if(shape, ShapedType::isDynamic);
  if (dynamic != getNames().size())
    return emitError() << "#nn.dims names " << getNames().size() << " dimensions, but the type has " << dynamic
                       << " dynamic ones";
  if (!llvm::all_of(shape.take_front(dynamic), ShapedType::isDynamic))
    return emitError() << "dynamic dimensions must come before fixed ones";
  return success();
}

LogicalResult PanelAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                        function_ref<InFlightDiagnostic()> emitError) const {
  if (getDim() < 0 || getDim() >= static_cast<int64_t>(shape.size()))
    return emitError() << "#nn.panel names dimension " << getDim() << " of a weight of rank " << shape.size();
  if (getWidth() < 1)
    return emitError() << "#nn.panel has width " << getWidth() << ", which must be at least 1";
  if (llvm::any_of(shape, ShapedType::isDynamic))
    return emitError() << "#nn.panel needs fixed dimensions";
  return success();
}

/// What passes read of the settings of a train block without asking.
static LogicalResult verifyTrain(Operation *op, Attribute value) {
  auto train = dyn_cast<DictionaryAttr>(value);
  if (!isa<FunctionOpInterface>(op) || !train)
    return op->emitError("`nn.train` is a dictionary and belongs to a function");
  auto name = train.getAs<StringAttr>("name"), optimizer = train.getAs<StringAttr>("optimizer");
  auto betas = train.getAs<ArrayAttr>("betas");
  if (!name || name.empty() || !optimizer || !betas || !train.getAs<BoolAttr>("reduce_sum"))
    return op->emitError("`nn.train` needs a name, an optimizer, betas and reduce_sum");
  if (!llvm::all_of(betas, [](Attribute beta) { return isa<FloatAttr>(beta); }))
    return op->emitError("`betas` of `nn.train` are numbers, not ") << betas;
  size_t powers = optimizer.getValue().starts_with("adam") ? 2 : 0;
  if (betas.size() != powers)
    return op->emitError("`nn.train` has ") << betas.size() << " betas, but " << optimizer << " takes " << powers;
  return success();
}

LogicalResult NNDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  return attribute.getName() == "nn.train" ? verifyTrain(op, attribute.getValue()) : success();
}

int64_t nnc::nn::getWindowLength(DictionaryAttr train) {
  auto length = train.getAs<IntegerAttr>("window_length");
  return length ? length.getInt() : 0;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value nnc::nn::getRoot(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getX();
  return value;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Location nnc::nn::withName(Location location, StringRef name) {
  return FusedLoc::get(ArrayRef(location), StringAttr::get(location.getContext(), name), location.getContext());
}

StringRef nnc::nn::getName(Location location) {
  auto fused = dyn_cast<FusedLoc>(location);
  auto name = fused ? dyn_cast_or_null<StringAttr>(fused.getMetadata()) : StringAttr();
  return name ? name.getValue() : StringRef();
}

Location nnc::nn::withoutName(Location location) {
  return getName(location).empty() ? location : cast<FusedLoc>(location).getLocations().front();
}

//===----------------------------------------------------------------------===//
// Inferred types
//===----------------------------------------------------------------------===//

FailureOr<RankedTensorType> nnc::nn::getDeclaredType(Operation *op) {
  auto declared = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!declared)
    return op->emitOpError("must declare the shape of its result");
  return declared;
}

RankedTensorType nnc::nn::inDeclaredPanels(Operation *op, RankedTensorType type) {
  auto declared = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  auto panel = declared ? dyn_cast_or_null<PanelAttr>(declared.getEncoding()) : PanelAttr();
  return panel ? RankedTensorType::get(type.getShape(), type.getElementType(), panel) : type;
}

/// So many that bytes of a few such values can still be counted; for one unit of lengths that are not known.
static constexpr int64_t mostElements = int64_t(1) << 48;

static bool isCountable(RankedTensorType type) {
  int64_t count = 1;
  for (int64_t extent : getFixedShape(type))
    if (llvm::MulOverflow(count, extent, count) || count > mostElements)
      return false;
  return true;
}

LogicalResult nnc::nn::verifyInferredType(Operation *op) {
  auto isRanked = [](Type type) {
    auto ranked = dyn_cast<RankedTensorType>(type);
    if (!ranked)
      return false;
    // A dynamic dimension without a name says as little as no shape at all.
    return ranked.getNumDynamicDims() == 0 || isa_and_nonnull<DimsAttr>(ranked.getEncoding());
  };
  if (!llvm::all_of(op->getOperandTypes(), isRanked))
    return success(); // InferShapes has not run yet
  FailureOr<RankedTensorType> inferred = cast<ComputeOp>(op).inferType();
  if (failed(inferred))
    return failure();
  if (!isCountable(*inferred))
    return op->emitOpError() << "gives " << *inferred << ", but a value has at most " << mostElements << " elements";
  Type given = op->getResult(0).getType();
  if (isRanked(given) && given != *inferred)
    return op->emitOpError() << "gives " << *inferred << ", not " << given;
  return success();
}
