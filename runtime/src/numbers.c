/*===- numbers.c - Random numbers, hashes, narrow floats ---------------------===*/

#include "internal.h"

#include <string.h>

void nnc_philox(const uint32_t counter[4], uint64_t key, uint32_t out_words[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t even = UINT64_C(0xD2511F53) * c0, odd = UINT64_C(0xCD9E8D57) * c2;
    c0 = (uint32_t)(odd >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(even >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)odd;
    c3 = (uint32_t)even;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  out_words[0] = c0;
  out_words[1] = c1;
  out_words[2] = c2;
  out_words[3] = c3;
}

uint64_t nnc_hash(const char *text) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (; *text; ++text)
    hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
  return hash;
}

static float nnc_float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float nnc_float_from_half(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  if (exponent == 0x1f)
    return nnc_float_from_bits(sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) { /* fraction * 2^-24 is exact */
    float value = (float)fraction * 0x1p-24f;
    return sign ? -value : value;
  }
  return nnc_float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

float nnc_float_from_bfloat(uint16_t bits) { return nnc_float_from_bits((uint32_t)bits << 16); }
