//===- Norm.td - Normalization --------------------------------------------===//

#ifndef NN_NORM_TD
#define NN_NORM_TD

include "compiler/dialect/Dialect.td"

def NN_BatchNormOp : NN_ComputeOp<"batch_norm", "Norm"> {
  let summary = "normalizes by running statistics (Ioffe & Szegedy 2015)";
  let description = [{
    (x - mean) / sqrt(variance + epsilon) * scale + shift, each of them a vector
    over the last dimension.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$scale, NN_Float:$shift, NN_Float:$mean, NN_Float:$variance,
    F64Attr:$epsilon);
  let results = (outs NN_Float:$result);
}

def NN_LayerNormOp : NN_ComputeOp<"layer_norm", "Norm"> {
  let summary = "normalizes each vector over its last dimension (Ba et al. 2016)";
  let arguments = (ins NN_Float:$x, NN_Float:$scale, NN_Float:$shift, F64Attr:$epsilon);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_LocalResponseNormOp : NN_ComputeOp<"local_response_norm", "Norm"> {
  let summary = "normalizes across neighbouring channels (Krizhevsky et al. 2012)";
  let description = [{
    x / (k + alpha / size * sum of squares over `size` channels around)^beta.
  }];
  let arguments = (ins NN_Float:$x, I64Attr:$size, F64Attr:$alpha, F64Attr:$beta, F64Attr:$k);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_LocalResponseNormGradientOp : NN_ComputeOp<"local_response_norm_gradient", "Norm"> {
  let summary = "the cotangent of what local_response_norm was given";
  let description = [{
    With s = k + alpha / size * sum of squares over the window of a channel:
    dy s^-beta - 2 alpha beta / size x * sum over the windows that hold this
    channel of dy x s^(-beta - 1).
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$dy, I64Attr:$size, F64Attr:$alpha, F64Attr:$beta, F64Attr:$k);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

#endif // NN_NORM_TD
