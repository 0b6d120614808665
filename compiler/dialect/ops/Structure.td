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
    nn.weight @"conv1.kernel" : tensor<5x5x1x6xf32> init <kind = glorot, fan_in = 25, fan_out = 150>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
    NN_InitializerAttr:$init, UnitAttr:$frozen);
  let assemblyFormat = "$sym_name `:` $type `init` $init (`frozen` $frozen^)? attr-dict";
  let hasVerifier = 1;
}

def NN_PreparedOp : NN_Op<"prepared", [Symbol]> {
  let summary = "declares a value that depends on weights alone";
  let description = [{ Computed by the function `prepare` whenever the weights have changed. }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
}

def NN_StateOp : NN_Op<"state", [Symbol]> {
  let summary = "declares a state that a context carries from call to call";
  let description = [{
    Set to its start value by the function `reset`, read and stored by `step`. One with
    `nn.training` is of contexts that train; with `nn.statistic`, a dictionary, it says
    something of a layer in the last training step (RecordStatistics).
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type);
  let assemblyFormat = "$sym_name `:` $type attr-dict";
}

def NN_ReadOp : NN_Op<"read", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "reads a weight, a prepared value or a state";
  let description = [{ A state is read as it was when the function was called. }];
  let arguments = (ins FlatSymbolRefAttr:$symbol);
  let results = (outs NN_Any:$result);
  let assemblyFormat = "$symbol attr-dict `:` type($result)";
}

def NN_ProbeOp : NN_Op<"probe", [Pure]> {
  let summary = "zeros that are added to a value, whose error is measured";
  let description = [{
    What a sum passes back to one of its terms is the cotangent of the sum: the
    cotangent of a probe is that of the value that it is added to, in every step where
    it is a sequence of a loop. Differentiate stores its norm in the state `symbol`, or
    without one gives it as a further result of the function, called `name`: the norm
    in each step of the outermost dimension. It leaves no probe.
  }];
  let arguments = (ins StrAttr:$name, OptionalAttr<FlatSymbolRefAttr>:$symbol);
  let results = (outs NN_Float:$result);
  let assemblyFormat = "$name (`in` $symbol^)? attr-dict `:` type($result)";
}

def NN_StoreGradientOp : NN_Op<"store_gradient", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "sets the gradient of a weight";
  let description = [{ The context keeps it, in the layout of the weight, until it is updated by it. }];
  let arguments = (ins FlatSymbolRefAttr:$symbol, NN_Float:$value);
  let assemblyFormat = "$symbol `,` $value attr-dict `:` type($value)";
}

def NN_FlatOp : NN_Op<"flat", [Pure]> {
  let summary = "all trained weights as one vector, or what belongs to each of their elements";
  let description = [{
    Weights that are trained lie first in a model's memory, padding included. Their
    gradients and what an optimizer keeps of each (momentum, say) lie the same way.
  }];
  let arguments = (ins NN_FlatMemoryAttr:$memory);
  let results = (outs NN_Float:$result);
  let assemblyFormat = "$memory attr-dict `:` type($result)";
}

def NN_StoreFlatOp : NN_Op<"store_flat"> {
  let summary = "sets such a vector, in place";
  let arguments = (ins NN_FlatMemoryAttr:$memory, NN_Float:$value);
  let assemblyFormat = "$memory `,` $value attr-dict `:` type($value)";
}

def NN_StoreOp : NN_Op<"store", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "sets a prepared value, a state or a running statistic at the end of the function";
  let description = [{ A running statistic is a weight that is `frozen`: no gradient trains it. }];
  let arguments = (ins FlatSymbolRefAttr:$symbol, NN_Any:$value);
  let assemblyFormat = "$symbol `,` $value attr-dict `:` type($value)";
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
