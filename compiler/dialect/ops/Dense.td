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

#endif // NN_DENSE_TD
