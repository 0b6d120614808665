//===- Reshape.td - The same elements in other places ---------------------===//

#ifndef NN_RESHAPE_TD
#define NN_RESHAPE_TD

include "compiler/dialect/Dialect.td"

def NN_BroadcastOp : NN_Op<"broadcast", [Pure]> {
  let summary = "repeats a value along dimensions that it lacks";
  let description = [{
    Dimension i of `x` becomes dimension `dims[i]` of the result; an extent of 1
    is repeated too.
  }];
  let arguments = (ins NN_Any:$x, DenseI64ArrayAttr:$dims);
  let results = (outs NN_Any:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NN_ReshapeOp : NN_Op<"reshape", [Pure]> {
  let summary = "the same elements under another fixed shape";
  let description = [{ Dynamic dimensions stay; no element moves. }];
  let arguments = (ins NN_Any:$x);
  let results = (outs NN_Any:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def NN_TimeMajorOp : NN_ComputeOp<"time_major", "Reshape"> {
  let summary = "brings the batch behind the steps of time";
  let description = [{
    `[batch, steps…, …]` becomes `[steps…, batch, …]`, the order inside a network,
    where a step is contiguous. A fixed number of steps becomes a length whose
    name is the number.
  }];
  let arguments = (ins NN_Any:$x, I64Attr:$steps);
  let results = (outs NN_Any:$result);
  let hasFolder = 1;
}

def NN_BatchMajorOp : NN_ComputeOp<"batch_major", "Reshape"> {
  let summary = "brings the batch before the steps of time";
  let description = [{
    The inverse of `time_major`: `[steps…, batch, …]` becomes `[batch, steps…, …]`,
    the order at the library's boundary.
  }];
  let arguments = (ins NN_Any:$x, I64Attr:$steps);
  let results = (outs NN_Any:$result);
  let hasFolder = 1;
}

def NN_TransposeOp : NN_ComputeOp<"transpose", "Reshape"> {
  let summary = "dimensions in another order";
  let description = [{ Dimension i of the result is dimension `permutation[i]` of `x`. }];
  let arguments = (ins NN_Any:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs NN_Any:$result);
  let hasFolder = 1;
}

def NN_ConcatOp : NN_ComputeOp<"concat", "Reshape"> {
  let summary = "one after the other along a fixed dimension";
  let arguments = (ins Variadic<NN_Any>:$inputs, I64Attr:$axis);
  let results = (outs NN_Any:$result);
}

def NN_SliceOp : NN_ComputeOp<"slice", "Reshape"> {
  let summary = "a part of each fixed dimension";
  let description = [{ One start and one size for each dimension that is not dynamic. }];
  let arguments = (ins NN_Any:$x, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes);
  let results = (outs NN_Any:$result);
  let hasFolder = 1;
}

def NN_ReverseOp : NN_ComputeOp<"reverse", "Reshape"> {
  let summary = "backwards along a dimension";
  let description = [{
    Along a free dimension each example is reversed within its own length; what
    lies behind stays.
  }];
  let arguments = (ins NN_Any:$x, Optional<NN_Lengths>:$lengths, I64Attr:$axis);
  let results = (outs NN_Any:$result);
}

def NN_LastOp : NN_ComputeOp<"last", "Reshape"> {
  let summary = "the last step of each example";
  let description = [{ The outermost dimension vanishes. Of a length of 0 the last step is 0. }];
  let arguments = (ins NN_Any:$x, Optional<NN_Lengths>:$lengths);
  let results = (outs NN_Any:$result);
}

def NN_EmbedOp : NN_ComputeOp<"embed", "Reshape"> {
  let summary = "the row of a table for each class";
  let description = [{ A class outside the table gives zeros. }];
  let arguments = (ins NN_Class:$ids, NN_Float:$table);
  let results = (outs NN_Float:$result);
}

def NN_OneHotOp : NN_ComputeOp<"one_hot", "Reshape"> {
  let summary = "1 at the place of the class, 0 elsewhere";
  let arguments = (ins NN_Class:$ids, I64Attr:$classes);
  let results = (outs NN_Float:$result);
}

def NN_PadOp : NN_ComputeOp<"pad", "Reshape"> {
  let summary = "zeros around a part: the cotangent of a slice";
  let description = [{
    The fixed dimensions become `shape`, of which `x` is the part that begins at
    `starts`.
  }];
  let arguments = (ins NN_Any:$x, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$shape);
  let results = (outs NN_Any:$result);
}

def NN_DelayOp : NN_ComputeOp<"delay", "Reshape"> {
  let summary = "each step's predecessor";
  let description = [{
    Step t of the outermost dimension is step t - 1 of `x`, and `start` at t = 0:
    what a loop's state was before each step.
  }];
  let arguments = (ins NN_Any:$x, NN_Any:$start);
  let results = (outs NN_Any:$result);
}

def NN_SegmentOp : NN_ComputeOp<"segment", "Reshape"> {
  let summary = "some steps of a sequence";
  let description = [{
    Step i of the result, whose outermost dimension it declares, is step
    `first` + i along dimension `axis` of `x`; past the end it is 0. The other
    dimensions stay in their order.
  }];
  let arguments = (ins NN_Any:$x, NN_Class:$first, I64Attr:$axis);
  let results = (outs NN_Any:$result);
}

def NN_SplitStepsOp : NN_ComputeOp<"split_steps", "Reshape"> {
  let summary = "a sequence as segments";
  let description = [{
    `[T, …]` becomes `[segments, steps, …]`, which the result declares, zeros behind
    the last step.
  }];
  let arguments = (ins NN_Any:$x);
  let results = (outs NN_Any:$result);
}

def NN_JoinStepsOp : NN_ComputeOp<"join_steps", "Reshape"> {
  let summary = "segments as a sequence";
  let description = [{
    The inverse of `split_steps`: `[segments, steps, …]` becomes `[T, …]`, which the
    result declares; what is behind its last step is dropped.
  }];
  let arguments = (ins NN_Any:$x);
  let results = (outs NN_Any:$result);
}

def NN_EmbedGradientOp : NN_ComputeOp<"embed_gradient", "Reshape", [NN_SumsRowsTrait]> {
  let summary = "the cotangent of an embedding's table";
  let description = [{
    Row c is the sum of `dy[…, n]` over the rows whose class is c; classes outside
    the table count nowhere.
  }];
  let arguments = (ins NN_Class:$ids, NN_Float:$dy, I64Attr:$classes);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize() { return 1; }";
}

def NN_PackOp : NN_ComputeOp<"pack", "Reshape"> {
  let summary = "the same elements in panels";
  let description = [{ The result type declares the `#nn.panel`; what pads the last panel is 0. }];
  let arguments = (ins NN_Float:$x);
  let results = (outs NN_Float:$result);
}

#endif // NN_RESHAPE_TD
