//===- Explain.h - What the compiler says of a program --------------------===//
//
// One function a report (`nnc -explain=`), one file each. A report is a text for people. It fails where the call that
// it is asked for cannot be, and is empty where the network could not be planned or a kernel compiled, which has been
// said.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_EXPLAIN_EXPLAIN_H
#define NNC_COMPILER_EXPLAIN_EXPLAIN_H

#include "compiler/emit/Kernels.h"
#include "compiler/explain/Call.h"
#include "dsl/Model.h"
#include "targets/Target.h"

#include "mlir/IR/OwningOpRef.h"

namespace nnc::explain {

/// Takes a network through the passes to its plan, with these policies of back-propagation instead of its own, one for
/// each train block. Null when a pass failed, which has been said.
using Planner = llvm::function_ref<mlir::OwningOpRef<mlir::ModuleOp>(llvm::ArrayRef<dsl::Bptt>)>;

/// `bptt`: what each policy of back-propagation through time costs, in memory and in operations.
llvm::Expected<std::string> explainBptt(const dsl::Network &network, Planner plan, const targets::Target &target,
                                        const Call &call);

/// `groups`: of each kernel that a planned module's functions launch what is computed together, why it ends there, its
/// schedule, its work, and the share of the machine's peak that a roofline lets expect.
llvm::Expected<std::string> explainGroups(mlir::ModuleOp planned, const targets::Target &target, const Call &call,
                                          const emit::KernelOptions &options);

/// `memory`: of each function of a planned module how much workspace a call takes, and how much it takes at least.
llvm::Expected<std::string> explainMemory(mlir::ModuleOp planned, const targets::Target &target, const Call &call);

/// `gradients`: the ways from each loss to each weight, of the module as it was imported, without windows.
std::string explainGradients(mlir::ModuleOp module, const dsl::Network &network);

/// A module whose train blocks were unfolded and differentiated, with names for the copies of weights, for their
/// gradients and for what the user has a name for. Changes the module's locations.
std::string printUnfolded(mlir::ModuleOp module);

} // namespace nnc::explain

#endif // NNC_COMPILER_EXPLAIN_EXPLAIN_H
