//===- WinogradCost.cpp - Whether tiles beat direct sums on a device ------===//
//
// Cycles of a device for `n` images, of a convolution of 3 by 3 with `in` and `out` channels:
//
//   direct    one launch
//             + the longer of
//                 n * pixels * 9 * in * out / multiply-adds
//                 4 * (n * pixels * (in + out) + 9 * in * out) / bytes
//   by tiles  three launches: image, products, result; in training one more, and 4 * 45 * in * out / bytes
//             + n * 4 * (pixels + 36 * tiles) * (in + out) / bytes            both transforms
//             + the longer of
//                 n * tiles * 36 * in * out / multiply-adds
//                 4 * (n * tiles * 36 * (in + out) + 36 * in * out) / bytes
//
// Multiply-adds reach 0.7 of the peak in both: they are the same tiles of a block. What goes from one kernel to the
// next comes from L2 where all of it fits, weights from memory: those of a network are more than L2 holds.
//
// By these numbers of an H100, in thousands of cycles for each of 1 and of 32 images:
//
//                           direct, 1   tiles   direct, 32   tiles
//   224 x 224,  64 to  64         160      92          156      82
//   112 x 112, 128 to 128         160      57          156      61
//    56 x  56, 256 to 256         160      53          156      50
//    28 x  28, 512 to 512         160      51          156      45
//    14 x  14, 512 to 512          42      30           39      15
//    14 x  14, 256 to 256          13      15          9.9     4.3
//     7 x   7, 512 to 512          13      30          9.9     3.7
//
// Of few images on few pixels launches and weights are what takes time. As a network has calls of any
// batch, both count: tiles are chosen where the geometric mean is well ahead and a call of one image not
// far behind.
//
//===----------------------------------------------------------------------===//

#include "targets/gpu/Gpu.h"

#include <algorithm>

namespace nnc::targets::gpu {

/// The share of the multiply-adds that blocks reach.
static constexpr double reached = 0.7;

/// What the mean must stay below, as tiles are less exact; and one image.
static constexpr double margin = 0.85, mostOfOne = 1.4;

/// Images of a call that fills the device.
static constexpr int64_t manyImages = 32;

/// With fewer channels on a side neighbouring threads have no whole lines of memory, and blocks no whole tiles.
static constexpr int64_t leastChannels = 32;

/// Most bytes of an image that is transformed, and of its sums: each is several times the image itself.
static constexpr double mostBytes = 32 << 20;

namespace {

/// What both ways share.
struct Cost {
  const ConvShape &conv;
  const Machine &machine;
  double pixels = static_cast<double>(conv.height * conv.width);
  double tiles = static_cast<double>((conv.height + 3) / 4 * ((conv.width + 3) / 4));
  double pairs = static_cast<double>(conv.inputs * conv.outputs);
  double channels = static_cast<double>(conv.inputs + conv.outputs);

  /// Of a kernel that reads and writes so many elements beside its weights.
  double move(double elements, double weights = 0) const {
    double bytes = 4 * elements;
    return bytes / (bytes <= machine.nearSize ? machine.nearBytes : machine.farBytes) + 4 * weights / machine.farBytes;
  }

  double multiply(double products) const { return products / (machine.operations / 2 * reached); }

  double direct(double images) const {
    return machine.launchCycles +
           std::max(multiply(images * pixels * 9 * pairs), move(images * pixels * channels, 9 * pairs));
  }

  double byTiles(double images) const {
    double ofTiles = images * tiles * 36, transformed = move(images * pixels * channels + ofTiles * channels);
    double products = std::max(multiply(ofTiles * pairs), move(ofTiles * channels, 36 * pairs));
    double weights = conv.examples ? machine.launchCycles + move(0, 45 * pairs) : 0;
    return 3 * machine.launchCycles + transformed + products + weights;
  }
};

} // namespace

ConvForm chooseConvForm(const ConvShape &conv, const Machine &machine) {
  if (conv.everywhere)
    return ConvForm::TilesOfTransformed;
  Cost cost{conv, machine};
  if (std::min(conv.inputs, conv.outputs) < leastChannels ||
      4 * 36 * cost.tiles * static_cast<double>(std::max(conv.inputs, conv.outputs)) > mostBytes)
    return ConvForm::Direct;
  auto compare = [&](int64_t images) {
    auto count = static_cast<double>(images);
    return cost.byTiles(count) / cost.direct(count);
  };
  double ofFew = compare(std::max<int64_t>(conv.examples, 1)), ofMany = compare(manyImages);
  return ofFew < mostOfOne && ofFew * ofMany < margin * margin ? ConvForm::TilesOfTransformed : ConvForm::Direct;
}

} // namespace nnc::targets::gpu
