//===- Interfaces.td - What passes ask of an op ---------------------------===//

#ifndef NN_INTERFACES_TD
#define NN_INTERFACES_TD

include "mlir/IR/OpBase.td"

def ComputeOpInterface : OpInterface<"ComputeOp"> {
  let cppNamespace = "::nnc::nn";
  let description = [{
    An op that computes its one result from tensors. The rule is in the op;
    passes only walk.
  }];
  let methods = [
    InterfaceMethod<[{
      The type of the result, from the operands' types and the attributes. Says
      what is wrong at the op when they do not fit.
    }], "::mlir::FailureOr<::mlir::RankedTensorType>", "inferType">,
    InterfaceMethod<[{
      The family that computes and schedules this op.
    }], "::nnc::nn::Family", "getFamily">,
    InterfaceMethod<[{
      Products (or other costly operations) summed for each element of the
      result: 0 for what is no contraction and no reduction.
    }], "int64_t", "getReductionSize", (ins), "", "return 0;">
  ];
  let verify = "return ::nnc::nn::verifyInferredType($_op);";
}

#endif // NN_INTERFACES_TD
