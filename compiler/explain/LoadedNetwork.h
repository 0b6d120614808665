//===- LoadedNetwork.h - A planned network's tables, in this process ------===//

#ifndef NNC_COMPILER_EXPLAIN_LOADEDNETWORK_H
#define NNC_COMPILER_EXPLAIN_LOADEDNETWORK_H

#include "targets/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <memory>

struct nnc_network;

namespace nnc::explain {

/// The constant nnc_network of a planned module, as its library has it: the runtime can be asked how
/// much memory calls take. Its kernels are not there, so that nothing can be run.
class LoadedNetwork {
public:
  static llvm::Expected<LoadedNetwork> load(mlir::ModuleOp planned, const targets::Target &target, bool isProfiled);
  LoadedNetwork(LoadedNetwork &&);
  ~LoadedNetwork();

  const nnc_network *get() const;

private:
  struct Code;
  explicit LoadedNetwork(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code;
};

} // namespace nnc::explain

#endif // NNC_COMPILER_EXPLAIN_LOADEDNETWORK_H
