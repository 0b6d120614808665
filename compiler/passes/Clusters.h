//===- Clusters.h - What of a block is computed together ------------------===//

#ifndef NNC_COMPILER_PASSES_CLUSTERS_H
#define NNC_COMPILER_PASSES_CLUSTERS_H

#include "compiler/dialect/NN.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

#include <memory>
#include <tuple>
#include <vector>

namespace nnc {

/// What is copied into every group that reads it rather than stored: it costs
/// nothing beside reading it.
bool isCheap(mlir::Operation *op);

inline bool isElementwise(mlir::Operation *op) { return op->hasTrait<nn::OpTrait::Elementwise>(); }

/// Whether an op computes something, and so belongs into a group.
bool isComputed(mlir::Operation *op);

/// Ops that are computed at once: they will be one group. Any other op of the
/// block is a cluster by itself, which is no group.
struct Cluster {
  bool isGroup = false;
  nn::Family family = nn::Family::Elementwise;
  nn::Extents shape; ///< of every result
  llvm::SmallVector<mlir::Operation *> ops;
  unsigned contractions = 0;

  unsigned level = 0; ///< above that of every cluster in `needs`
  llvm::SmallSetVector<Cluster *, 4> needs, neededBy;
};

/// The op's name, an operand and a type; contractions of one key can share a cluster.
using ContractionKey = std::tuple<const void *, mlir::Value, mlir::Type>;

/// What a target wants of clusters.
struct ClusterLimits {
  unsigned gradients = 1;  ///< of weights in panels that can be one cluster
  bool fewKernels = false; ///< an anchor takes what meets its results, however much that reads and stores
};

/// Puts the ops of one block into clusters.
class Clusters {
public:
  Clusters(mlir::Block &block, const ClusterLimits &limits);

  const std::vector<std::unique_ptr<Cluster>> &get() const { return clusters; }

private:
  Cluster &makeCluster() { return *clusters.emplace_back(std::make_unique<Cluster>()); }
  Cluster &makeGroupCluster(mlir::Operation *op, nn::Family family);
  void place(mlir::Operation *op);
  Cluster *findElementwiseHome(mlir::Operation *op);
  Cluster *findContractionHome(mlir::Operation *op, const ContractionKey &key);
  void takePrologue(mlir::Operation *op, Cluster &cluster);
  bool canFollow(const Cluster &cluster, const Cluster &anchor) const;
  void takeMet(mlir::Operation *op, Cluster &cluster);
  void merge(Cluster &from, Cluster &into);
  void add(mlir::Operation *op, Cluster &cluster);
  void raise(Cluster &cluster);
  bool waitsFor(mlir::Operation *op, Cluster &cluster);
  bool reaches(llvm::ArrayRef<Cluster *> from, Cluster &cluster);
  void materializeCheap();

  // Readers.cpp
  void sinkToReaders();
  Cluster *getReader(mlir::Operation *op, Cluster &home);
  llvm::SmallVector<mlir::Operation *> getWithOwn(mlir::Operation *op, Cluster &home);
  int64_t countSunkBytes(llvm::ArrayRef<mlir::Operation *> ops, Cluster &home, Cluster &reader);

  /// The cluster of the op of this block that computes a value, or holds the op
  /// that does; null for what is no group unless `any` asks for it.
  Cluster *getHome(mlir::Value value, bool any = false);

  mlir::Block &block;
  ClusterLimits limits;
  std::vector<std::unique_ptr<Cluster>> clusters;
  llvm::DenseMap<mlir::Operation *, Cluster *> homes;
  /// Those with room for more.
  llvm::DenseMap<ContractionKey, llvm::SmallVector<Cluster *>> contractionHomes;
};

} // namespace nnc

#endif // NNC_COMPILER_PASSES_CLUSTERS_H
