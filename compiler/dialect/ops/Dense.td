//===- Dense.td - Matrix products -----------------------------------------===//

#ifndef NN_DENSE_TD
#define NN_DENSE_TD

include "compiler/dialect/Dialect.td"

def NN_DenseOp : NN_ComputeOp<"dense", "Dense"> {
  let summary = "multiplies each vector by a weight: w * x";
  let description = [{
    `x[…, k]` and `w[n, k]` give `[…, n]`: result(…, n) = sum over k of
    w(n, k) x(…, k). Everything before the last dimension of `x` is rows of one
    matrix.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$weight);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_MatmulOp : NN_ComputeOp<"matmul", "Dense"> {
  let summary = "multiplies matrices that are both values of an example";
  let description = [{
    `a[…, m, k]` and `b[…, k, n]` give `[…, m, n]`. Leading dimensions are those of
    both, or of the one that has them.
  }];
  let arguments = (ins NN_Float:$a, NN_Float:$b);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_DenseInputGradientOp : NN_ComputeOp<"dense_input_gradient", "Dense"> {
  let summary = "the cotangent of a dense op's vectors: the transposed weight times each";
  let description = [{
    `dy[…, n]` and `w[n, k]` give `[…, k]`: result(…, k) = sum over n of
    w(n, k) dy(…, n).
  }];
  let arguments = (ins NN_Float:$dy, NN_Float:$weight);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_DenseWeightGradientOp : NN_ComputeOp<"dense_weight_gradient", "Dense", [NN_SumsRowsTrait]> {
  let summary = "the cotangent of a dense op's weight: the sum of outer products";
  let description = [{
    `x[…, k]` and `dy[…, n]` give `[n, k]`: result(n, k) = sum over all rows of
    dy(…, n) x(…, k). The result may lie in `#nn.panel`s, as the weight does.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$dy);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

#endif // NN_DENSE_TD
