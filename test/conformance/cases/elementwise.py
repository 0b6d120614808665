"""Element-wise work: every activation, arithmetic with broadcasting, choices; infinities and NaN among the inputs."""

import math

from case import EMPTY, SEQUENCES, Call, Family, Tensor, weight

FAMILY = Family("elementwise")

FEW = (Call(1), Call(3))
SPECIAL = Tensor((12,), values=(
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-6, -1e-6, 3.0, -3.0, 8.0, -8.0, 15.9, -15.9, 20.0, -20.0, 87.0, -87.0, 100.0,
    -100.0, 3e38, -3e38, math.inf, -math.inf, math.nan))


def activation(name: str, body: str, reference, special: bool = True) -> None:
    """An activation on ordinary values near 0, on a wide range, and on values where float32 ends."""
    def apply(t, x, w):
        return reference(t, x["x"])
    FAMILY.add(f"{name}_near", body, {"x": (5, 7)}, apply)
    FAMILY.add(f"{name}_wide", body, {"x": Tensor((1003,), scale=12)}, apply, calls=FEW)
    if special:
        # 25 values over rows of 12: each is met at every position of a row.
        FAMILY.add(f"{name}_special", body, {"x": SPECIAL}, apply, calls=(Call(25),))


activation("tanh", "y = tanh(x)", lambda t, x: t.tanh(x))
activation("tanh_scale", "y = tanh(x, scale = 0.7)", lambda t, x: 2 / (1 + t.exp(-2 * 0.7 * x)) - 1)
activation("sigmoid", "y = sigmoid(x)", lambda t, x: t.sigmoid(x))
activation("relu", "y = relu(x)", lambda t, x: t.relu(x))
activation("leaky_relu", "y = leaky_relu(x)", lambda t, x: t.nn.functional.leaky_relu(x, 0.01))
activation("leaky_relu_slope", "y = leaky_relu(x, slope = 0.2)", lambda t, x: t.nn.functional.leaky_relu(x, 0.2))
activation("softplus", "y = softplus(x)", lambda t, x: t.logaddexp(x, t.zeros_like(x)))
activation("elu", "y = elu(x)", lambda t, x: t.nn.functional.elu(x))
activation("elu_alpha", "y = elu(x, alpha = 1.7)", lambda t, x: t.nn.functional.elu(x, 1.7))
activation("gelu", "y = gelu(x)", lambda t, x: t.nn.functional.gelu(x))
activation("identity", "y = identity(x)", lambda t, x: x)
activation("negate", "y = -x", lambda t, x: -x)
activation("abs", "y = abs(x)", lambda t, x: t.abs(x))
activation("square", "y = square(x)", lambda t, x: x * x)
activation("exp", "y = exp(x)", lambda t, x: t.exp(x))

POSITIVE = {"x": Tensor((1003,), scale=49.9, shift=50)}
FAMILY.add("log_wide", "y = log(x)", POSITIVE, lambda t, x, w: t.log(x["x"]), calls=FEW)
FAMILY.add("log_near_one", "y = log(x)", {"x": Tensor((65,), scale=0.01, shift=1)}, lambda t, x, w: t.log(x["x"]))
FAMILY.add("log_special", "y = log(x)", {"x": SPECIAL}, lambda t, x, w: t.log(x["x"]), calls=(Call(25),))
FAMILY.add("sqrt_wide", "y = sqrt(x)", POSITIVE, lambda t, x, w: t.sqrt(x["x"]), calls=FEW)
FAMILY.add("sqrt_special", "y = sqrt(x)", {"x": SPECIAL}, lambda t, x, w: t.sqrt(x["x"]), calls=(Call(25),))

PAIR = {"a": (7, 11), "b": (7, 11)}
for name, operator, reference in (
        ("add", "a + b", lambda t, a, b: a + b), ("sub", "a - b", lambda t, a, b: a - b),
        ("mul", "a .* b", lambda t, a, b: a * b)):
    FAMILY.add(f"binary_{name}", f"y = {operator}", PAIR,
               lambda t, x, w, reference=reference: reference(t, x["a"], x["b"]))
FAMILY.add("binary_div", "y = a ./ b", {"a": (7, 11), "b": Tensor((7, 11), scale=0.9, shift=1.5)},
           lambda t, x, w: x["a"] / x["b"])
FAMILY.add("binary_max", "y = max(a, b)", PAIR, lambda t, x, w: t.maximum(x["a"], x["b"]))
FAMILY.add("binary_min", "y = min(a, b)", PAIR, lambda t, x, w: t.minimum(x["a"], x["b"]))
FAMILY.add("binary_pow", "y = pow(a, b)", {"a": Tensor((7, 11), scale=1, shift=1.5), "b": Tensor((7, 11), scale=3)},
           lambda t, x, w: x["a"] ** x["b"])
FAMILY.add("binary_same_operand", "y = x .* x - x ./ (x + 3)", {"x": (37,)},
           lambda t, x, w: x["x"] * x["x"] - x["x"] / (x["x"] + 3))

# Constants and scalars mix in.
FAMILY.add("constants", "y = 2 * x + 1 - x / 4 + (1 - x) * 0.5", {"x": (6, 9)},
           lambda t, x, w: 2 * x["x"] + 1 - x["x"] / 4 + (1 - x["x"]) * 0.5)
FAMILY.add("constant_over_value", "y = 1 ./ x", {"x": Tensor((33,), scale=0.9, shift=1.5)},
           lambda t, x, w: 1 / x["x"])
FAMILY.add("constant_bounds", "y = min(max(x, -0.25), 0.5)", {"x": (40,)},
           lambda t, x, w: t.clamp(x["x"], -0.25, 0.5))
FAMILY.add("scalar_input", "y = s * x", {"s": (), "x": (5, 6)}, lambda t, x, w: x["s"][:, None, None] * x["x"])
FAMILY.add("scalar_alone", "y = tanh(s) + 1", {"s": ()}, lambda t, x, w: t.tanh(x["s"]) + 1)

# Weights and smaller values are repeated along the dimensions that they lack.
FAMILY.add("broadcast_weight", "weight b[13]\ny = x + b", {"x": (4, 5, 13)}, lambda t, x, w: x["x"] + w["b"],
           {"b": weight(13)})
FAMILY.add("broadcast_weight_scale", "weight g[13], b[13]\ny = x .* g + b", {"x": (6, 13)},
           lambda t, x, w: x["x"] * w["g"] + w["b"], {"g": weight(13), "b": weight(13)})
FAMILY.add("broadcast_over_time", "weight b[13]\ny = tanh(x + b)", {"x": ("T", 13)},
           lambda t, x, w: t.tanh(x["x"] + w["b"]), {"b": weight(13)}, calls=SEQUENCES + (EMPTY,))
FAMILY.add("broadcast_ones", "y = a + b", {"a": (5, 1, 7), "b": (5, 6, 7)}, lambda t, x, w: x["a"] + x["b"])
FAMILY.add("broadcast_input", "y = a .* b", {"a": (4, 9), "b": (9,)}, lambda t, x, w: x["a"] * x["b"][:, None])

# Choices.
FAMILY.add("select", "y = if x > 0 then x else 0.1 * x", {"x": (43,)},
           lambda t, x, w: t.where(x["x"] > 0, x["x"], 0.1 * x["x"]))
FAMILY.add("select_two", "y = if a < b then a else b", PAIR, lambda t, x, w: t.minimum(x["a"], x["b"]))
FAMILY.add("select_and_or", "y = if a > 0 and b > 0 or not (a <= 0.5) then a + b else a - b", PAIR,
           lambda t, x, w: t.where(((x["a"] > 0) & (x["b"] > 0)) | ~(x["a"] <= 0.5), x["a"] + x["b"],
                                   x["a"] - x["b"]))
FAMILY.add("select_equal", "y = if ids == 3 then x else -x", {"ids": Tensor((50,), classes=5), "x": (50,)},
           lambda t, x, w: t.where(x["ids"] == 3, x["x"], -x["x"]))
FAMILY.add("select_special", "y = if x >= 0 then 1 else 2", {"x": SPECIAL},
           lambda t, x, w: t.where(x["x"] >= 0, 1.0, 2.0), calls=(Call(25),))

# A chain that fuses into one loop, over a size that needs a tail, and values that two outputs share.
FAMILY.add("chain", "a = tanh(x)\nb = sigmoid(x) .* a\ny = a + b\nz = exp(-square(b))", {"x": (31, 33)},
           lambda t, x, w: (t.tanh(x["x"]) + t.sigmoid(x["x"]) * t.tanh(x["x"]),
                            t.exp(-(t.sigmoid(x["x"]) * t.tanh(x["x"])) ** 2)), outputs=("y", "z"))
FAMILY.add("output_is_input", "y = x\nz = x + 1", {"x": (9,)}, lambda t, x, w: (x["x"], x["x"] + 1),
           outputs=("y", "z"))
FAMILY.add("over_time", "y = relu(x)", {"x": ("T", 3)}, lambda t, x, w: t.relu(x["x"]), calls=SEQUENCES + (EMPTY,))
FAMILY.add("exp_over_time", "y = exp(x)", {"x": ("T", 3)}, lambda t, x, w: t.exp(x["x"]), calls=SEQUENCES + (EMPTY,))
