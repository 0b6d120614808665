//===- KernelTable.h - Which kernels a library carries --------------------===//

#ifndef NNC_COMPILER_EMIT_KERNELTABLE_H
#define NNC_COMPILER_EMIT_KERNELTABLE_H

#include "targets/Device.h"

#include "llvm/ADT/MapVector.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nnc::emit {

/// The variants of one kernel: consecutive slots of a table.
struct KernelSlots {
  int64_t first = 0;
  std::vector<int64_t> minRows; ///< of each variant, ascending, the first 1
};

/// The kernels of a library. At run time they are a table of functions for each
/// isa, one slot for each variant of each kernel.
struct KernelTable {
  targets::Device device = targets::Device::Host;
  std::vector<std::string> isas;                         ///< "avx2", "avx512", in the order of the tables
  llvm::MapVector<llvm::StringRef, KernelSlots> kernels; ///< by the nn.kernel's symbol
  int64_t slotCount = 0;

  void add(llvm::StringRef kernel, std::vector<int64_t> minRows) {
    int64_t count = minRows.size();
    kernels[kernel] = {slotCount, std::move(minRows)};
    slotCount += count;
  }
};

/// The symbol of a kernel's code: lenet5_conv0_avx2, or lenet5_dense0_avx2_r8
/// where the kernel has variants.
inline std::string getKernelSymbol(llvm::StringRef network, llvm::StringRef kernel, const KernelSlots &slots,
                                   unsigned variant, llvm::StringRef isa) {
  std::string symbol = (network + "_" + kernel + "_" + isa).str();
  if (slots.minRows.size() > 1)
    symbol += "_r" + std::to_string(slots.minRows[variant]);
  return symbol;
}

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_KERNELTABLE_H
