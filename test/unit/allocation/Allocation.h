//===- Allocation.h - Who calls malloc ------------------------------------===//

#ifndef NNC_TEST_UNIT_ALLOCATION_ALLOCATION_H
#define NNC_TEST_UNIT_ALLOCATION_ALLOCATION_H

#include <cstdint>

namespace nnc::test {

/// How often the program's threads, all together, have allocated or freed memory
/// so far: every function of the C library that does, the C++ operators, and what
/// the C library does for itself.
int64_t countAllocations();

} // namespace nnc::test

#endif // NNC_TEST_UNIT_ALLOCATION_ALLOCATION_H
