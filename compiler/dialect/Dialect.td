//===- Dialect.td - The dialect, its attributes and its base op -----------===//

#ifndef NN_DIALECT_TD
#define NN_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "compiler/dialect/Interfaces.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::nnc::nn";
  let summary = "neural networks as equations";
  let description = [{
    Values are tensors of f32, i32 (class values) or i1. The shape of a value
    is its free dimensions in order of declaration, then the batch, then what
    is fixed: time is the outermost dimension inside a network, `[T][batch][…]`.
    Only free dimensions and the batch are dynamic; the encoding `#nn.dims`
    names them, so that equal lengths are equal types. What depends on weights
    alone has no batch.

    ```mlir
    tensor<?x?x64xf32, #nn.dims<"T", "batch">>
    ```

    A function with the attribute `nn.train` is a train block. It gives the loss
    of each example; the attribute, a dictionary, has the block's `name`, its
    `optimizer` with the numbers that this takes, the `betas` whose powers the
    runtime keeps, and `reduce_sum`, whether gradients are summed over a batch
    rather than averaged. With `statistics` it records them (RecordStatistics).

    A function with `nn.flow` is one that measures how errors flow back through the
    states of loops (MeasureFlow); the attribute is the dictionary of its train block.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class NN_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<NN_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def NN_DimsAttr : NN_Attr<"Dims", "dims",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "names of a tensor's dynamic dimensions, outermost first";
  let description = [{
    Each name is a product of lengths; a length is a free dimension `T`, the
    `batch`, or what convolution and pooling over time make of one:
    `(T-4)/2` is floor((T - 4) / 2), and 0 where that is negative. The text is
    canonical: equal extents are equal attributes.
  }];
  let parameters = (ins ArrayRefParameter<"mlir::StringAttr">:$names);
  let assemblyFormat = "`<` $names `>`";
}

def NN_PanelAttr : NN_Attr<"Panel", "panel",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "a weight stored in panels of one of its dimensions";
  let description = [{
    The weight lies in memory as `[extent(dim) / width][other dimensions…][width]`,
    the last panel padded with zeros: the layout that a contraction reads, one
    panel after the other, each from front to back.
  }];
  let parameters = (ins "int64_t":$dim, "int64_t":$width);
  let assemblyFormat = "`<` struct(params) `>`";
}

def NN_InitializerKind : I32EnumAttr<"InitializerKind", "how a weight gets its first value", [
    I32EnumAttrCase<"Constant", 0, "constant">,
    I32EnumAttrCase<"Glorot", 1, "glorot">,
    I32EnumAttrCase<"He", 2, "he">,
    I32EnumAttrCase<"Uniform", 3, "uniform">,
    I32EnumAttrCase<"Normal", 4, "normal">,
    I32EnumAttrCase<"Orthogonal", 5, "orthogonal">]> {
  let cppNamespace = "::nnc::nn";
  let genSpecializedAttr = 0;
}

def NN_InitializerAttr : NN_Attr<"Initializer", "init"> {
  let summary = "how a weight gets its first value";
  let description = [{
    `constant` is `a` everywhere; `uniform` lies in [a, b); `normal` has
    deviation `a`; `glorot` (Glorot & Bengio 2010) and `he` (He et al. 2015)
    scale by the fans.
  }];
  let parameters = (ins EnumParameter<NN_InitializerKind>:$kind,
    OptionalParameter<"mlir::FloatAttr">:$a, OptionalParameter<"mlir::FloatAttr">:$b,
    DefaultValuedParameter<"int64_t", "1">:$fan_in, DefaultValuedParameter<"int64_t", "1">:$fan_out);
  let assemblyFormat = "`<` struct(params) `>`";
}

def NN_PlaceKind : I32EnumAttr<"PlaceKind", "where a result lies", [
    I32EnumAttrCase<"Workspace", 0, "workspace">,
    I32EnumAttrCase<"Output", 1, "output">,
    I32EnumAttrCase<"Stack", 2, "stack">,
    I32EnumAttrCase<"Carry", 3, "carry">,
    I32EnumAttrCase<"Gradient", 4, "gradient">,
    I32EnumAttrCase<"Flat", 5, "flat">]> {
  let cppNamespace = "::nnc::nn";
  let genSpecializedAttr = 0;
}

def NN_PlaceAttr : NN_Attr<"Place", "place"> {
  let summary = "where the planner put a result";
  let description = [{
    `workspace`: `offset` bytes for each unit of arena number `index` of the
    function. `output`: the caller's buffer for result number `index` of the
    function. In the body of a loop, `stack`: this step's slot in output number
    `index` of the loop; `carry`: the loop's buffer for state number `index`,
    which has two slots that take turns, the first written by the first step.
    `gradient`: the context's gradient of weight number `index` of the module.
    `flat`: the memory of that number (`FlatMemory`), in place.
  }];
  let parameters = (ins EnumParameter<NN_PlaceKind>:$kind, "int64_t":$index,
    DefaultValuedParameter<"int64_t", "0">:$offset);
  let assemblyFormat = "`<` $kind $index (`at` $offset^)? `>`";
}

def NN_FlatMemoryKind : I32EnumAttr<"FlatMemory", "what holds a number for each trained weight's element", [
    I32EnumAttrCase<"Weights", 0, "weights">,
    I32EnumAttrCase<"Gradients", 1, "gradients">,
    I32EnumAttrCase<"Slot0", 2, "slot0">,
    I32EnumAttrCase<"Slot1", 3, "slot1">]> {
  let cppNamespace = "::nnc::nn";
  let genSpecializedAttr = 0;
}
def NN_FlatMemoryAttr : EnumAttr<NN_Dialect, NN_FlatMemoryKind, "memory"> {
  let assemblyFormat = "$value";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// Hand-written IR may leave shapes out (`tensor<*xf32>`); InferShapes fills them in.
def NN_Float : TensorOf<[F32]>;
def NN_Class : TensorOf<[I32]>;
def NN_Bool : TensorOf<[I1]>;
def NN_Any : TensorOf<[F32, I32, I1]>;

/// The length of each example along a free dimension: tensor<?xi32, #nn.dims<"batch">>.
def NN_Lengths : TensorOf<[I32]>;

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

def NN_FamilyKind : I32EnumAttr<"Family", "the files that compute and schedule an op", [
    I32EnumAttrCase<"Elementwise", 0, "elementwise">,
    I32EnumAttrCase<"Dense", 1, "dense">,
    I32EnumAttrCase<"Conv", 2, "conv">,
    I32EnumAttrCase<"Pool", 3, "pool">,
    I32EnumAttrCase<"Norm", 4, "norm">,
    I32EnumAttrCase<"Reduce", 5, "reduce">,
    I32EnumAttrCase<"Reshape", 6, "reshape">,
    I32EnumAttrCase<"Loss", 7, "loss">]> {
  let cppNamespace = "::nnc::nn";
  let genSpecializedAttr = 0;
}
def NN_FamilyAttr : EnumAttr<NN_Dialect, NN_FamilyKind, "family"> {
  let assemblyFormat = "$value";
}

/// Sums over all rows, time and batch: with time as one more outermost dimension
/// of its operands it gives the sum of what it gives for each step.
def NN_SumsRowsTrait : NativeOpTrait<"SumsRows"> {
  let cppNamespace = "::nnc::nn::OpTrait";
}

class NN_Op<string mnemonic, list<Trait> traits = []> : Op<NN_Dialect, mnemonic, traits>;

/// An op without effects whose one result's type follows from its operands.
/// `opFamily` names the file of its algorithm and of its schedules.
class NN_ComputeOp<string mnemonic, string opFamily, list<Trait> traits = []>
    : NN_Op<mnemonic, !listconcat([Pure, ComputeOpInterface], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  code familyDeclaration = "::nnc::nn::Family getFamily() { return ::nnc::nn::Family::" # opFamily # "; }\n"
    "::mlir::FailureOr<::mlir::RankedTensorType> inferType();\n";
  let extraClassDeclaration = familyDeclaration;
}

#endif // NN_DIALECT_TD
