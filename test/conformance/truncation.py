"""Truncated back-propagation through time: small recurrent networks, trained for some calls window by window.

What a window is is told here a second time, example by example and step by step, as a program of PyTorch that detaches
the states itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from case import Tensor, weight

INPUTS, HIDDEN, CLASSES = 5, 6, 4
MAX_BATCH, MAX_STEPS = 4, 9  # more than any call has


@dataclass(frozen=True)
class Sequences:
    """A call: how many examples, how many steps, and of how many each has its own."""

    batch: int
    steps: int
    ragged: tuple[int, ...] = ()

    def length(self, example: int) -> int:
        return self.ragged[example] if self.ragged else self.steps


CALLS = (Sequences(3, 7), Sequences(1, 5), Sequences(3, 8, (8, 3, 6)), Sequences(4, 7, (1, 7, 0, 4)), Sequences(1, 1))


@dataclass(frozen=True)
class Truncation:
    """start(t, w, example) are the states before the first step, step(t, w, example, time, states) those after the next
    and its loss, end(t, w, example, states) is a loss of the last states. The loss is
    mean * (mean of the steps') + sum * (sum of the steps') + end."""

    options = ()  # of nnc; those of all cases

    name: str
    network: str  # between the braces
    loss: str
    k1: int
    k2: int
    weights: dict[str, Tensor]
    start: Callable
    step: Callable
    mean: float = 1
    sum: float = 0
    end: Callable | None = None
    settings: tuple[str, ...] = ("optimizer = sgd(rate = 0.3)",)
    optimizer: Callable = lambda t, w: t.optim.SGD(w, 0.3)
    clip: float = 0
    reduce_sum: bool = False
    inputs: dict[str, Tensor] = field(default_factory=lambda: {"x": Tensor(("T", INPUTS)),
                                                               "label": Tensor(("T",), classes=CLASSES)})

    @property
    def program(self) -> str:
        bptt = f"truncated({self.k1})" if self.k1 == self.k2 else f"truncated({self.k1}, {self.k2})"
        labels = ", ".join(name + ("[T]" if "T" in tensor.shape else "") + f" : class[{tensor.classes}]"
                           for name, tensor in self.inputs.items() if tensor.classes)
        inputs = "".join(f"  input {name}[{', '.join(map(str, tensor.shape))}]\n"
                         for name, tensor in self.inputs.items() if not tensor.classes)
        lines = "".join(f"  {line}\n" for line in (f"loss = {self.loss}", f"bptt = {bptt}", *self.settings))
        return (f"network {self.name} {{\n{inputs}{self.network}}}\ntrain {self.name}({labels}) {{\n{lines}}}\n")

    def weight_values(self) -> dict[str, np.ndarray]:
        return {name: tensor.fill(f"truncation/{name}", tensor.shape) for name, tensor in self.weights.items()}

    def call_values(self, number: int, call: Sequences) -> dict[str, np.ndarray]:
        """Inputs and labels of a call."""
        extents = lambda tensor: (call.batch, *(call.steps if extent == "T" else extent for extent in tensor.shape))
        return {name: tensor.fill(f"truncation/{number}/{name}", extents(tensor)) for name, tensor in self.inputs.items()}


# --- Networks ----------------------------------------------------------------------------------------------------


def cross_entropy(t, logits, label):
    return t.nn.functional.cross_entropy(logits, label)


def zeros(*sizes: int) -> Callable:
    return lambda t, w, example: [t.zeros(size, dtype=next(iter(w.values())).dtype) for size in sizes]


OUT = {"dense1.kernel": weight(CLASSES, HIDDEN), "dense1.bias": weight(CLASSES)}
STEP_LOSS = "mean(t in T, cross_entropy(y[t], label[t]))"
Y = "  output y[T, 4]\n"


def with_label(t, w, example, time, h):
    return cross_entropy(t, w["dense1.kernel"] @ h + w["dense1.bias"], example["label"][time])


def rnn_cell(t, w, x, h):
    return t.tanh(w["rnn1.W"] @ x + w["rnn1.R"] @ h + w["rnn1.b"])


def rnn_step(t, w, example, time, states):
    h = rnn_cell(t, w, example["x"][time], states[0])
    return [h], with_label(t, w, example, time, h)


RNN = {"rnn1.W": weight(HIDDEN, INPUTS), "rnn1.R": weight(HIDDEN, HIDDEN), "rnn1.b": weight(HIDDEN), **OUT}
RNN_TEXT = Y + "  y = x |> rnn(6) |> dense(4) |> softmax\n"


def rnn(name: str, k1: int, k2: int, **more) -> Truncation:
    return Truncation(name, more.pop("network", RNN_TEXT), more.pop("loss", STEP_LOSS), k1, k2, more.pop("weights", RNN),
                      more.pop("start", zeros(HIDDEN)), more.pop("step", rnn_step), **more)


def lstm_step(t, w, example, time, states):
    x, (h, c) = example["x"][time], states
    gate = lambda name: w[f"lstm1.W{name}"] @ x + w[f"lstm1.R{name}"] @ h + w[f"lstm1.b{name}"]
    c = t.sigmoid(gate("f")) * c + t.sigmoid(gate("i")) * t.tanh(gate("g"))
    h = t.sigmoid(gate("o")) * t.tanh(c)
    return [h, c], with_label(t, w, example, time, h)


LSTM = {**{f"lstm1.{kind}{gate}": shape for gate in "ifog" for kind, shape in
           (("W", weight(HIDDEN, INPUTS)), ("R", weight(HIDDEN, HIDDEN)), ("b", weight(HIDDEN)))}, **OUT}


def lstm(name: str, k1: int, k2: int, **more) -> Truncation:
    return Truncation(name, Y + "  h, c = x |> lstm(6)\n  y = h |> dense(4) |> softmax\n", STEP_LOSS, k1, k2, LSTM,
                      zeros(HIDDEN, HIDDEN), lstm_step, **more)


def two_layers_step(t, w, example, time, states):
    lower = rnn_cell(t, w, example["x"][time], states[0])
    upper = t.tanh(w["rnn2.W"] @ lower + w["rnn2.R"] @ states[1] + w["rnn2.b"])
    return [lower, upper], with_label(t, w, example, time, upper)


def lagged_step(t, w, example, time, states):
    h = t.tanh(w["U"] @ example["x"][time] + w["A"] @ states[0] + w["B"] @ states[1])
    return [h, states[0]], with_label(t, w, example, time, h)


LAGGED = {"U": weight(HIDDEN, INPUTS), "A": weight(HIDDEN, HIDDEN), "B": weight(HIDDEN, HIDDEN), **OUT}
LAGGED_TEXT = Y + """  weight U[6, 5], A[6, 6], B[6, 6]
  each t in T from h[6] = 0 {
    h[t] = tanh(U * x[t] + A * h[t-1] + B * h[t-2])
    y[t] = softmax(dense(4)(h[t]))
  }
"""


def started_step(t, w, example, time, states):
    h = t.tanh(w["U"] @ example["x"][time] + w["A"] @ states[0])
    return [h], with_label(t, w, example, time, h)


LEARNED_TEXT = Y + """  weight U[6, 5], A[6, 6], h0[6]
  each t in T from h[6] = h0 {
    h[t] = tanh(U * x[t] + A * h[t-1])
    y[t] = softmax(dense(4)(h[t]))
  }
"""
STARTED = {"U": weight(HIDDEN, INPUTS), "A": weight(HIDDEN, HIDDEN)}
IMAGE_TEXT = LEARNED_TEXT.replace(", h0[6]", ", E[6, 3]").replace("h[6] = h0", "h = tanh(E * image)")
IMAGE_INPUTS = {"x": Tensor(("T", INPUTS)), "image": Tensor((3,)), "label": Tensor(("T",), classes=CLASSES)}


def forced_step(t, w, example, time, states):
    """The word before is the label's: class 2 at first."""
    h = rnn_cell(t, w, t.cat([w["embed1.table"][states[1]], example["x"][time]]), states[0])
    return [h, example["label"][time]], with_label(t, w, example, time, h)


FORCED_TEXT = """  output word[T] : class[4]
  each t in T from h[6] = 0, word = 2 {
    h[t]    = rnn_cell(6)(concat(word[t-1] |> embed(3), x[t]), h[t-1])
    p[t]    = softmax(dense(4)(h[t]))
    word[t] = predict(p[t])
  }
"""
FORCED = {"embed1.table": weight(4, 3), "rnn_cell1.W": weight(HIDDEN, 3 + INPUTS),
          "rnn_cell1.R": weight(HIDDEN, HIDDEN), "rnn_cell1.b": weight(HIDDEN), **OUT}


def as_rnn(step: Callable) -> Callable:
    """A step of a cell with the weights' names of a layer."""
    def renamed(t, w, *rest):
        return step(t, w | {name.replace("rnn_cell1", "rnn1"): value for name, value in w.items()}, *rest)
    return renamed


def end_loss(factor: float) -> Callable:
    return lambda t, w, example, states: factor * cross_entropy(t, w["dense1.kernel"] @ states[0] + w["dense1.bias"],
                                                                example["kind"])


TO_ONE = {"x": Tensor(("T", INPUTS)), "kind": Tensor((), classes=CLASSES)}
BOTH = {"x": Tensor(("T", INPUTS)), "label": Tensor(("T",), classes=CLASSES), "kind": Tensor((), classes=CLASSES)}
TO_ONE_TEXT = "  output z[4]\n  h = x |> rnn(6)\n  z = h[T] |> dense(4) |> softmax\n"
BOTH_TEXT = ("  output y[T, 4], z[4]\n  d = dense(4)\n  h = x |> rnn(6)\n  y = h |> d |> softmax\n"
             "  z = h |> last |> d |> softmax\n")
SHARED = {name.replace("dense1", "d"): tensor for name, tensor in RNN.items()}


def with_d(function: Callable) -> Callable:
    return lambda t, w, *rest: function(t, w | {name.replace("d.", "dense1."): w[name] for name in ("d.kernel", "d.bias")},
                                        *rest)


TRUNCATIONS = (
    rnn("rnn", 2, 2),
    rnn("rnn_online", 1, 1),
    rnn("rnn_every_step", 1, 4),
    rnn("rnn_longer_than_all", 20, 30),
    rnn("rnn_back_to_the_start", 2, 50),
    lstm("lstm", 3, 3),
    lstm("lstm_overlap", 2, 5),
    lstm("lstm_adam", 3, 4, settings=("optimizer = adam(rate = 0.02)", "clip = norm(0.5)"),
         optimizer=lambda t, w: t.optim.Adam(w, 0.02), clip=0.5),
    rnn("two_layers", 2, 3, network=Y + "  y = x |> rnn(6) |> rnn(6) |> dense(4) |> softmax\n",
        weights=RNN | {"rnn2.W": weight(HIDDEN, HIDDEN), "rnn2.R": weight(HIDDEN, HIDDEN), "rnn2.b": weight(HIDDEN)},
        start=zeros(HIDDEN, HIDDEN), step=two_layers_step),
    rnn("lagged", 2, 3, network=LAGGED_TEXT, weights=LAGGED, start=zeros(HIDDEN, HIDDEN), step=lagged_step),
    rnn("learned_start", 2, 3, network=LEARNED_TEXT, weights=STARTED | {"h0": weight(HIDDEN)} | OUT,
        start=lambda t, w, example: [w["h0"]], step=started_step),
    rnn("image_start", 2, 2, network=IMAGE_TEXT, weights=STARTED | {"E": weight(HIDDEN, 3)} | OUT,
        start=lambda t, w, example: [t.tanh(w["E"] @ example["image"])], step=started_step, inputs=IMAGE_INPUTS),
    rnn("teacher_forcing", 2, 3, network=FORCED_TEXT, weights=FORCED, step=as_rnn(forced_step),
        loss="mean(t in T, cross_entropy(p[t], label[t]))\n  given word = label",
        start=lambda t, w, example: [*zeros(HIDDEN)(t, w, example), t.tensor(2)]),
    rnn("sum_of_steps", 2, 3, loss=STEP_LOSS.replace("mean", "sum"), mean=0, sum=1,
        settings=("optimizer = momentum(rate = 0.05)", "reduce = sum"), reduce_sum=True,
        optimizer=lambda t, w: t.optim.SGD(w, 0.05, momentum=0.9)),
    rnn("to_one", 2, 3, network=TO_ONE_TEXT, loss="cross_entropy(z, kind)", inputs=TO_ONE, mean=0, end=end_loss(1),
        step=lambda t, w, example, time, states: ([rnn_cell(t, w, example["x"][time], states[0])], 0)),
    rnn("all_terms", 2, 4, network=BOTH_TEXT, inputs=BOTH, mean=1.5, sum=-0.25, end=with_d(end_loss(0.4)), weights=SHARED,
        loss=f"{STEP_LOSS} * 1.5 - (sum(t in T, cross_entropy(y[t], label[t])) / 4 - 0.4 * cross_entropy(z, kind))",
        step=with_d(rnn_step)),
)


# --- The same in PyTorch -----------------------------------------------------------------------------------------


def windows(case: Truncation, call: Sequences) -> list[tuple[int, int, int, int]]:
    """Of each window the first step, the first of its own losses, the end, and where the next one begins."""
    longest = max(max(call.length(example) for example in range(call.batch)), 1)
    return [(max(0, own + case.k1 - case.k2), own, min(own + case.k1, longest), max(0, own + 2 * case.k1 - case.k2))
            for own in range(0, longest, case.k1)]


class Trainer:
    """Goes through calls window by window."""

    def __init__(self, t, case: Truncation, dtype):
        self.t, self.case, self.dtype = t, case, dtype
        self.w = {name: t.from_numpy(value).to(dtype).requires_grad_() for name, value in case.weight_values().items()}

    def examples(self, number: int, call: Sequences) -> list[dict]:
        values = self.case.call_values(number, call)
        convert = lambda array: self.t.from_numpy(array).to(self.dtype if array.dtype == np.float32 else self.t.int64)
        return [{name: convert(array)[example] for name, array in values.items()} for example in range(call.batch)]

    def run_window(self, example: dict, length: int, window: tuple, saved: list) -> tuple:
        """The loss that gradients are of, its share in the sequence's, the same for gradients of the whole, and the
        states that the next window starts from."""
        case, (begin, own, end, following) = self.case, window
        states = case.start(self.t, self.w, example) if begin == 0 else saved
        kept, losses = None, []
        for time in range(begin, min(end, length)):
            if time == following:
                kept = [state.detach() for state in states]
            states, loss = case.step(self.t, self.w, example, time, states)
            losses += [loss] if time >= own else []
        total = sum(losses, 0 * next(iter(self.w.values())).sum())
        rest = case.sum * total
        if case.end and length <= end and (losses or (length == 0 and own == 0)):
            rest = rest + case.end(self.t, self.w, example, states)
        mean = case.mean * total
        return (mean / max(len(losses), 1) + rest, mean / max(length, 1) + rest,
                kept or [state.detach() for state in states])

    def call(self, number: int, call: Sequences, backward: Callable) -> float:
        """backward(gradient loss, share) after each window; gives the loss of the call."""
        reported, saved = 0.0, [[] for _ in range(call.batch)]
        examples = self.examples(number, call)
        for window in windows(self.case, call):
            losses, shares = [], []
            for index, example in enumerate(examples):
                loss, share, saved[index] = self.run_window(example, call.length(index), window, saved[index])
                losses.append(loss)
                shares.append(share)
            reduce = (lambda list: sum(list)) if self.case.reduce_sum else (lambda list: sum(list) / call.batch)
            backward(reduce(losses), reduce(shares))
            reported += reduce(shares).item()
        return reported


def train(t, case: Truncation, dtype) -> dict[str, np.ndarray]:
    """The weights after all calls, under "loss" the loss of each, and under "gradient …" the gradients of the first
    and the third, accumulated, before any update."""
    trainer = Trainer(t, case, dtype)
    optimizer = case.optimizer(t, list(trainer.w.values()))
    results = {}
    for number in (0, 2):
        factor = 1 if case.reduce_sum else CALLS[number].batch
        trainer.call(number, CALLS[number], lambda loss, share: (factor * share).backward())
    count = 1 if case.reduce_sum else CALLS[0].batch + CALLS[2].batch
    results |= {f"gradient {name}": value.grad.numpy() / count for name, value in trainer.w.items()}

    def update(loss, share) -> None:
        optimizer.zero_grad()
        (loss + 0 * sum(value.sum() for value in trainer.w.values())).backward()
        if case.clip:
            t.nn.utils.clip_grad_norm_(trainer.w.values(), case.clip)
        optimizer.step()

    losses = [trainer.call(number, call, update) for number, call in enumerate(CALLS)]
    assert all(math.isfinite(loss) for loss in losses)
    return results | {"loss": np.array(losses)} | {name: value.detach().numpy() for name, value in trainer.w.items()}
