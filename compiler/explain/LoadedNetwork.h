//===- LoadedNetwork.h - A planned network's tables, in this process ------===//

#ifndef NNC_COMPILER_EXPLAIN_LOADEDNETWORK_H
#define NNC_COMPILER_EXPLAIN_LOADEDNETWORK_H

#include "compiler/explain/Call.h"
#include "targets/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
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

/// The lengths with which the runtime calls a function when the user calls the network with these: one step at a time,
/// windows or segments of sequences, or the same.
Dims getDims(const nnc_network *network, const emit::Interface &interface, mlir::func::FuncOp function,
             const Dims &call);

} // namespace nnc::explain

#endif // NNC_COMPILER_EXPLAIN_LOADEDNETWORK_H
