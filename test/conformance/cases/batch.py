"""What joins the examples of a batch in training: batch norm by the batch's statistics, and the running ones it
leaves."""

from case import Call, Family, Tensor, weight
from cases.losses import cross_entropy, dense, dense_weights
from cases.norm import batch_norm_weights
from cases.torch_layers import channels_first, channels_last, conv
from training import Training

FAMILY = Family("batch", Training)
CALLS = (Call(2), Call(3), Call(64))
STATISTICS = ("batch_norm1.mean", "batch_norm1.variance")


def batch_norm(t, x, w, layer: str = "batch_norm1", epsilon: float = 1e-5, momentum: float = 0.1):
    """PyTorch's own, which changes the running statistics in place."""
    return channels_last(t.nn.functional.batch_norm(
        channels_first(x), w[f"{layer}.mean"], w[f"{layer}.variance"], w[f"{layer}.scale"], w[f"{layer}.shift"],
        True, momentum, epsilon))


def add(name: str, body: str, shape: tuple, reference, weights: dict, out: tuple, calls=CALLS, **more) -> None:
    """A case whose loss is the sum of its output times a label of that shape; its input is multiplied by a weight of its
    own shape: one for each channel would have next to no influence."""
    FAMILY.add(name, f"weight of_x{list(shape)}\nx = x_in .* of_x\n{body}", {"x_in": shape},
               lambda t, x, w: (reference(t, x["x_in"] * w["of_x"], w) * x["target"]).flatten(1).sum(1),
               {"of_x": Tensor(shape, scale=0.25, shift=1), **weights}, labels={"target": out},
               loss="sum(y .* target)", together=True, calls=calls, **{"statistics": STATISTICS, **more})


for shape in ((6, 5, 17), (12, 8), (3, 4, 5, 6), (40,)):
    add(f"batch_norm_{'x'.join(map(str, shape))}_batch", "y = x |> batch_norm", shape,
        lambda t, x, w: batch_norm(t, x, w), batch_norm_weights(shape[-1]), Tensor(shape))
add("batch_norm_one_example", "y = x |> batch_norm", (4, 5, 3), lambda t, x, w: batch_norm(t, x, w),
    batch_norm_weights(3), Tensor((4, 5, 3)), (Call(1),))
add("batch_norm_options", "y = batch_norm(x, epsilon = 0.1, momentum = 0.3)", (4, 4, 9),
    lambda t, x, w: batch_norm(t, x, w, epsilon=0.1, momentum=0.3), batch_norm_weights(9), Tensor((4, 4, 9)))
add("batch_norm_conv_batch", "y = x |> conv(20, kernel = 3, bias = false) |> batch_norm |> relu", (9, 8, 6),
    lambda t, x, w: t.relu(batch_norm(t, conv(t, x, w["conv1.kernel"]), w)),
    {"conv1.kernel": weight(3, 3, 6, 20), **batch_norm_weights(20)}, Tensor((7, 6, 20)), (Call(2), Call(3)))
# The bias has no influence: its gradient is 0.
add("batch_norm_conv_bias_batch", "y = x |> conv(20, kernel = 1) |> batch_norm", (9, 8, 6),
    lambda t, x, w: batch_norm(t, conv(t, x, w["conv1.kernel"], w["conv1.bias"]), w),
    {"conv1.kernel": weight(1, 1, 6, 20), "conv1.bias": weight(20), **batch_norm_weights(20)}, Tensor((9, 8, 20)),
    (Call(2), Call(3)))
add("batch_norm_twice_batch", "y = x |> dense(12) |> batch_norm |> relu |> dense(7) |> batch_norm", (15,),
    lambda t, x, w: batch_norm(t, dense(t.relu(batch_norm(t, dense(x, w), w)), w, "dense2"), w, "batch_norm2"),
    {**dense_weights(15, 12), **batch_norm_weights(12), **dense_weights(12, 7, "dense2"),
     **batch_norm_weights(7, "batch_norm2")}, Tensor((7,)), (Call(3), Call(64)),
    statistics=(*STATISTICS, "batch_norm2.mean", "batch_norm2.variance"))
# A running mean and variance would be a difference of large numbers.
FAMILY.add("batch_norm_far_batch", "y = x |> batch_norm |> dense(4) |> softmax", {"x": Tensor((9,), scale=1, shift=30)},
           lambda t, x, w: cross_entropy(t, t.softmax(dense(batch_norm(t, x["x"], w), w), -1), x["label"]),
           {**batch_norm_weights(9), **dense_weights(9, 4)}, labels={"label": Tensor((), classes=4)},
           loss="cross_entropy(y, label)", together=True, statistics=STATISTICS, calls=CALLS)


def over_time(t, x, w):
    """Of each example the steps within its own length, in one batch."""
    lengths = x.get("lengths", t.full((x["x"].shape[0],), x["x"].shape[1]))
    valid = t.arange(x["x"].shape[1])[None] < lengths[:, None]
    y = t.zeros_like(x["x"])
    y = y.masked_scatter(valid[..., None], batch_norm(t, x["x"][valid], w))
    return (y * x["target"]).sum((1, 2)) / lengths


FAMILY.add("batch_norm_time_batch", "y = x |> batch_norm", {"x": ("T", 6)}, over_time, batch_norm_weights(6),
           labels={"target": Tensor(("T", 6))}, loss="mean(t in T, sum(y[t] .* target[t]))", together=True,
           statistics=STATISTICS,
           calls=(Call(2, {"T": 1}), Call(1, {"T": 23}), Call(3, {"T": 9}, {"T": (9, 1, 4)})))
