//===- Dense.cpp - Derivatives of matrix products -------------------------===//

#include "compiler/autodiff/Autodiff.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::nn;

/// The last two dimensions the other way round.
static Value transposeLast(Adjoints &a, Value value) {
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, nn::getType(value).getRank()));
  std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
  return a.make<TransposeOp>(value, a.builder.getNamedAttr("permutation", a.builder.getDenseI64ArrayAttr(permutation)));
}

bool nnc::differentiateDense(Adjoints &a, Operation *op, Value dy) {
  if (auto dense = dyn_cast<DenseOp>(op)) {
    if (a.isActive(dense.getX()))
      a.add(dense.getX(), a.make<DenseInputGradientOp>({dy, a.primal(dense.getWeight())}));
    if (a.isActive(dense.getWeight()))
      a.add(dense.getWeight(), a.make<DenseWeightGradientOp>({a.primal(dense.getX()), dy}));
    return true;
  }
  // c = a b: da = dc bᵀ, db = aᵀ dc; a matrix that serves all rows gets their sum.
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    if (a.isActive(matmul.getA()))
      a.add(matmul.getA(), a.make<MatmulOp>({dy, transposeLast(a, a.primal(matmul.getB()))}));
    if (a.isActive(matmul.getB()))
      a.add(matmul.getB(), a.make<MatmulOp>({transposeLast(a, a.primal(matmul.getA())), dy}));
    return true;
  }
  return false;
}
