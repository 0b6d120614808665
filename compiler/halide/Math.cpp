//===- Math.cpp - Vectorized functions that keep NaN and infinity ---------===//

#include "compiler/halide/Math.h"

#include <cmath>

#include <initializer_list>

using Halide::Expr;

namespace nnc::math {

//===----------------------------------------------------------------------===//
// Bits
//===----------------------------------------------------------------------===//

static constexpr int32_t infinityBits = 0x7f800000;
static constexpr int32_t negativeInfinityBits = static_cast<int32_t>(0xff800000u);
static constexpr int32_t nanBits = 0x7fc00000;

static Expr bitsOf(Expr x) { return Halide::reinterpret<int32_t>(std::move(x)); }
static Expr fromBits(Expr bits) { return Halide::reinterpret<float>(std::move(bits)); }

Expr isNan(const Expr &x) { return (bitsOf(x) & 0x7fffffff) > infinityBits; }

/// A choice between floats that fast-math does not see.
static Expr choose(Expr condition, Expr a, Expr b) {
  return fromBits(Halide::select(std::move(condition), bitsOf(std::move(a)), bitsOf(std::move(b))));
}

static Expr polynomial(const Expr &x, std::initializer_list<float> coefficients) {
  Expr value;
  for (float coefficient : coefficients)
    value = value.defined() ? value * x + coefficient : Expr(coefficient);
  return value;
}

Expr infinity(bool negative) { return fromBits(Expr(negative ? negativeInfinityBits : infinityBits)); }

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

/// e^x for x clamped to [-86.9, 88.7]: 2^k e^r with |r| <= log(2) / 2 (Moshier,
/// Cephes). 2^k is written as 2 * 2^(k-1), as 2^128 is no float.
static Expr expInRange(const Expr &x) {
  Expr clamped = Halide::clamp(x, -86.9f, 88.7228394f);
  Expr k = Halide::round(clamped * 1.44269504f);
  Expr r = clamped - k * 0.693359375f - k * -2.12194440e-4f;
  Expr p = polynomial(
      r, {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f});
  Expr y = p * (r * r) + r + 1.0f;
  return (y + y) * fromBits((Halide::cast<int32_t>(k) + 126) << 23);
}

Expr exp(Expr x) {
  // As integers, floats above a positive one are greater, those below a
  // negative one too; NaN is beyond either infinity.
  Expr overflows = bitsOf(x) > Expr(0x42b17218);                                   // 88.72284
  Expr underflows = Halide::reinterpret<uint32_t>(x) > Expr(uint32_t(0xc2adcccd)); // -86.9
  Expr result = choose(overflows, infinity(false), choose(underflows, 0.0f, expInRange(x)));
  return choose(isNan(x), x, result);
}

Expr expm1(Expr x) {
  Expr t = math::tanh(x * 0.5f);
  return 2.0f * t / (1.0f - t);
}

Expr sigmoid(Expr x) { return choose(isNan(x), x, 1.0f / (1.0f + expInRange(-x))); }

/// A rational function, within 3e-8 and the rounding of a few operations, up to where fused multiply-adds make it 1:
/// short of that 1 - y^2, its derivative, would be 5e-7 everywhere beyond.
Expr tanh(Expr x) {
  Expr c = Halide::clamp(x, -7.99881172180175781f, 7.99881172180175781f), s = c * c;
  Expr p = polynomial(s, {-2.76076847742355e-16f, 2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f,
                          1.48572235717979e-05f, 6.37261928875436e-04f, 4.89352455891786e-03f});
  Expr q = polynomial(s, {1.19825839466702e-06f, 1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f});
  return choose(isNan(x), x, c * p / q);
}

//===----------------------------------------------------------------------===//
// Logarithms
//===----------------------------------------------------------------------===//

/// log(1 + m) - m for m in [sqrt(1/2) - 1, sqrt(2) - 1] (Moshier, Cephes).
static Expr logTail(const Expr &m) {
  Expr p = polynomial(m, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                          -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
  Expr square = m * m;
  return p * m * square - 0.5f * square;
}

/// log of a positive normal number: m 2^e with m in [sqrt(1/2), sqrt(2)).
static Expr logOfNormal(const Expr &x) {
  Expr bits = bitsOf(x);
  Expr exponent = ((bits >> 23) & 255) - 126;
  Expr mantissa = fromBits((bits & 0x7fffff) | 0x3f000000); // in [1/2, 1)
  Expr isLow = mantissa < 0.707106781186547524f;
  Expr e = Halide::cast<float>(Halide::select(isLow, exponent - 1, exponent));
  Expr m = Halide::select(isLow, mantissa + mantissa, mantissa) - 1.0f;
  return m + (logTail(m) + e * -2.12194440e-4f) + e * 0.693359375f;
}

Expr log(Expr x) {
  Expr bits = bitsOf(x);
  Expr isZero = (bits & 0x7f800000) == 0; // denormals are 0
  Expr result = choose(isZero, infinity(true), logOfNormal(x));
  result = choose(bits < 0 && !isZero, fromBits(Expr(nanBits)), result);
  return choose((bits & 0x7fffffff) >= infinityBits && bits != Expr(negativeInfinityBits), x, result);
}

Expr softplus(Expr x) {
  // log(1 + y) for y in (0, 1]: of a small y without the sum, which would round it.
  Expr y = expInRange(-Halide::abs(x));
  Expr tail = Halide::select(y < 0.41421356f, y + logTail(y), logOfNormal(1.0f + y));
  return choose(isNan(x), x, relu(x) + tail);
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

Expr gelu(Expr x) {
  // Beyond 6 erf is 1 as a float; Halide's own is NaN at infinity, and a device's may be off
  // by a bit. The share is at most 1: twice the largest float would be infinity.
  Expr z = Halide::clamp(x * 0.707106781186547524f, -6.0f, 6.0f);
  Expr share = Halide::select(z > -6.0f, 0.5f + 0.5f * Halide::erf(z), 0.0f);
  return choose(isNan(x), x, x * share);
}

/// A power whose exponent is a quarter of a whole number, by roots: to the last bits, where the exponential of a
/// logarithm is off by several.
static Expr powOfQuarters(Expr a, int quarters) {
  Expr root = Halide::sqrt(a), result = 1.0f;
  if (quarters & 2)
    result = root;
  if (quarters & 1)
    result = result * Halide::sqrt(root);
  for (int whole = quarters / 4; whole > 0; --whole)
    result = result * a;
  return result;
}

Expr pow(Expr a, Expr b) {
  constexpr double most = 4;
  if (std::optional<double> exponent = Halide::Internal::as_const_float(b); exponent && std::abs(*exponent) <= most) {
    double quarters = std::abs(*exponent) * 4;
    if (quarters == std::floor(quarters)) {
      Expr result = powOfQuarters(a, static_cast<int>(quarters));
      return *exponent < 0 ? 1.0f / result : result;
    }
  }
  return choose(isNan(a) || isNan(b), fromBits(Expr(nanBits)), Halide::pow(a, b));
}

Expr relu(Expr x) {
  // As integers only negative NaN and what is not negative lie above -infinity.
  return fromBits(Halide::select(bitsOf(x) > Expr(negativeInfinityBits), bitsOf(x), 0));
}

Expr maximum(Expr a, Expr b) { return choose(isNan(a), a, choose(isNan(b), b, Halide::max(a, b))); }

Expr minimum(Expr a, Expr b) { return choose(isNan(a), a, choose(isNan(b), b, Halide::min(a, b))); }

} // namespace nnc::math
