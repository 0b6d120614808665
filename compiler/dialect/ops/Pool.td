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

def NN_MaxPoolGradientOp : NN_ComputeOp<"max_pool_gradient", "Pool"> {
  let summary = "the cotangent of a max pool's image";
  let description = [{
    The cotangent of each window goes to its first largest element. `x` is the
    image, `y` the pool's result, `dy` its cotangent.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$y, NN_Float:$dy, DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$padding, DenseI64ArrayAttr:$overhang);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_AvgPoolGradientOp : NN_ComputeOp<"avg_pool_gradient", "Pool"> {
  let summary = "the cotangent of an average pool's image, whose shape the result type declares";
  let arguments = (ins NN_Float:$dy, DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$padding, DenseI64ArrayAttr:$overhang, BoolAttr:$count_padding);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

#endif // NN_POOL_TD
