//===- WinogradCost.cpp - Whether tiles beat direct sums ------------------===//
//
// Cycles of one core for one image, of a convolution of 3 by 3 with `in` and `out` channels:
//
//   direct    pixels * 9 * in * out / 16 / 0.93                    multiply-adds
//             + 36 * in * out / 5.5                                bytes of the weights, from memory
//   by tiles  tiles * 36 * in * out / 16 / 0.93                    multiply-adds
//             + tiles * 40 * (in + out)                            both transforms
//             + 144 * in * out / 5.5                               bytes of the weights, from memory
//             + 290 * in * out / 5.5 / examples                    in training: their transform, in each step
//
// A tile has 4 by 4 pixels, those beyond the image's edge too. So tiles lose where the image
// is small (7 by 7 pixels: 4 tiles read 4 times the weights), and where there are few channels
// on one side for the transforms of the other. They must be well ahead, as they are less exact.
//
// Weights that come from L3 or from memory, 4 bytes in the time of 25 to 50 multiply-adds (15 GB/s
// beside 200 GFLOP/s on a Xeon, 20 beside 117 on a Zen 4), want 32 tiles each time: where fewer
// transforms stay in L2, the image is transformed before, and several examples use a weight together.
//
// The constants are of Zen 4, where a core starts 16 multiply-adds a cycle with AVX2 and with
// AVX-512, and reads 20 GB/s at 3.7 GHz. Whole networks read more weights than any cache holds.
//
//===----------------------------------------------------------------------===//

#include "targets/x86/X86.h"

namespace nnc::targets::x86 {

static constexpr double multiplyAddsInCycle = 16 * 0.93, transformCycles = 40, bytesInCycle = 5.5, margin = 0.85;

/// What a transform of weights takes, as bytes of memory: it reads 9 elements, computes in
/// float64, and writes 36 to lines that are read first.
static constexpr double transformBytes = 290;

/// With fewer channels on a side, lanes are idle. With more, not even four tiles of the transformed
/// image fit half of L2.
static constexpr int64_t leastChannels = 16, mostInputs = 1024;

/// Tiles that should use a weight each time it is read: it comes at 4 bytes in the time of so many multiply-adds.
static constexpr int64_t manyTiles = 32;

/// Bytes of the workspace for a transformed image, of which each task reads a part many times.
static constexpr int64_t mostBytes = 8 << 20;

ConvForm chooseConvForm(const ConvShape &conv) {
  if (conv.inputs < leastChannels || conv.outputs < leastChannels || conv.inputs > mostInputs)
    return ConvForm::Direct;
  auto pixels = static_cast<double>(conv.height * conv.width);
  auto tiles = static_cast<double>((conv.height + 3) / 4 * ((conv.width + 3) / 4));
  auto pairs = static_cast<double>(conv.inputs * conv.outputs);
  auto channels = static_cast<double>(conv.inputs + conv.outputs);
  double direct = pixels * 9 * pairs / multiplyAddsInCycle + 9 * 4 * pairs / bytesInCycle;
  double byTiles =
      tiles * 36 * pairs / multiplyAddsInCycle + tiles * transformCycles * channels + 36 * 4 * pairs / bytesInCycle;
  if (conv.examples != 0)
    byTiles += transformBytes * pairs / bytesInCycle / static_cast<double>(conv.examples);
  if (!conv.everywhere && byTiles >= direct * margin)
    return ConvForm::Direct;
  int64_t inCache = countTilesInCache(conv.inputs), count = (conv.height + 3) / 4 * ((conv.width + 3) / 4);
  bool readsOften = inCache < manyTiles && count > inCache;
  return readsOften && count * 36 * conv.inputs * 4 <= mostBytes ? ConvForm::TilesOfTransformed : ConvForm::Tiles;
}

} // namespace nnc::targets::x86
