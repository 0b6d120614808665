"""Random networks: each is written as a program and, operation by operation, in PyTorch.

A network's number is its seed; nothing of it is stored but what is expected. Every operation draws what it reads among
all values so far, so that paths part and meet again and most weights have several uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from case import Call, Tensor, random_bits, weight
from cases.each import lstm, lstm_weights
from cases.recurrence import gru, gru_weights
from cases.torch_layers import avg_pool, channels_first, channels_last, conv, max_pool
from training import SETTINGS, Training

COUNT = 500
CALLS = {False: (Call(1), Call(3)),
         True: (Call(1, {"T": 1}), Call(2, {"T": 2}), Call(1, {"T": 23}), Call(4, {"T": 7}, {"T": (7, 1, 4, 6)}))}


class Draws:
    """A stream of random choices."""

    def __init__(self, seed: int):
        self.bits = iter(random_bits(0x5EED0000 + seed, 4096).tolist())

    def below(self, count: int) -> int:
        return (next(self.bits) >> 16) % count

    def choice(self, options):
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def number(self, low: float, high: float) -> float:
        return round(low + (high - low) * self.below(1000) / 1000, 3)


@dataclass(frozen=True)
class Value:
    """A value of the program: how it is written, its shape for one example, and the key of its tensor."""

    text: str
    shape: tuple[int | str, ...]
    key: str


Evaluate = Callable[..., None]  # (torch, values by key, weights by name): puts one more value in


@dataclass
class Scope:
    """A network's body, or a loop's: what is defined so far, and how it is computed."""

    step: str = ""  # "[t]" in a loop
    values: list[Value] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    program: list[Evaluate] = field(default_factory=list)


ACTIVATIONS = (("tanh", lambda t, x: t.tanh(x)), ("sigmoid", lambda t, x: t.sigmoid(x)),
               ("relu", lambda t, x: t.relu(x)), ("softplus", lambda t, x: t.logaddexp(x, t.zeros_like(x))),
               ("elu", lambda t, x: t.nn.functional.elu(x)), ("gelu", lambda t, x: t.nn.functional.gelu(x)),
               ("leaky_relu", lambda t, x: t.nn.functional.leaky_relu(x, 0.01)),
               ("softmax", lambda t, x: t.softmax(x, -1)), ("square", lambda t, x: x * x),
               ("abs", lambda t, x: t.abs(x)))
BINARIES = (("{} + {}", lambda t, a, b: a + b), ("{} - {}", lambda t, a, b: a - b),
            ("{} .* {}", lambda t, a, b: a * b), ("max({}, {})", lambda t, a, b: t.maximum(a, b)),
            ("min({}, {})", lambda t, a, b: t.minimum(a, b)),
            ("{} ./ (1.5 + sigmoid({}))", lambda t, a, b: a / (1.5 + t.sigmoid(b))),
            ("if {0} < {1} then 0.5 * {0} else {1}", lambda t, a, b: t.where(a < b, 0.5 * a, b)))


class Builder:
    """Writes one network."""

    def __init__(self, number: int):
        self.number, self.draws = number, Draws(number)
        self.weights: dict[str, Tensor] = {}
        self.inputs: dict[str, Tensor] = {}
        self.declared: list[str] = []  # lines before all others: weights, instances
        self.matrices: list[tuple[str, int, int]] = []
        self.scope = self.outer = Scope()
        self.count = 0

    # --- Definitions -------------------------------------------------------------------------------------------

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def define(self, text: str, shape: tuple, function: Callable) -> Value:
        """A new value; function(torch, values, weights) is its tensor."""
        name = self.name("v")
        scope = self.scope
        scope.lines.append(f"{name}{scope.step} = {text}")
        scope.program.append(lambda t, x, w: x.__setitem__(name, function(t, x, w)))
        value = Value(name + scope.step, tuple(shape), name)
        scope.values.append(value)
        return value

    def new_weight(self, *shape: int, **how) -> str:
        name = self.name("w")
        self.weights[name] = weight(*shape, **how)
        self.declared.append(f"weight {name}[{', '.join(map(str, shape))}]")
        return name

    def instance(self, text: str, weights: dict[str, Tensor]) -> str:
        """A layer with a name; weights are named behind it."""
        name = self.name("l")
        self.declared.append(f"{name} = {text}")
        self.weights |= {f"{name}.{key}": tensor for key, tensor in weights.items()}
        return name

    def pick(self, accepts: Callable[[tuple], bool]) -> Value | None:
        """A value whose shape is accepted, rather a late one."""
        found = [value for value in self.scope.values if accepts(value.shape)]
        return found[max(self.draws.below(len(found)), self.draws.below(len(found)))] if found else None

    def matrix(self, outputs: int, inputs: int) -> str:
        """A weight [outputs, inputs], perhaps one that is in use already."""
        same = [name for name, m, n in self.matrices if (m, n) == (outputs, inputs)]
        if same and self.draws.chance(50):
            return self.draws.choice(same)
        name = self.new_weight(outputs, inputs)
        self.matrices.append((name, outputs, inputs))
        return name

    # --- Operations on any shape -------------------------------------------------------------------------------

    def activation(self, a: Value) -> Value:
        text, function = self.draws.choice(ACTIVATIONS)
        return self.define(f"{text}({a.text})", a.shape, lambda t, x, w: function(t, x[a.key]))

    def binary(self, a: Value) -> Value:
        b = self.pick(lambda shape: shape == a.shape)
        text, function = self.draws.choice(BINARIES)
        return self.define(text.format(a.text, b.text), a.shape, lambda t, x, w: function(t, x[a.key], x[b.key]))

    def scale(self, a: Value) -> Value:
        """Times a weight and plus another, both along the last dimension."""
        g, b = self.new_weight(a.shape[-1], scale=0.5, shift=1), self.new_weight(a.shape[-1])
        return self.define(f"{a.text} .* {g} + {b}", a.shape, lambda t, x, w: x[a.key] * w[g] + w[b])

    def concat(self, a: Value) -> Value:
        b = self.pick(lambda shape: shape[:-1] == a.shape[:-1])
        return self.define(f"concat({a.text}, {b.text})", (*a.shape[:-1], a.shape[-1] + b.shape[-1]),
                           lambda t, x, w: t.cat([x[a.key], x[b.key]], -1))

    def layer_norm(self, a: Value) -> Value:
        n = a.shape[-1]
        if n < 3:
            return self.activation(a)
        layer = self.instance("layer_norm", {"scale": weight(n, scale=0.5, shift=1), "shift": weight(n)})
        return self.define(f"{layer}({a.text})", a.shape, lambda t, x, w: t.nn.functional.layer_norm(
            x[a.key], (n,), w[f"{layer}.scale"], w[f"{layer}.shift"], 1e-5))

    def dense(self, a: Value) -> Value:
        n = self.draws.choice((2, 3, 5, 6, 8, 17))
        layer = self.instance(f"dense({n})", {"kernel": weight(n, a.shape[-1]), "bias": weight(n)})
        return self.define(f"{layer}({a.text})", (*a.shape[:-1], n),
                           lambda t, x, w: x[a.key] @ w[f"{layer}.kernel"].T + w[f"{layer}.bias"])

    ANY = (activation, activation, binary, binary, scale, concat, layer_norm, dense, dense)

    # --- Vectors -----------------------------------------------------------------------------------------------

    def product(self, a: Value) -> Value:
        n = self.draws.choice((2, 3, 5, 6, 8, 17, a.shape[0]))
        m = self.matrix(n, a.shape[0])
        return self.define(f"{m} * {a.text}", (n,), lambda t, x, w: x[a.key] @ w[m].T)

    def slice(self, a: Value) -> Value:
        begin = self.draws.below(a.shape[0])
        end = begin + 1 + self.draws.below(a.shape[0] - begin)
        text = a.text[:-1] + f", {begin}:{end}]" if a.text.endswith("]") else f"{a.text}[{begin}:{end}]"
        return self.define(text, (end - begin,), lambda t, x, w: x[a.key][:, begin:end])

    def norm(self, a: Value) -> Value:
        """By its own size."""
        return self.define(f"{a.text} ./ (0.5 + mean(square({a.text})))", a.shape,
                           lambda t, x, w: x[a.key] / (0.5 + (x[a.key] ** 2).mean(-1, keepdim=True)))

    VECTOR = (*ANY, product, product, product, slice, norm)

    # --- Matrices ----------------------------------------------------------------------------------------------

    def transpose(self, a: Value) -> Value:
        return self.define(f"transpose({a.text})", a.shape[::-1], lambda t, x, w: x[a.key].mT)

    def matmul(self, a: Value) -> Value:
        b = self.pick(lambda shape: len(shape) == 2 and shape[0] == a.shape[1])
        if not b:
            return self.define(f"{a.text} * transpose({a.text}) / {a.shape[1]}", (a.shape[0],) * 2,
                               lambda t, x, w: x[a.key] @ x[a.key].mT / a.shape[1])
        return self.define(f"{a.text} * {b.text} / {a.shape[1]}", (a.shape[0], b.shape[1]),
                           lambda t, x, w: x[a.key] @ x[b.key] / a.shape[1])

    def reduce(self, a: Value) -> Value:
        """A vector or a sequence loses its first dimension."""
        kind, method = self.draws.choice((("sum", "sum"), ("mean", "mean"), ("max", "amax"), ("min", "amin")))
        share = 0.2 if kind == "sum" else 1
        return self.define(f"{share} * {kind}({a.text}, axis = 0)", a.shape[1:],
                           lambda t, x, w: share * getattr(x[a.key], method)(1))

    def last(self, a: Value) -> Value:
        return self.define(f"last({a.text})", a.shape[1:], lambda t, x, w: x[a.key][:, -1])

    def reverse(self, a: Value) -> Value:
        return self.define(f"reverse({a.text})", a.shape, lambda t, x, w: x[a.key].flip(1))

    MATRIX = (*ANY, transpose, matmul, reduce, last, reverse)

    # --- Images ------------------------------------------------------------------------------------------------

    def conv(self, a: Value) -> Value:
        """A convolution over space; "same" keeps it when the stride is 1."""
        d, rank, channels = self.draws, len(a.shape) - 1, a.shape[-1]
        kernel = tuple(1 + d.below(3) for _ in range(rank))
        over_time = isinstance(a.shape[0], str)
        groups = d.choice([g for g in (1, 1, 2, 3, channels) if channels % g == 0])
        n = groups * d.choice((1, 2, 3))
        options = {"stride": 1 if over_time else d.choice((1, 1, 2)), "dilation": d.choice((1, 1, 2)),
                   "groups": groups, "flip": d.chance(20)}
        text = ", ".join(f"{key} = {str(value).lower()}" for key, value in options.items())
        sizes = ", ".join(map(str, kernel)) + ("," if rank == 1 else "")
        layer = self.instance(f"conv({n}, kernel = {f'({sizes})' if rank > 1 else kernel[0]}, padding = same, {text})",
                              {"kernel": weight(*kernel, channels // groups, n), "bias": weight(n)})
        space = tuple(size if isinstance(size, str) else (size - 1) // options["stride"] + 1 for size in a.shape[:-1])
        return self.define(f"{layer}({a.text})", (*space, n),
                           lambda t, x, w: conv(t, x[a.key], w[f"{layer}.kernel"], w[f"{layer}.bias"], padding="same",
                                                **options))

    def pool(self, a: Value) -> Value:
        d = self.draws
        kind, function = d.choice((("max_pool", max_pool), ("avg_pool", avg_pool)))
        window, stride = 2 + d.below(2), 1 if isinstance(a.shape[0], str) else d.choice((1, 2))
        options = {} if kind == "max_pool" else {"count_padding": d.chance(50)}
        text = "".join(f", {key} = {str(value).lower()}" for key, value in options.items())
        space = tuple(size if isinstance(size, str) else (size - 1) // stride + 1 for size in a.shape[:-1])
        return self.define(f"{a.text} |> {kind}({window}, stride = {stride}, padding = same{text})",
                           (*space, a.shape[-1]),
                           lambda t, x, w: function(t, x[a.key], window, stride=stride, padding="same", **options))

    def response_norm(self, a: Value) -> Value:
        return self.define(f"local_response_norm({a.text}, size = 3, alpha = 0.5)", a.shape,
                           lambda t, x, w: channels_last(t.nn.functional.local_response_norm(
                               channels_first(x[a.key]), 3, 0.5, 0.75, 1)))

    def flatten(self, a: Value) -> Value:
        return self.define(f"flatten({a.text})", (int(np.prod(a.shape)),), lambda t, x, w: x[a.key].flatten(1))

    def global_pool(self, a: Value) -> Value:
        return self.define(f"global_avg_pool({a.text})", (a.shape[-1],),
                           lambda t, x, w: x[a.key].flatten(1, -2).mean(1))

    IMAGE = (activation, binary, scale, concat, conv, conv, conv, pool, response_norm, global_pool)

    # --- Sequences ---------------------------------------------------------------------------------------------

    def library(self, a: Value) -> Value:
        n = self.draws.choice((2, 3, 5))
        if self.draws.chance(50):
            layer = self.instance(f"gru({n})", {key[1:]: v for key, v in gru_weights("", a.shape[1], n).items()})
            return self.define(f"{layer}({a.text})", (a.shape[0], n), lambda t, x, w: gru(t, x[a.key], w, layer)[0])
        layer = self.instance(f"lstm({n})", {key[1:]: v for key, v in lstm_weights("", a.shape[1], n).items()})
        value = self.define(f"{layer}({a.text})", (a.shape[0], n), lambda t, x, w: lstm(t, x[a.key], w, layer)[0])
        self.scope.lines[-1] = self.scope.lines[-1].replace(" =", f", {self.name('c')} =", 1)
        return value

    def loop(self, a: Value) -> Value:
        """A loop over the steps of `a` and of another sequence, from one or two states, with a lag of one or two."""
        from random_loops import add_loop
        return add_loop(self, a)

    SEQUENCE = (*ANY, conv, pool, reverse, library, loop, loop, loop, reduce, last)

    def grow(self, steps: int) -> None:
        """Some more operations, each on a random value of the scope."""
        for _ in range(steps):
            a = self.pick(lambda shape: np.prod([size for size in shape if not isinstance(size, str)]) <= 400)
            kinds = {1: self.VECTOR, 2: self.MATRIX, 3: self.IMAGE}[len(a.shape)]
            self.draws.choice(self.SEQUENCE if isinstance(a.shape[0], str) else kinds)(self, a)


# --- Losses ------------------------------------------------------------------------------------------------------


def leaves_of(builder: Builder) -> list[Value]:
    """Values that nothing reads: neither another definition nor, where a loop defines them, the loop, but for a state,
    which its own loop always reads."""
    leaves = []
    for value in builder.outer.values:
        words = [re.findall(r"\w+", line) for line in builder.outer.lines if re.search(rf"\b{value.key}\b", line)]
        alone = len(words) == 1 and (words[0].count(value.key) == 1 or value.key.startswith("h"))
        if alone and value.key not in builder.inputs:
            leaves.append(value)
    return leaves


def losses_of(builder: Builder) -> tuple[str, dict[str, Tensor], Callable]:
    """A loss of every leaf: their text, their labels, and their sum for each example."""
    draws, terms, labels, functions = builder.draws, [], {}, []
    for a in leaves_of(builder):
        name, share = f"label{len(terms)}", draws.number(0.2, 1)
        over_time = isinstance(a.shape[0], str)
        kind = draws.choice(("cross_entropy", "mse", "l1", "sum") if len(a.shape) == 1 + over_time and a.shape[-1] > 1
                            else ("mse", "sum"))
        if kind == "cross_entropy":
            a = builder.define(f"softmax({a.text})", a.shape, lambda t, x, w, a=a: t.softmax(x[a.key], -1))
            labels[name] = Tensor(a.shape[:-1], classes=a.shape[-1])
            text = f"cross_entropy({a.text}, {name})"
            text = f"mean(t in T, cross_entropy({a.text}[t], {name}[t]))" if over_time else text
        else:
            labels[name] = Tensor(a.shape)
            text = f"mean({a.text} .* {name})" if kind == "sum" else f"{kind}({a.text}, {name})"
            text = f"mean({text})" if kind != "sum" and len(a.shape) > 1 else text
        terms.append(f"{share} * {text}")
        functions.append((kind, a, name, share))

    def loss(t, x):
        total = 0
        for kind, a, name, share in functions:
            y, label = x[a.key], x[name]
            each = {"cross_entropy": lambda: -y.gather(-1, label[..., None])[..., 0].log(),
                    "mse": lambda: (y - label) ** 2, "l1": lambda: (y - label).abs(), "sum": lambda: y * label}[kind]()
            total = total + share * each.reshape(each.shape[0], -1).mean(1)
        return total
    return " + ".join(terms), labels, loss


def make(number: int) -> Training:
    """The network of that number."""
    builder = Builder(number)
    draws = builder.draws
    recurrent = number % 2 == 1
    kinds = (("T", draws.choice((1, 3, 4, 6))),) if recurrent else (
        (draws.choice((1, 3, 7, 12)),), (draws.choice((2, 4, 5)), draws.choice((3, 4))),
        (draws.choice((5, 6, 8)), draws.choice((4, 7)), draws.choice((1, 2, 3, 4))))
    shapes = [draws.choice(kinds) for _ in range(1 + draws.below(2))] + ([(3,)] if draws.chance(40) else [])
    for index, shape in enumerate(shapes):
        name = f"x{index}"
        builder.inputs[name] = Tensor(shape)
        factor = builder.new_weight(shape[-1], scale=0.25, shift=1)
        builder.scope.values.append(Value(name, shape, name))
        builder.define(f"{name} .* {factor}", shape, lambda t, x, w, name=name, f=factor: x[name] * w[f])
    builder.grow(4 + draws.below(9))
    loss, labels, function = losses_of(builder)

    def reference(t, x, w):
        values = dict(x)
        for evaluate in builder.outer.program:
            evaluate(t, values, w)
        return function(t, values)
    body = "\n".join([*builder.declared, *builder.outer.lines])
    return Training("random", f"random{number}", body, builder.inputs, reference, builder.weights,
                    (builder.outer.values[-1].text,), CALLS[recurrent], labels=labels, loss=loss, settings=SETTINGS)
