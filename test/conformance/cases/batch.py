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

# --- In loops: statistics of each step, over the examples that have it; the running ones move once a step ----------


def step_norm(t, x, alive, w, layer: str = "batch_norm1"):
    """Of a step's x [batch, …, channels] the examples that are alive. One value is its own mean, and moves nothing."""
    rows = x[alive]
    if rows.shape[:-1].numel() < 2:
        normal = (rows - rows) * w[f"{layer}.scale"] + w[f"{layer}.shift"]
    else:
        normal = batch_norm(t, rows, w, layer)
    return t.zeros_like(x).masked_scatter(alive.reshape(-1, *[1] * (x.dim() - 1)), normal)


def recurrence(t, x, w, step, size: int):
    """The states [batch, T, size] of h[t] = step(x[t], h[t-1], alive), 0 past an example's end, and the lengths."""
    batch, steps = x["x"].shape[:2]
    lengths = x.get("lengths", t.full((batch,), steps))
    h, states = t.zeros(batch, size, dtype=x["x"].dtype), []
    for time in range(steps):
        alive = time < lengths
        h = t.where(alive[:, None], step(x["x"][:, time], h, alive), h)
        states.append(t.where(alive[:, None], h, t.zeros_like(h)))
    return t.stack(states, 1), lengths


def add_loop(name: str, body: str, step, weights: dict, x: Tensor, norms: tuple[str, ...] = ("batch_norm1",),
             calls: tuple = (Call(3, {"T": 1}), Call(2, {"T": 7}), Call(64, {"T": 5}),
                             Call(5, {"T": 6}, {"T": (6, 1, 4, 2, 4)})), size: int = 6) -> None:
    def reference(t, x, w):
        def norm(value, alive, layer="batch_norm1"):
            return step_norm(t, value, alive, w, layer)
        states, lengths = recurrence(t, x, w, lambda now, h, alive: step(t, now, h, alive, w, norm), size)
        return (states * x["target"]).sum((1, 2)) / lengths

    for layer in norms:
        weights = weights | batch_norm_weights(size, layer)
    FAMILY.add(name, body, {"x": x}, reference, weights, outputs=("h",), labels={"target": Tensor(("T", size))},
               loss="mean(t in T, sum(h[t] .* target[t]))", together=True, calls=calls,
               statistics=tuple(f"{layer}.{kind}" for layer in norms for kind in ("mean", "variance")))


SQUARE, WIDE, STEPS = {"W": weight(6, 6)}, {"U": weight(6, 4)}, Tensor(("T", 4))

add_loop("batch_norm_loop", """weight W[6, 6], U[6, 4]
each t in T from h[6] = 0 { h[t] = tanh(batch_norm(W * h[t-1]) + batch_norm(U * x[t])) }""",
         lambda t, x, h, alive, w, norm: t.tanh(norm(h @ w["W"].T, alive) + norm(x @ w["U"].T, alive, "batch_norm2")),
         SQUARE | WIDE, STEPS, ("batch_norm1", "batch_norm2"))
add_loop("batch_norm_loop_shared", """weight W[6, 6], U[6, 4]
norm = batch_norm()
each t in T from h[6] = 0 { h[t] = norm(tanh(W * h[t-1]) + norm(U * x[t])) }""",
         lambda t, x, h, alive, w, norm: norm(t.tanh(h @ w["W"].T) + norm(x @ w["U"].T, alive, "norm"), alive, "norm"),
         SQUARE | WIDE, STEPS, ("norm",))
# No state but the running statistics.
add_loop("batch_norm_loop_map", """each t in T {
  h[t] = x[t] |> conv(6, kernel = 3, bias = false) |> batch_norm |> relu |> global_avg_pool
}""",
         lambda t, x, h, alive, w, norm: t.relu(norm(conv(t, x, w["conv1.kernel"]), alive)).mean((1, 2)),
         {"conv1.kernel": weight(3, 3, 3, 6)}, Tensor(("T", 6, 5, 3)))


def inner(t, x, h, alive, w, norm):
    for _ in range(3):
        h = t.tanh(norm(h @ w["W"].T, alive) + x @ w["U"].T)
    return h


add_loop("batch_norm_loop_nested", """weight W[6, 6], U[6, 4]
each t in T from h[6] = 0 {
  each i in 3 from g[6] = h[t-1] { g[i] = tanh(batch_norm(W * g[i-1]) + U * x[t]) }
  h[t] = g |> last
}""", inner, SQUARE | WIDE, STEPS,
         calls=(Call(3, {"T": 1}), Call(5, {"T": 3}), Call(8, {"T": 3}, {"T": (3, 1, 3, 2, 3, 3, 2, 3)})))
