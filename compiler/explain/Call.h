//===- Call.h - The call that is explained --------------------------------===//

#ifndef NNC_COMPILER_EXPLAIN_CALL_H
#define NNC_COMPILER_EXPLAIN_CALL_H

#include "compiler/emit/Interface.h"
#include "compiler/emit/Work.h"

#include "llvm/Support/Error.h"

#include <map>
#include <string>

namespace nnc::explain {

/// How many examples, of how many steps along each length, as the user asks for.
struct Call {
  int64_t batch = 0;                      ///< 0: chosen
  std::map<std::string, int64_t> lengths; ///< those left out are chosen
  bool isProfiled = false;                ///< of a library that measures its kernels
};

/// Lengths by name, the batch among them.
using Dims = std::map<std::string, int64_t>;

/// The batch and the lengths of a call: of those that the user leaves out, `batch` examples, and 100 steps or as many
/// as a length's bound permits. Fails where a length is over its bound.
llvm::Expected<Dims> chooseDims(const Call &call, llvm::ArrayRef<emit::FreeDim> freeDims, int64_t batch);

/// The lengths in the order of their declaration.
std::vector<int64_t> getLengths(const Dims &dims, llvm::ArrayRef<emit::FreeDim> freeDims);

/// "T = 100, batch = 1".
std::string describe(const Dims &dims, llvm::ArrayRef<emit::FreeDim> freeDims);

/// A product of lengths, such as "T*batch", as a number.
double evaluate(llvm::StringRef product, const Dims &dims);

/// Operations as a number.
double evaluate(const emit::Work &work, const Dims &dims);

} // namespace nnc::explain

#endif // NNC_COMPILER_EXPLAIN_CALL_H
