//===- NumbersTest.cpp - Random numbers, hashes, narrow floats ------------===//

#include "nnc/runtime.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

// Of runtime/src/internal.h, which is C.
extern "C" {
void nnc_philox(const uint32_t counter[4], uint64_t key, uint32_t out_words[4]);
uint64_t nnc_hash(const char *text);
float nnc_float_from_half(uint16_t bits);
float nnc_float_from_bfloat(uint16_t bits);
}

static std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint64_t key) {
  std::array<uint32_t, 4> words;
  nnc_philox(counter.data(), key, words.data());
  return words;
}

// The known answers that the authors of Philox publish with Random123.
TEST(Numbers, PhiloxGivesTheKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Numbers, HashIsFnv1a) {
  EXPECT_EQ(nnc_hash(""), 0xcbf29ce484222325);
  EXPECT_EQ(nnc_hash("a"), 0xaf63dc4c8601ec8c);
  EXPECT_EQ(nnc_hash("foobar"), 0x85944171f73967e8);
}

// Every half: what it is made of says what it is worth.
TEST(Numbers, EveryHalfBecomesItsFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value = nnc_float_from_half(static_cast<uint16_t>(bits));
    EXPECT_EQ(std::signbit(value), bits >> 15) << bits;
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), fraction != 0) << bits;
      EXPECT_EQ(std::isinf(value), fraction == 0) << bits;
      continue;
    }
    float expected = exponent ? std::ldexp(1024.0f + fraction, exponent - 25) : std::ldexp(1.0f * fraction, -24);
    EXPECT_EQ(std::fabs(value), expected) << bits;
  }
}

TEST(Numbers, BfloatIsTheUpperHalfOfAFloat) {
  EXPECT_EQ(nnc_float_from_bfloat(0x3f80), 1.0f);
  EXPECT_EQ(nnc_float_from_bfloat(0xc040), -3.0f);
  EXPECT_TRUE(std::isnan(nnc_float_from_bfloat(0x7fc0)));
}
