"""Every loss: from the layers that it is computed together with, from others, over steps, and where float32 ends."""

from case import Call, Family, Tensor, weight
from training import SEQUENCES, Training

FAMILY = Family("losses", Training)


def dense(x, w, layer: str = "dense1"):
    return x @ w[f"{layer}.kernel"].T + w[f"{layer}.bias"]


def dense_weights(inputs: int, outputs: int, layer: str = "dense1", scale: float = 0) -> dict:
    return {f"{layer}.kernel": weight(outputs, inputs, scale=scale), f"{layer}.bias": weight(outputs)}


def picked(y, label):
    """y[label] over the last dimension."""
    return y.gather(-1, label[..., None])[..., 0]


def cross_entropy(t, y, label):
    return -picked(y, label).log()


def hinge(t, y, label):
    n = y.shape[-1]
    margins = t.relu(1 - picked(y, label)[..., None] + y)
    others = 1 - t.nn.functional.one_hot(label, n).to(y.dtype)
    return (margins * others).sum(-1) / (n - 1)


def binary_cross_entropy(t, y, target):
    return -(target * y.log() + (1 - target) * (1 - y).log())


def recurrence(t, inputs, R):
    """h_t = tanh(R h_{t-1} + input_t) from 0.1: all h."""
    h, outputs = t.full_like(inputs[:, 0], 0.1), []
    for now in inputs.unbind(1):
        h = t.tanh(h @ R.T + now)
        outputs.append(h)
    return t.stack(outputs, 1)


# What classes are told from: the layer, and its meaning.
OUTPUTS = {
    "softmax": ("softmax", lambda t, z: t.softmax(z, -1)),
    "sigmoid": ("sigmoid", lambda t, z: t.sigmoid(z)),
    "log_softmax": ("log_softmax", lambda t, z: t.log_softmax(z, -1)),
    "identity": ("identity", lambda t, z: z),
}
LABEL = {"label": Tensor((), classes=6)}

for loss, output, function in (
        ("cross_entropy", "softmax", cross_entropy), ("cross_entropy", "sigmoid", cross_entropy),
        ("nll", "log_softmax", lambda t, y, label: -picked(y, label)),
        ("nll", "identity", lambda t, y, label: -picked(y, label)),
        ("hinge", "identity", hinge), ("hinge", "softmax", hinge)):
    layer, meaning = OUTPUTS[output]
    FAMILY.add(f"{loss}_{output}", f"y = x |> dense(6) |> {layer}", {"x": (9,)},
               lambda t, x, w, f=function, m=meaning: f(t, m(t, dense(x["x"], w)), x["label"]), dense_weights(9, 6),
               labels=LABEL, loss=f"{loss}(y, label)", calls=(Call(1), Call(3), Call(64)))
    # Logits so far apart that a probability is 0 in float32.
    if output in ("softmax", "log_softmax") and loss != "hinge":
        FAMILY.add(f"{loss}_{output}_far", f"y = x |> dense(6) |> {layer}", {"x": (9,)},
                   lambda t, x, w: -picked(t.log_softmax(dense(x["x"], w), -1), x["label"]),
                   dense_weights(9, 6, scale=60), labels=LABEL, loss=f"{loss}(y, label)")
    FAMILY.add(f"{loss}_{output}_steps", f"y = x |> dense(6) |> {layer}", {"x": ("T", 5)},
               lambda t, x, w, f=function, m=meaning: f(t, m(t, dense(x["x"], w)), x["label"]).mean(1),
               dense_weights(5, 6), labels={"label": Tensor(("T",), classes=6)},
               loss=f"mean(t in T, {loss}(y[t], label[t]))", calls=SEQUENCES)
FAMILY.add("cross_entropy_two_classes", "y = x |> dense(2) |> softmax", {"x": (9,)},
           lambda t, x, w: cross_entropy(t, t.softmax(dense(x["x"], w), -1), x["label"]), dense_weights(9, 2),
           labels={"label": Tensor((), classes=2)}, loss="cross_entropy(y, label)")
FAMILY.add("cross_entropy_many_classes", "y = x |> dense(1000) |> softmax", {"x": (9,)},
           lambda t, x, w: cross_entropy(t, t.softmax(dense(x["x"], w), -1), x["label"]), dense_weights(9, 1000),
           labels={"label": Tensor((), classes=1000)}, loss="cross_entropy(y, label)")
FAMILY.add("cross_entropy_written_out", "z = exp(x |> dense(6))\ny = z ./ sum(z)", {"x": (9,)},
           lambda t, x, w: cross_entropy(t, t.softmax(dense(x["x"], w), -1), x["label"]), dense_weights(9, 6),
           labels=LABEL, loss="cross_entropy(y, label)")
# Probabilities that something else reads, too.
FAMILY.add("cross_entropy_and_more", "y = x |> dense(6) |> softmax", {"x": (9,)},
           lambda t, x, w: (lambda y: cross_entropy(t, y, x["label"]) + 0.5 * (y ** 2).sum(1))(
               t.softmax(dense(x["x"], w), -1)), dense_weights(9, 6), labels=LABEL,
           loss="cross_entropy(y, label) + 0.5 * sum(square(y))")
FAMILY.add("cross_entropy_sum_steps", "y = x |> dense(6) |> softmax", {"x": ("T", 5)},
           lambda t, x, w: cross_entropy(t, t.softmax(dense(x["x"], w), -1), x["label"]).sum(1), dense_weights(5, 6),
           labels={"label": Tensor(("T",), classes=6)}, loss="sum(t in T, cross_entropy(y[t], label[t]))",
           calls=SEQUENCES)

# Losses of values.
PROBABILITY = Tensor((6,), scale=0.5, shift=0.5)
for loss, output, target, function in (
        ("mse", "identity", Tensor((6,)), lambda t, y, z: (y - z) ** 2),
        ("mse", "sigmoid", PROBABILITY, lambda t, y, z: (y - z) ** 2),
        ("l1", "identity", Tensor((6,)), lambda t, y, z: (y - z).abs()),
        ("binary_cross_entropy", "sigmoid", PROBABILITY, binary_cross_entropy),
        ("binary_cross_entropy", "softmax", PROBABILITY, binary_cross_entropy)):
    layer, meaning = OUTPUTS[output]
    FAMILY.add(f"{loss}_{output}", f"y = x |> dense(6) |> {layer}", {"x": (9,)},
               lambda t, x, w, f=function, m=meaning: f(t, m(t, dense(x["x"], w)), x["target"]).mean(1),
               dense_weights(9, 6), labels={"target": target}, loss=f"{loss}(y, target)",
               calls=(Call(1), Call(3), Call(64)))
    matrix = Tensor((4, *target.shape), target.scale, target.shift)
    FAMILY.add(f"{loss}_{output}_matrix", f"y = x |> dense(6) |> {layer}", {"x": (4, 5)},
               lambda t, x, w, f=function, m=meaning: f(t, m(t, dense(x["x"], w)), x["target"]).mean((1, 2)),
               dense_weights(5, 6), labels={"target": matrix}, loss=f"mean({loss}(y, target))")
    steps = Tensor(("T", *target.shape), target.scale, target.shift)
    for kind, text in (("steps", f"mean(t in T, {loss}(y[t], target[t]))"), ("sequence", f"mean({loss}(y, target))")):
        FAMILY.add(f"{loss}_{output}_{kind}", f"y = x |> dense(6) |> {layer}", {"x": ("T", 5)},
                   lambda t, x, w, f=function, m=meaning: f(t, m(t, dense(x["x"], w)), x["target"]).mean((1, 2)),
                   dense_weights(5, 6), labels={"target": steps}, loss=text, calls=SEQUENCES)
FAMILY.add("binary_cross_entropy_far", "y = x |> dense(6) |> sigmoid", {"x": (9,)},
           lambda t, x, w: t.nn.functional.binary_cross_entropy_with_logits(
               dense(x["x"], w), x["target"], reduction="none").mean(1),
           dense_weights(9, 6, scale=40), labels={"target": PROBABILITY}, loss="binary_cross_entropy(y, target)")
FAMILY.add("binary_cross_entropy_one", "weight V[1, 9]\ny = sigmoid(V * x)", {"x": (9,)},
           lambda t, x, w: binary_cross_entropy(t, t.sigmoid(x["x"] @ w["V"].T), x["target"])[:, 0], {"V": weight(1, 9)},
           labels={"target": Tensor((1,), scale=0.5, shift=0.5)}, loss="binary_cross_entropy(y, target)")

# Several losses, and losses written out.
FAMILY.add("several_losses", "h = x |> dense(8) |> tanh\ny = h |> dense(6) |> softmax\nz = h |> dense(3)", {"x": (9,)},
           lambda t, x, w: (lambda h: cross_entropy(t, t.softmax(dense(h, w, "dense2"), -1), x["label"])
                            + 0.3 * ((dense(h, w, "dense3") - x["target"]) ** 2).mean(1)
                            + 0.1 * h.abs().mean(1))(t.tanh(dense(x["x"], w))),
           {**dense_weights(9, 8), **dense_weights(8, 6, "dense2"), **dense_weights(8, 3, "dense3")},
           labels={**LABEL, "target": Tensor((3,))},
           loss="cross_entropy(y, label) + 0.3 * mse(z, target) + 0.1 * mean(abs(h))")
FAMILY.add("loss_of_a_weight", "weight W[6, 9]\ny = W * x", {"x": (9,)},
           lambda t, x, w: ((x["x"] @ w["W"].T - x["target"]) ** 2).mean(1) + 0.01 * (w["W"] ** 2).sum(),
           {"W": weight(6, 9)}, labels={"target": Tensor((6,))}, loss="mse(y, target) + 0.01 * sum(square(W))")
FAMILY.add("loss_by_example_weight", "y = x |> dense(6) |> softmax", {"x": (9,)},
           lambda t, x, w: x["share"] * cross_entropy(t, t.softmax(dense(x["x"], w), -1), x["label"]),
           dense_weights(9, 6), labels={**LABEL, "share": Tensor((), scale=0.5, shift=1)},
           loss="share .* cross_entropy(y, label)")
FAMILY.add("untrained_path", "y = x |> dense(6) |> softmax\nunused = x |> dense(4)", {"x": (9,)},
           lambda t, x, w: cross_entropy(t, t.softmax(dense(x["x"], w), -1), x["label"]),
           {**dense_weights(9, 6), **dense_weights(9, 4, "dense2")}, outputs=("y", "unused"), labels=LABEL,
           loss="cross_entropy(y, label)")

# Past an example's end a logarithm, a root, a quotient would be infinite, or their derivatives.
for name, text, function in (
        ("log", "log(x)", lambda t, x: t.log(x)), ("sqrt", "sqrt(x)", lambda t, x: t.sqrt(x)),
        ("div", "1 ./ x", lambda t, x: 1 / x), ("pow", "pow(x, -0.5)", lambda t, x: x ** -0.5)):
    FAMILY.add(f"past_the_end_{name}", f"weight of_x[5]\nx = x_in .* of_x\na = {text}\ny = a |> dense(3)",
               {"x_in": Tensor(("T", 5), scale=0.4, shift=1)},
               lambda t, x, w, f=function: (dense(f(t, x["x_in"] * w["of_x"]), w) * x["target"]).mean((1, 2)),
               {"of_x": Tensor((5,), scale=0.25, shift=1), **dense_weights(5, 3)},
               labels={"target": Tensor(("T", 3))}, loss="mean(y .* target)", calls=SEQUENCES)
    FAMILY.add(f"past_the_end_{name}_loop",
               "weight of_x[5], R[5, 5]\neach t in T from h[5] = 0.1 {\n  x[t] = x_in[t] .* of_x\n"
               f"  h[t] = tanh(R * h[t-1] + {text.replace('x', 'x[t]')})\n}}\ny = h |> dense(3)",
               {"x_in": Tensor(("T", 5), scale=0.4, shift=1)},
               lambda t, x, w, f=function: (dense(recurrence(t, f(t, x["x_in"] * w["of_x"]), w["R"]), w)
                                            * x["target"]).mean((1, 2)),
               {"of_x": Tensor((5,), scale=0.25, shift=1), "R": weight(5, 5), **dense_weights(5, 3)},
               labels={"target": Tensor(("T", 3))}, loss="mean(y .* target)", calls=SEQUENCES)
FAMILY.add("past_the_end_cross_entropy", "weight of_x[5]\ny = square(x .* of_x)", {"x": Tensor(("T", 5), scale=0.3, shift=1)},
           lambda t, x, w: cross_entropy(t, (x["x"] * w["of_x"]) ** 2, x["label"]).mean(1),
           {"of_x": Tensor((5,), scale=0.25, shift=1)}, labels={"label": Tensor(("T",), classes=5)},
           loss="mean(t in T, cross_entropy(y[t], label[t]))", calls=SEQUENCES)
FAMILY.add("past_the_end_binary", "weight of_x[5]\ny = square(x .* of_x)",
           {"x": Tensor(("T", 5), scale=0.2, shift=0.5)},
           lambda t, x, w: binary_cross_entropy(t, (x["x"] * w["of_x"]) ** 2, x["target"]).mean((1, 2)),
           {"of_x": Tensor((5,), scale=0.25, shift=1)},
           labels={"target": Tensor(("T", 5), scale=0.5, shift=0.5)}, loss="mean(binary_cross_entropy(y, target))",
           calls=SEQUENCES)
