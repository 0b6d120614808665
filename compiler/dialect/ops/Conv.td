//===- Conv.td - Convolution ----------------------------------------------===//

#ifndef NN_CONV_TD
#define NN_CONV_TD

include "compiler/dialect/Dialect.td"

def NN_ConvOp : NN_ComputeOp<"conv", "Conv"> {
  let summary = "slides a kernel over an image: cross-correlation";
  let description = [{
    `x[spatial…, ci]` and `kernel[k…, ci / groups, co]` give `[spatial…, co]`. The
    kernel's rank less two is the number of spatial dimensions (1 to 3). Over
    time the first of them is a free dimension, which then comes first in the
    type and before the batch. `padding` holds two numbers a dimension, before
    and after. With `flip` it is convolution proper.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$kernel, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
    DenseI64ArrayAttr:$padding, DefaultValuedAttr<I64Attr, "1">:$groups, DefaultValuedAttr<BoolAttr, "false">:$flip);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_ConvInputGradientOp : NN_ComputeOp<"conv_input_gradient", "Conv"> {
  let summary = "the cotangent of a convolution's image: the transposed convolution";
  let description = [{
    `dy[spatial…, co]` and the convolution's kernel give the image's shape, which
    the result type declares; the attributes are the convolution's.
  }];
  let arguments = (ins NN_Float:$dy, NN_Float:$kernel, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
    DenseI64ArrayAttr:$padding, DefaultValuedAttr<I64Attr, "1">:$groups, DefaultValuedAttr<BoolAttr, "false">:$flip);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_ConvKernelGradientOp : NN_ComputeOp<"conv_kernel_gradient", "Conv", [NN_SumsRowsTrait]> {
  let summary = "the cotangent of a convolution's kernel, summed over all examples";
  let description = [{
    The image `x` and the result's cotangent `dy` give the kernel's shape, which
    the result type declares; the attributes are the convolution's. The result
    may lie in `#nn.panel`s, as the kernel does.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$dy, DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
    DenseI64ArrayAttr:$padding, DefaultValuedAttr<I64Attr, "1">:$groups, DefaultValuedAttr<BoolAttr, "false">:$flip);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_WinogradWeightsOp : NN_ComputeOp<"winograd_weights", "Conv"> {
  let summary = "a kernel of 3 by 3 as Winograd's convolution multiplies with it";
  let description = [{
    `kernel[3, 3, ci, co]` gives `[36, ci, co]`: G k G^T for every pair of channels, of
    which number 6 i + j is in row i and column j. With `transpose` it gives `[36, co, ci]`,
    for the cotangent of the image. The result type may declare `#nn.panel`s of its last
    dimension. With `flip` the kernel is turned around first.
  }];
  let arguments = (ins NN_Float:$kernel, DefaultValuedAttr<BoolAttr, "false">:$flip,
    DefaultValuedAttr<BoolAttr, "false">:$transpose);
  let results = (outs NN_Float:$result);
}

def NN_WinogradConvOp : NN_ComputeOp<"winograd_conv", "Conv"> {
  let summary = "convolution of an image with 3 by 3 by Winograd's algorithm F(4x4, 3x3)";
  let description = [{
    `x[height, width, ci]` and `weights[36, ci, co]`, which `winograd_weights` makes, give
    `[…, co]`: what the convolution with the kernel, with steps of 1, gives to rounding,
    for 36 products where it has 144. `padding` holds two numbers a dimension.
  }];
  let arguments = (ins NN_Float:$x, NN_Float:$weights, DenseI64ArrayAttr:$padding);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

def NN_WinogradImageOp : NN_ComputeOp<"winograd_image", "Conv"> {
  let summary = "an image as Winograd's convolution multiplies it, as a value of its own";
  let description = [{
    `x[height, width, ci]` gives `[6, 6, rows, columns, ci]`: B^T d B for each of the tiles d
    of 6 by 6 pixels, of which each begins 4 after the last. `padding` as in `winograd_conv`.
  }];
  let arguments = (ins NN_Float:$x, DenseI64ArrayAttr:$padding);
  let results = (outs NN_Float:$result);
}

def NN_WinogradProductsOp : NN_ComputeOp<"winograd_products", "Conv"> {
  let summary = "Winograd's convolution of an image that is transformed";
  let description = [{
    `winograd_conv` of what `winograd_image` gives. `size` holds the height and the width of
    the result, of which the last tiles may have fewer than 4.
  }];
  let arguments = (ins NN_Float:$image, NN_Float:$weights, DenseI64ArrayAttr:$size);
  let results = (outs NN_Float:$result);
  let extraClassDeclaration = familyDeclaration # "int64_t getReductionSize();";
}

#endif // NN_CONV_TD
