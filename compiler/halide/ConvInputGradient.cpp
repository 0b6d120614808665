//===- ConvInputGradient.cpp - Algorithms of an image's cotangent ---------===//

#include "compiler/halide/Window.h"

#include <numeric>

using namespace mlir;
using namespace nnc::nn;
using Halide::Expr;
using Halide::Func;
using Halide::RDom;

namespace nnc {

static Expr zero(const Indices &) { return 0.0f; }

namespace {

/// The image's pixels `stride q + phase` along one dimension: those that the same
/// taps of the kernel reach. Tap `first + step t` reads dy at `q + base - back t`.
struct Phase {
  int64_t first = 0, step = 1, count = 0, base = 0, back = 0;
};

/// The window along one dimension of the image.
struct Slide {
  unsigned dim; ///< of the type
  int64_t stride, size;
  std::vector<Phase> phases; ///< one for each pixel of a stride
  int64_t low = 0;           ///< the first pixel of dy that is read, counted from dy's own first
  int64_t reach = 0;         ///< from the first to the last pixel of dy that the pixels of one q read
};

using Phases = SmallVector<const Phase *>;

/// Most combinations of phases that get sums of their own.
constexpr size_t maxPhases = 16;

} // namespace

static Phase makePhase(int64_t phase, int64_t stride, int64_t dilation, int64_t padding, int64_t size) {
  Phase result;
  int64_t common = std::gcd(stride, dilation);
  result.step = stride / common;
  result.back = dilation / common;
  while (result.first < size && (phase + padding - result.first * dilation) % stride != 0)
    ++result.first;
  if (result.first >= size)
    return result;
  result.count = (size - 1 - result.first) / result.step + 1;
  result.base = (phase + padding - result.first * dilation) / stride;
  return result;
}

static std::vector<Slide> getSlides(RankedTensorType image, const Window &window) {
  std::vector<Slide> slides;
  SmallVector<unsigned> spatial = *getSpatialDims(image, window.rank());
  for (auto [i, dim] : llvm::enumerate(spatial)) {
    Slide slide{dim, window.strides[i], window.sizes[i], {}};
    int64_t low = 0, high = 0;
    for (int64_t phase = 0; phase < slide.stride; ++phase) {
      Phase made = makePhase(phase, slide.stride, window.dilation(i), window.padding[2 * i], slide.size);
      slide.phases.push_back(made);
      if (made.count == 0)
        continue;
      low = std::min(low, made.base - made.back * (made.count - 1));
      high = std::max(high, made.base);
    }
    slide.low = low;
    slide.reach = high - low + 1;
    slides.push_back(std::move(slide));
  }
  return slides;
}

/// The panels of a kernel that lies in panels of its inputs.
static PanelAttr getInputPanel(RankedTensorType kernel) {
  auto panel = dyn_cast_or_null<PanelAttr>(kernel.getEncoding());
  return panel && panel.getDim() == kernel.getRank() - 2 ? panel : PanelAttr();
}

namespace {

/// Builds the sums of one `conv_input_gradient`.
class InputGradientBuilder {
public:
  InputGradientBuilder(AlgorithmBuilder &builder, ConvInputGradientOp op)
      : builder(builder), op(op), image(nn::getType(op.getResult())), kernel(nn::getType(op.getKernel())),
        panel(getInputPanel(kernel)),
        window{kernel.getShape().drop_back(2), op.getStrides(), op.getDilations(), op.getPadding(), {}},
        slides(getSlides(image, window)) {}

  void build();

private:
  Element padCotangent();
  Expr sumPhases(const Phases &phases, const Indices &indices);
  Expr sumPanels(const Phases &phases, const Indices &indices);
  Indices getTaps(const Phases &phases, const RDom &r);
  Indices getPixel(const Phases &phases, const RDom &r, const Indices &indices);
  RDom makeDomain(const Phases &phases);
  Extents getPhaseExtents();
  void noteStrides();

  /// The number of channels of dy that reach one channel of the image.
  int64_t outputs() { return kernel.getShape().back() / static_cast<int64_t>(op.getGroups()); }
  int64_t inputs() { return kernel.getShape()[window.rank()]; }
  Expr tap(const RDom &r, unsigned i) { return r[window.rank() - i]; }

  AlgorithmBuilder &builder;
  ConvInputGradientOp op;
  RankedTensorType image, kernel;
  PanelAttr panel;
  Window window;
  std::vector<Slide> slides;
  Element dy; ///< with its border; indices count from `low`
};

} // namespace

/// dy with zeros around it, as a stage of its own where its size is known.
Element InputGradientBuilder::padCotangent() {
  Extents inner = getExtents(nn::getType(op.getDy())), padded = inner, whole = getExtents(image);
  bool pads = false, isFixed = true;
  for (const Slide &slide : slides) {
    if (inner[slide.dim].isDynamic() || whole[slide.dim].isDynamic()) {
      isFixed = false;
      continue;
    }
    int64_t pixels = llvm::divideCeil(whole[slide.dim].size, slide.stride) - 1 + slide.reach;
    pads |= slide.low < 0 || pixels + slide.low > inner[slide.dim].size;
    padded[slide.dim] = pixels;
  }
  Element element = [this, inner](const Indices &indices) {
    Indices clamped(indices);
    Expr inside;
    for (const Slide &slide : slides) {
      Expr place = indices[slide.dim] + toInt(slide.low), last = builder.size(inner[slide.dim]) - 1;
      Expr within = place >= 0 && place <= last;
      inside = inside.defined() ? inside && within : within;
      clamped[slide.dim] = clamp(likely(place), 0, last);
    }
    return Halide::select(likely(inside), builder.at(op.getDy(), clamped), 0.0f);
  };
  if (!isFixed)
    return element;
  if (!pads)
    return [this](const Indices &indices) { return builder.at(op.getDy(), indices); };
  Func border = builder.stage("padded", targets::Role::Padded, padded, element);
  for (const Slide &slide : llvm::reverse(slides))
    builder.getLastStage().window.push_back({1, slide.reach});
  return [border](const Indices &indices) { return AlgorithmBuilder::call(border, indices); };
}

/// The taps of the kernel at a point of the reduction: channel of dy, taps.
Indices InputGradientBuilder::getTaps(const Phases &phases, const RDom &r) {
  Indices taps;
  for (unsigned i = 0; i < window.rank(); ++i) {
    Expr index = toInt(phases[i]->first) + tap(r, i) * toInt(phases[i]->step);
    taps.push_back(op.getFlip() ? toInt(window.sizes[i] - 1) - index : index);
  }
  return taps;
}

/// The pixel of dy there, for an index in units of strides.
Indices InputGradientBuilder::getPixel(const Phases &phases, const RDom &r, const Indices &indices) {
  Indices pixel(indices);
  for (auto [i, slide] : llvm::enumerate(slides))
    pixel[slide.dim] = indices[slide.dim] + toInt(phases[i]->base - slide.low) - tap(r, i) * toInt(phases[i]->back);
  return pixel;
}

/// The sums of the pixels of a phase, at an index in units of strides.
Expr InputGradientBuilder::sumPhases(const Phases &phases, const Indices &indices) {
  if (llvm::any_of(phases, [](const Phase *phase) { return phase->count == 0; }))
    return 0.0f;
  if (panel)
    return sumPanels(phases, indices);
  RDom r = makeDomain(phases);
  targets::Role role = op.getGroups() == 1 ? targets::Role::InnerProduct : targets::Role::Contraction;
  Func sum = builder.accumulateProducts("conv", role, getPhaseExtents(), r, [&](const Indices &indices) {
    Indices kernel = getTaps(phases, r), pixel = getPixel(phases, r, indices);
    Expr in = indices.back(), out = r[0];
    if (op.getGroups() != 1)
      out = in / toInt(inputs()) * toInt(outputs()) + r[0];
    kernel.push_back(op.getGroups() == 1 ? in : inputs() == 1 ? Expr(0) : in % toInt(inputs()));
    kernel.push_back(out);
    pixel.back() = out;
    return std::make_pair(dy(pixel), builder.at(op.getKernel(), kernel));
  });
  noteStrides();
  return AlgorithmBuilder::call(sum, indices);
}

/// The same with a kernel in panels of its inputs: as a convolution of dy.
Expr InputGradientBuilder::sumPanels(const Phases &phases, const Indices &indices) {
  RDom r = makeDomain(phases);
  int32_t width = panel.getWidth();
  Extents shape = getPhaseExtents();
  SmallVector<unsigned> spatial;
  for (const Slide &slide : slides)
    spatial.push_back(slide.dim);
  FlatPixels pixels(shape, spatial);
  Extents flat = pixels.flatten(shape);
  flat.back() = static_cast<int64_t>(width);
  flat.insert(flat.begin(), int64_t(llvm::divideCeil(shape.back().size, width)));
  Func sum = builder.accumulateProducts("conv", targets::Role::Contraction, flat, r, [&](const Indices &indices) {
    Indices kernel = getTaps(phases, r);
    Indices pixel = getPixel(phases, r, pixels.restore(Indices(indices.begin() + 1, indices.end())));
    kernel.insert(kernel.begin(), indices.front());
    kernel.push_back(r[0]);
    kernel.push_back(indices.back());
    pixel.back() = r[0];
    return std::make_pair(dy(pixel), AlgorithmBuilder::call(builder.func(op.getKernel()), kernel));
  });
  noteStrides();
  Indices place = pixels.flatten(indices);
  place.back() = getLane(builder, indices.back(), width);
  place.insert(place.begin(), indices.back() / width);
  return AlgorithmBuilder::call(sum, place);
}

RDom InputGradientBuilder::makeDomain(const Phases &phases) {
  std::vector<Expr> sizes{toInt(outputs())};
  for (const Phase *phase : llvm::reverse(phases))
    sizes.push_back(toInt(phase->count));
  return builder.domain("k", sizes);
}

/// The image's extents in units of strides, where they are known.
Extents InputGradientBuilder::getPhaseExtents() {
  Extents shape = getExtents(image);
  for (const Slide &slide : slides)
    if (!shape[slide.dim].isDynamic())
      shape[slide.dim] = int64_t(llvm::divideCeil(shape[slide.dim].size, slide.stride));
  return shape;
}

/// Tells the schedule the strides of the sums made last.
void InputGradientBuilder::noteStrides() {
  for (const Slide &slide : llvm::reverse(slides))
    builder.getLastStage().window.push_back({slide.stride, 1});
}

void InputGradientBuilder::build() {
  dy = padCotangent();
  builder.define(op.getResult(), [&](const Indices &indices) {
    Indices place(indices);
    Expr phase = 0;
    std::vector<Phases> combinations{{}};
    for (const Slide &slide : slides) {
      if (slide.stride != 1) {
        place[slide.dim] = indices[slide.dim] / toInt(slide.stride);
        phase = phase * toInt(slide.stride) + indices[slide.dim] % toInt(slide.stride);
      }
      std::vector<Phases> longer;
      for (const Phases &combination : combinations)
        for (const Phase &next : slide.phases) {
          longer.push_back(combination);
          longer.back().push_back(&next);
        }
      combinations = std::move(longer);
    }
    std::vector<Expr> sums;
    for (const Phases &combination : combinations)
      sums.push_back(sumPhases(combination, place));
    return sums.size() == 1 ? sums.front() : Halide::mux(phase, sums);
  });
}

/// Strides of many phases: every tap of the kernel is tried for every pixel.
static void buildByTaps(AlgorithmBuilder &builder, ConvInputGradientOp op) {
  RankedTensorType image = nn::getType(op.getResult()), kernelType = nn::getType(op.getKernel());
  ArrayRef<int64_t> kernelShape = kernelType.getShape();
  Window window{kernelShape.drop_back(2), op.getStrides(), op.getDilations(), op.getPadding(), {}};
  SmallVector<unsigned> spatial = *getSpatialDims(image, window.rank());
  Extents small = getExtents(nn::getType(op.getDy()));
  int32_t groups = op.getGroups(), inputs = kernelShape[window.rank()], outputs = kernelShape.back() / groups;
  std::vector<Expr> sizes{outputs};
  for (int64_t size : llvm::reverse(window.sizes))
    sizes.push_back(toInt(size));
  RDom r = builder.domain("k", sizes);
  Func sum = builder.accumulate(
      "conv", targets::Role::Contraction, getExtents(image), r, zero, [&](Expr self, const Indices &indices) {
        Indices place(indices), kernel;
        Expr inside;
        for (auto [i, dim] : llvm::enumerate(spatial)) {
          Expr tap = r[window.rank() - i];
          Expr shifted = indices[dim] + toInt(window.padding[2 * i]) - tap * toInt(window.dilation(i));
          int32_t stride = window.strides[i];
          Expr pixel = shifted / stride, last = builder.size(small[dim]) - 1;
          Expr within = shifted % stride == 0 && pixel >= 0 && pixel <= last;
          inside = inside.defined() ? inside && within : within;
          place[dim] = clamp(pixel, 0, last);
          kernel.push_back(op.getFlip() ? toInt(window.sizes[i] - 1) - tap : tap);
        }
        Expr in = indices.back();
        place.back() = in / inputs * outputs + r[0];
        kernel.push_back(in % inputs);
        kernel.push_back(place.back());
        return self + Halide::select(inside, builder.at(op.getKernel(), kernel) * builder.at(op.getDy(), place), 0.0f);
      });
  builder.bind(op.getResult(), sum);
}

bool buildConvInputGradient(AlgorithmBuilder &builder, Operation &op) {
  auto input = dyn_cast<ConvInputGradientOp>(op);
  if (!input)
    return false;
  size_t phases = 1;
  for (int64_t stride : input.getStrides())
    phases *= stride;
  if (phases <= maxPhases)
    InputGradientBuilder(builder, input).build();
  else
    buildByTaps(builder, input);
  return true;
}

} // namespace nnc
