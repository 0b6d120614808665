//===- Loss.td - How wrong an answer is -----------------------------------===//

#ifndef NN_LOSS_TD
#define NN_LOSS_TD

include "compiler/dialect/Dialect.td"

/// A number for each example (and step): the last dimension vanishes.
class NN_LossOp<string mnemonic, string opSummary> : NN_ComputeOp<mnemonic, "Loss"> {
  let summary = opSummary;
  let arguments = (ins NN_Float:$y, NN_Any:$target);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_CrossEntropyOp : NN_LossOp<"cross_entropy", "-log of the probability given to the label">;
def NN_NllOp : NN_LossOp<"nll", "minus the log-probability given to the label">;
def NN_MseOp : NN_LossOp<"mse", "mean of squared differences">;
def NN_L1Op : NN_LossOp<"l1", "mean of absolute differences">;
def NN_BinaryCrossEntropyOp : NN_LossOp<"binary_cross_entropy", "mean of -t log y - (1 - t) log(1 - y)">;
def NN_HingeOp : NN_LossOp<"hinge", "mean over the other classes of max(0, 1 - y[label] + y)">;

#endif // NN_LOSS_TD
