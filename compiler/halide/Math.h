//===- Math.h - Vectorized functions that keep NaN and infinity -----------===//
//
// Halide compiles with fast-math: its own exp of NaN is 0, its max drops NaN, and
// its tanh is a scalar call. These are straight polynomials whose special values
// are chosen by integer operations on the bits, which fast-math leaves alone.
// Errors are against float64, over all floats.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_HALIDE_MATH_H
#define NNC_COMPILER_HALIDE_MATH_H

#include <Halide.h>

namespace nnc::math {

/// e^x; at most 1 unit in the last place off; 0 below -86.9, before denormals.
Halide::Expr exp(Halide::Expr x);

/// e^x - 1 for x <= 0, without cancellation near 0.
Halide::Expr expm1(Halide::Expr x);

/// Natural logarithm; of 0 -infinity, of less NaN.
Halide::Expr log(Halide::Expr x);

/// Hyperbolic tangent: a rational function of degree 13 over 6.
Halide::Expr tanh(Halide::Expr x);

/// 1 / (1 + e^-x).
Halide::Expr sigmoid(Halide::Expr x);

/// log(1 + e^x), without overflow and without cancellation.
Halide::Expr softplus(Halide::Expr x);

/// x (1 + erf(x / sqrt 2)) / 2.
Halide::Expr gelu(Halide::Expr x);

/// a to the b.
Halide::Expr pow(Halide::Expr a, Halide::Expr b);

/// max(x, 0); NaN stays NaN.
Halide::Expr relu(Halide::Expr x);

/// The larger and the smaller of two; NaN where either is.
Halide::Expr maximum(Halide::Expr a, Halide::Expr b);
Halide::Expr minimum(Halide::Expr a, Halide::Expr b);

/// A stream of random words that a counter goes through.
struct Stream {
  Halide::Expr key, high; ///< of every word: the key, and half of the counter
};

/// The stream of four words: Philox 4x32-10 (Salmon et al. 2011) of the key
/// (key0, key1) at the counter (counter0, counter1, 0, 0).
Stream makeStream(const Halide::Expr &key0, const Halide::Expr &key1, const Halide::Expr &counter0,
                  const Halide::Expr &counter1);

/// Word number `counter` of a stream, 32 random bits: Philox 2x32-7.
Halide::Expr at(const Stream &stream, const Halide::Expr &counter);

/// Whether x is NaN.
Halide::Expr isNan(const Halide::Expr &x);

/// Plus or minus infinity.
Halide::Expr infinity(bool negative);

} // namespace nnc::math

#endif // NNC_COMPILER_HALIDE_MATH_H
