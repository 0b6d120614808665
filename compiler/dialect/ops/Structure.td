//===- Structure.td - Weights, constants, the network as a module ---------===//

#ifndef NN_STRUCTURE_TD
#define NN_STRUCTURE_TD

include "compiler/dialect/Dialect.td"

def NN_WeightOp : NN_Op<"weight", [Symbol]> {
  let summary = "declares a weight of the network";
  let description = [{
    A module's weights, in the order in which they are listed and stored. The
    type says how the weight lies in memory: row-major, or in `#nn.panel`s.

    ```mlir
    nn.weight @"conv1.kernel" : tensor<5x5x1x6xf32> init <glorot, fan_in = 25, fan_out = 150>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
    NN_InitializerAttr:$init, UnitAttr:$frozen);
  let assemblyFormat = "$sym_name `:` $type `init` $init (`frozen` $frozen^)? attr-dict";
  let hasVerifier = 1;
}

def NN_ReadOp : NN_Op<"read", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "reads a weight";
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs NN_Any:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def NN_ConstantOp : NN_Op<"constant", [Pure, ConstantLike]> {
  let summary = "gives a number";
  let arguments = (ins TypedAttrInterface:$value);
  let results = (outs NN_Any:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

#endif // NN_STRUCTURE_TD
