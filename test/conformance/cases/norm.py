"""Normalizations, alone and where they meet a convolution."""

from case import SEQUENCES, Call, Family, Tensor, weight
from cases.torch_layers import channels_first, channels_last, conv

FAMILY = Family("norm")


def batch_norm_weights(channels: int, layer: str = "batch_norm1") -> dict:
    """Scale, shift and the running statistics; the variance is positive."""
    return {f"{layer}.scale": weight(channels), f"{layer}.shift": weight(channels), f"{layer}.mean": weight(channels),
            f"{layer}.variance": Tensor((channels,), scale=0.9, shift=1)}


def batch_norm(t, x, w, layer: str = "batch_norm1", epsilon: float = 1e-5):
    return channels_last(t.nn.functional.batch_norm(
        channels_first(x), w[f"{layer}.mean"], w[f"{layer}.variance"], w[f"{layer}.scale"], w[f"{layer}.shift"],
        False, 0, epsilon))


for shape in ((6, 5, 17), (1, 1, 1), (12, 8), (3, 4, 5, 6), (40,)):
    FAMILY.add(f"batch_norm_{'x'.join(map(str, shape))}", "y = x |> batch_norm", {"x": shape},
               lambda t, x, w: batch_norm(t, x["x"], w), batch_norm_weights(shape[-1]))
FAMILY.add("batch_norm_epsilon", "y = batch_norm(x, epsilon = 0.1)", {"x": (4, 4, 9)},
           lambda t, x, w: batch_norm(t, x["x"], w, epsilon=0.1), batch_norm_weights(9))
FAMILY.add("batch_norm_after_conv", "y = x |> conv(20, kernel = 3, bias = false) |> batch_norm |> relu",
           {"x": (9, 8, 6)}, lambda t, x, w: t.relu(batch_norm(t, conv(t, x["x"], w["conv1.kernel"]), w)),
           {"conv1.kernel": weight(3, 3, 6, 20), **batch_norm_weights(20)}, calls=(Call(1), Call(3)))
FAMILY.add("batch_norm_after_conv_bias", "y = x |> conv(20, kernel = 1) |> batch_norm", {"x": (9, 8, 6)},
           lambda t, x, w: batch_norm(t, conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"]), w),
           {"conv1.kernel": weight(1, 1, 6, 20), "conv1.bias": weight(20), **batch_norm_weights(20)},
           calls=(Call(1), Call(3)))
FAMILY.add("batch_norm_before_conv", "y = x |> batch_norm |> conv(7, kernel = 3, padding = same)", {"x": (9, 8, 6)},
           lambda t, x, w: conv(t, batch_norm(t, x["x"], w), w["conv1.kernel"], w["conv1.bias"], padding="same"),
           {**batch_norm_weights(6), "conv1.kernel": weight(3, 3, 6, 7), "conv1.bias": weight(7)},
           calls=(Call(1), Call(3)))
FAMILY.add("batch_norm_after_dense", "y = x |> dense(12) |> batch_norm", {"x": (15,)},
           lambda t, x, w: batch_norm(t, x["x"] @ w["dense1.kernel"].T + w["dense1.bias"], w),
           {"dense1.kernel": weight(12, 15), "dense1.bias": weight(12), **batch_norm_weights(12)})


def layer_norm(t, x, w, layer: str = "layer_norm1", epsilon: float = 1e-5):
    return t.nn.functional.layer_norm(x, x.shape[-1:], w[f"{layer}.scale"], w[f"{layer}.shift"], epsilon)


for shape in ((64,), (7, 33), (3, 4, 5), (2,), (1000,)):
    FAMILY.add(f"layer_norm_{'x'.join(map(str, shape))}", "y = x |> layer_norm", {"x": shape},
               lambda t, x, w: layer_norm(t, x["x"], w),
               {"layer_norm1.scale": weight(shape[-1]), "layer_norm1.shift": weight(shape[-1])})
FAMILY.add("layer_norm_epsilon", "y = layer_norm(x, epsilon = 0.5)", {"x": (19,)},
           lambda t, x, w: layer_norm(t, x["x"], w, epsilon=0.5),
           {"layer_norm1.scale": weight(19), "layer_norm1.shift": weight(19)})
# The mean is large against the deviation: a variance taken as a difference of squares would lose its digits.
FAMILY.add("layer_norm_far_mean", "y = x |> layer_norm", {"x": Tensor((48,), scale=1, shift=1000)},
           lambda t, x, w: layer_norm(t, x["x"], w), {"layer_norm1.scale": weight(48), "layer_norm1.shift": weight(48)},
           tolerance=1e-4)
FAMILY.add("layer_norm_time", "y = x |> layer_norm", {"x": ("T", 21)}, lambda t, x, w: layer_norm(t, x["x"], w),
           {"layer_norm1.scale": weight(21), "layer_norm1.shift": weight(21)}, calls=SEQUENCES)

for name, options, shape in (("five", dict(size=5, alpha=1e-4, beta=0.75, k=1), (6, 7, 20)),
                             ("strong", dict(size=5, alpha=1.5, beta=0.75, k=2), (4, 5, 19)),
                             ("three", dict(size=3, alpha=0.5, beta=0.5, k=1), (9, 8)),
                             ("wider_than_channels", dict(size=9, alpha=0.5, beta=1, k=0.5), (3, 3, 4)),
                             ("even", dict(size=4, alpha=0.9, beta=0.75, k=1), (3, 4, 11))):
    text = ", ".join(f"{key} = {value:.10f}".rstrip("0").rstrip(".") for key, value in options.items())
    FAMILY.add(f"local_response_norm_{name}", f"y = local_response_norm(x, {text})", {"x": shape},
               lambda t, x, w, options=options: channels_last(
                   t.nn.functional.local_response_norm(channels_first(x["x"]), **options)))
