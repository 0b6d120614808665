//===- Random.cpp - Random numbers that follow from a counter -------------===//
//
// Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a
// few rounds of multiplications that scramble a counter by a key. No state: the
// same counter gives the same number, in any order and on any thread. Ten rounds
// are the authors' choice, seven the fewest that pass every test of BigCrush.
//
//===----------------------------------------------------------------------===//

#include "compiler/halide/Math.h"

using Halide::cast;
using Halide::Expr;

namespace nnc::math {

namespace {

/// The halves of a product of 64 bits.
struct Product {
  Product(const Expr &a, uint32_t b) {
    Expr product = cast<uint64_t>(a) * Expr(static_cast<uint64_t>(b));
    low = cast<uint32_t>(product);
    high = cast<uint32_t>(product >> 32);
  }
  Expr low, high;
};

} // namespace

/// What each round adds to a key: the golden ratio and the square root of 3.
static constexpr uint32_t golden = 0x9E3779B9, root = 0xBB67AE85;

Stream makeStream(const Expr &key0, const Expr &key1, const Expr &counter0, const Expr &counter1) {
  Expr words[] = {counter0, counter1, cast<uint32_t>(0), cast<uint32_t>(0)};
  for (uint32_t round = 0; round < 10; ++round) {
    Product left(words[0], 0xD2511F53), right(words[2], 0xCD9E8D57);
    Expr next[] = {right.high ^ words[1] ^ (key0 + Expr(golden * round)), right.low,
                   left.high ^ words[3] ^ (key1 + Expr(root * round)), left.low};
    std::copy(std::begin(next), std::end(next), std::begin(words));
  }
  return {words[0], words[1]};
}

Expr at(const Stream &stream, const Expr &counter) {
  Expr low = counter, high = stream.high;
  for (uint32_t round = 0; round < 7; ++round) {
    Product product(low, 0xD256D193);
    low = product.high ^ (stream.key + Expr(golden * round)) ^ high;
    high = product.low;
  }
  return low;
}

} // namespace nnc::math
