//===- Pool.td - Pooling --------------------------------------------------===//

#ifndef NN_POOL_TD
#define NN_POOL_TD

include "compiler/dialect/Dialect.td"

class NN_PoolOp<string mnemonic> : NN_ComputeOp<mnemonic, "Pool"> {
  dag window = (ins NN_Float:$x, DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$padding,
    DenseI64ArrayAttr:$overhang);
  let arguments = window;
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_MaxPoolOp : NN_PoolOp<"max_pool"> {
  let summary = "the largest value in each window";
  let description = [{
    Padding and `overhang` (what rounding up adds at the far end of each
    dimension) count as -infinity.
  }];
}

def NN_AvgPoolOp : NN_PoolOp<"avg_pool"> {
  let summary = "the mean of each window";
  let description = [{
    With `count_padding` the padding counts as zeros, else the mean is over what
    lies inside the image. `overhang` never counts.
  }];
  let arguments = !con(window, (ins BoolAttr:$count_padding));
}

#endif // NN_POOL_TD
