//===- Reduce.td - Sums, means, maxima ------------------------------------===//

#ifndef NN_REDUCE_TD
#define NN_REDUCE_TD

include "compiler/dialect/Dialect.td"

class NN_ReduceOp<string mnemonic, string opSummary> : NN_ComputeOp<mnemonic, "Reduce"> {
  let summary = opSummary;
  let description = [{
    The dimensions in `axes` vanish. Over a free dimension `lengths` says where
    each example ends: what lies behind does not count.
  }];
  let arguments = (ins NN_Float:$x, Optional<NN_Lengths>:$lengths, DenseI64ArrayAttr:$axes);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_SumOp : NN_ReduceOp<"sum", "the sum">;
def NN_MeanOp : NN_ReduceOp<"mean", "the mean; over no elements 0">;
def NN_ReduceMaxOp : NN_ReduceOp<"reduce_max", "the largest">;
def NN_ReduceMinOp : NN_ReduceOp<"reduce_min", "the smallest">;

class NN_SoftmaxLikeOp<string mnemonic, string opSummary> : NN_ComputeOp<mnemonic, "Reduce"> {
  let summary = opSummary;
  let arguments = (ins NN_Float:$x);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_SoftmaxOp : NN_SoftmaxLikeOp<"softmax", "exp(x) / sum of exp(x), over the last dimension">;
def NN_LogSoftmaxOp : NN_SoftmaxLikeOp<"log_softmax", "log(softmax(x)), over the last dimension">;

def NN_ArgmaxOp : NN_SoftmaxLikeOp<"argmax", "where the largest is in the last dimension; the first of equals"> {
  let results = (outs NN_Class:$result);
}

#endif // NN_REDUCE_TD
