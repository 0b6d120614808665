"""Convolutions of one, two and three dimensions: every kind of kernel, stride, dilation, padding and grouping."""

import functools

from case import SEQUENCES, EMPTY, Call, Family, weight
from cases.torch_layers import conv

FAMILY = Family("conv")

FEW = (Call(1), Call(3))
TILES = ("-all-winograd",)  # on devices launches take longer than sums that are small enough for a test


def add(name: str, spatial: tuple, channels: int, outputs: int, kernel, calls=FEW, bias=True, compiled=(), **options) -> None:
    """A convolution layer. kernel and options as in the program: numbers, tuples of one a dimension, same. `compiled`
    are options of nnc."""
    rank = len(spatial)
    extents = (kernel,) * rank if isinstance(kernel, int) else kernel
    arguments = [str(outputs), f"kernel = {_text(kernel)}"]
    arguments += [f"{key} = {_text(value)}" for key, value in options.items()]
    weights = {"conv1.kernel": weight(*extents, channels // options.get("groups", 1), outputs)}
    if bias:
        weights["conv1.bias"] = weight(outputs)
    else:
        arguments.append("bias = false")
    FAMILY.add(f"conv{rank}d_{name}", f"y = x |> conv({', '.join(arguments)})", {"x": (*spatial, channels)},
               lambda t, x, w: conv(t, x["x"], w["conv1.kernel"], w.get("conv1.bias"), **options), weights,
               calls=calls, options=compiled)


def _text(value) -> str:
    """A value as the language writes it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    return str(value).lower()


# Two dimensions: kernels.
add("k1", (9, 7), 5, 8, 1)
add("k1_wide", (14, 14), 64, 96, 1, (Call(1), Call(3)))
add("k2", (9, 7), 3, 5, 2)
add("k3", (10, 13), 4, 6, 3, (Call(1), Call(3), Call(64)))
add("k5", (32, 32), 1, 6, 5, (Call(1), Call(3)))
add("k7", (17, 15), 3, 9, 7)
add("k11", (23, 23), 3, 4, 11)
add("k1x5", (8, 11), 6, 7, (1, 5))
add("k5x2", (8, 11), 6, 7, (5, 2))
add("whole", (6, 5), 7, 11, (6, 5))
add("one_pixel", (1, 1), 9, 4, 1)
add("no_bias", (8, 8), 3, 16, 3, bias=False)
# Channels that no vector divides, one channel, many.
add("c1_1", (12, 12), 1, 1, 3)
add("c3_64", (20, 20), 3, 64, 3)
add("c17_31", (11, 9), 17, 31, 3)
add("c64_64", (14, 14), 64, 64, 3, padding="same")
add("c128_33", (7, 7), 128, 33, 3, padding=1)
add("c256_256", (7, 7), 256, 256, 3, (Call(1),), padding=1)
add("c512_k1", (7, 7), 512, 128, 1, (Call(1), Call(3)))
# Strides.
add("s2", (13, 12), 4, 6, 3, stride=2)
add("s2_same", (14, 15), 4, 6, 3, stride=2, padding="same")
add("s2_k1", (14, 14), 16, 24, 1, stride=2)
add("s3_k2", (13, 13), 3, 5, 2, stride=3)
add("s4_k11", (39, 35), 3, 8, 11, stride=4, padding=2)
add("s1x2", (9, 12), 3, 5, 3, stride=(1, 2))
add("s2_k7_resnet", (32, 32), 3, 16, 7, stride=2, padding="same")
# Dilations.
add("d2", (13, 12), 4, 6, 3, dilation=2)
add("d2_same", (13, 12), 4, 6, 3, dilation=2, padding="same")
add("d3_k2_same", (11, 11), 3, 5, 2, dilation=3, padding="same")
add("d2x1", (12, 9), 3, 5, 3, dilation=(2, 1))
add("d2_s2", (15, 15), 3, 5, 3, dilation=2, stride=2, padding=1)
# Padding.
add("p1", (8, 9), 3, 5, 3, padding=1)
add("p3_k2", (5, 5), 3, 5, 2, padding=3)
add("p1x2", (8, 9), 3, 5, (3, 5), padding=(1, 2))
add("same_even", (8, 9), 3, 5, 4, padding="same")
add("same_2x3", (7, 8), 3, 5, (2, 3), padding="same")
add("one_sided", (8, 9), 3, 5, 3, padding=((1, 0), (2, 2)))
add("one_sided_after", (8, 9), 3, 5, (2, 3), padding=((0, 1), (0, 2)))
add("padding_beyond_kernel", (3, 3), 2, 4, 2, padding=((4, 0), (0, 5)))
# By tiles: channels that no vector divides, edges that no tile divides.
tiles = functools.partial(add, compiled=TILES)
tiles("tiles_p0", (18, 23), 32, 48, 3)
tiles("tiles_p1", (14, 14), 48, 40, 3, padding=1)
tiles("tiles_p2", (13, 11), 37, 45, 3, padding=2)
tiles("tiles_same_wide", (5, 60), 33, 64, 3, padding="same")
tiles("tiles_one_sided", (17, 12), 32, 32, 3, padding=((2, 0), (0, 1)))
tiles("tiles_flip", (12, 12), 32, 33, 3, flip=True, padding=1)
tiles("tiles_of_transformed", (18, 21), 260, 40, 3, (Call(1),), padding=1)
tiles("tiles_of_transformed_back", (17, 20), 36, 256, 3, (Call(2),), padding=((0, 1), (2, 0)))
tiles("tiles_of_examples", (12, 11), 520, 40, 3, (Call(1), Call(8)), padding=1)
tiles("tiles_many_channels", (12, 12), 320, 144, 3, (Call(1),), padding=1)
# Groups.
add("groups2", (9, 9), 8, 12, 3, groups=2)
add("groups4_p1", (9, 9), 16, 16, 3, groups=4, padding=1)
add("groups3_k1", (7, 7), 15, 9, 1, groups=3)
add("depthwise", (12, 11), 18, 18, 3, groups=18, padding="same")
add("depthwise_s2", (12, 11), 32, 32, 3, groups=32, stride=2, padding=1)
add("depthwise_multiplier", (8, 8), 6, 18, 3, groups=6)
add("groups32_resnext", (14, 14), 64, 64, 3, groups=32, padding=1)
# The other convention.
add("flip", (9, 8), 3, 5, 3, flip=True)
add("flip_same_even", (9, 8), 3, 5, (2, 4), padding="same", flip=True)

# One dimension.
add("k1", (19,), 5, 7, 1)
add("k3", (19,), 5, 7, 3, (Call(1), Call(3), Call(64)))
add("k4_same", (19,), 5, 7, 4, padding="same")
add("k5_s2", (50,), 3, 16, 5, stride=2)
add("k3_d4", (50,), 3, 16, 3, dilation=4, padding="same")
add("k3_groups", (20,), 12, 6, 3, groups=3)
add("k2_flip", (9,), 2, 3, 2, flip=True)
add("k25", (200,), 1, 8, 25)

# Three dimensions.
add("k1", (3, 4, 5), 6, 7, 1)
add("k3", (6, 7, 5), 3, 8, 3)
add("k2_same", (4, 5, 6), 3, 5, 2, padding="same")
add("k3x1x2_s", (7, 6, 8), 2, 9, (3, 1, 2), stride=(2, 1, 3))
add("k3_d2", (9, 7, 8), 2, 3, 3, dilation=(1, 2, 2), padding=1)
add("k3_depthwise", (5, 6, 7), 8, 8, 3, groups=8, padding=1)
add("one_sided", (4, 5, 6), 2, 3, 2, padding=((1, 0), (0, 1), (1, 1)))

# Over time: the first dimension is free, and examples of different lengths share a batch.
TIME = tuple(call for call in SEQUENCES if call.lengths["T"] >= 5)
add("time_same", ("T",), 6, 9, 3, SEQUENCES + (EMPTY,), padding="same")
add("time_causal", ("T",), 6, 9, (3,), SEQUENCES, padding=((2, 0),))
add("time_valid", ("T",), 6, 9, 4, TIME[:2] + (Call(3, {"T": 9}, {"T": (9, 4, 7)}),))
add("time_stride", ("T",), 6, 9, 3, SEQUENCES, stride=2, padding="same")
add("time_dilation", ("T",), 6, 9, 3, SEQUENCES, dilation=3, padding="same")
add("time_2d", ("T", 10), 3, 5, 3, SEQUENCES, padding="same")
FAMILY.add("conv1d_time_stack", "y = x |> conv(8, kernel = 3, padding = same) |> relu"
           " |> conv(4, kernel = 5, stride = 2, padding = same)", {"x": ("T", 5)},
           lambda t, x, w: conv(t, t.relu(conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"], padding="same")),
                                w["conv2.kernel"], w["conv2.bias"], stride=2, padding="same"),
           {"conv1.kernel": weight(3, 5, 8), "conv1.bias": weight(8), "conv2.kernel": weight(5, 8, 4),
            "conv2.bias": weight(4)}, calls=SEQUENCES)

# What is often fused with a convolution.
FAMILY.add("conv2d_relu_residual", "y = relu(x + (x |> conv(12, kernel = 3, padding = same)))", {"x": (9, 9, 12)},
           lambda t, x, w: t.relu(x["x"] + conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"], padding="same")),
           {"conv1.kernel": weight(3, 3, 12, 12), "conv1.bias": weight(12)}, calls=FEW)
FAMILY.add("conv2d_tiles_residual", "y = relu(x + (x |> conv(32, kernel = 3, padding = same)))", {"x": (15, 18, 32)},
           lambda t, x, w: t.relu(x["x"] + conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"], padding="same")),
           {"conv1.kernel": weight(3, 3, 32, 32), "conv1.bias": weight(32)}, calls=FEW, options=TILES)
FAMILY.add("conv2d_two_consumers", "c = x |> conv(6, kernel = 3)\ny = tanh(c)\nz = c |> conv(4, kernel = 3)",
           {"x": (9, 9, 3)},
           lambda t, x, w: (lambda c: (t.tanh(c), conv(t, c, w["conv2.kernel"], w["conv2.bias"])))(
               conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"])),
           {"conv1.kernel": weight(3, 3, 3, 6), "conv1.bias": weight(6), "conv2.kernel": weight(3, 3, 6, 4),
            "conv2.bias": weight(4)}, outputs=("y", "z"), calls=FEW)
