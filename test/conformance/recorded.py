"""What training records with -gradient-stats: small networks, and the same norms and shares from PyTorch's hooks.

A network runs in PyTorch example by example. It notes values by the layer, the operation and which of several it is,
"rnn1.h/tanh/0", and states, "state h"; all keep their gradients. A value of a loop is noted in each of its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from case import Tensor, weight
from truncation import CALLS, CLASSES, HIDDEN, INPUTS, Sequences, cross_entropy

IMAGES = (Sequences(1, 0), Sequences(5, 0))


@dataclass(frozen=True)
class Recorded:
    """run(t, w, example, length, note) gives the losses of the steps and the loss of the end; an example's loss is
    mean * (mean of the steps') + sum * (sum of the steps') + end. `states` are the outputs of the flow, in order."""

    options = ()  # of nnc; those of all cases

    name: str
    body: str  # of the network
    loss: str
    weights: dict[str, Tensor]
    inputs: dict[str, Tensor]
    run: Callable
    states: tuple[str, ...] = ()
    mean: float = 0
    sum: float = 0
    settings: tuple[str, ...] = ()
    reduce_sum: bool = False
    calls: tuple[Sequences, ...] = CALLS

    @property
    def program(self) -> str:
        labels = ", ".join(name + ("[T]" if "T" in tensor.shape else "") + f" : class[{tensor.classes}]"
                           for name, tensor in self.inputs.items() if tensor.classes)
        inputs = "".join(f"  input {name}[{', '.join(map(str, tensor.shape))}]\n"
                         for name, tensor in self.inputs.items() if not tensor.classes)
        lines = "".join(f"  {line}\n" for line in (f"loss = {self.loss}", "optimizer = sgd(rate = 0.1)", *self.settings))
        return f"network {self.name} {{\n{inputs}{self.body}}}\ntrain {self.name}({labels}) {{\n{lines}}}\n"

    @property
    def has_time(self) -> bool:
        return any("T" in tensor.shape for tensor in self.inputs.values())

    def weight_values(self) -> dict[str, np.ndarray]:
        return {name: tensor.fill(f"recorded/{self.name}/{name}", tensor.shape) for name, tensor in self.weights.items()}

    def call_values(self, number: int, call: Sequences) -> dict[str, np.ndarray]:
        """Inputs and labels of a call."""
        extents = lambda tensor: (call.batch, *(call.steps if extent == "T" else extent for extent in tensor.shape))
        return {name: tensor.fill(f"recorded/{number}/{name}", extents(tensor)) for name, tensor in self.inputs.items()}

    def loss_steps(self, call: Sequences) -> list[int]:
        """The steps whose losses are asked for."""
        return sorted({-1, 0, call.steps // 2, call.steps - 1}) if self.mean or self.sum else [-1]


# --- Networks ----------------------------------------------------------------------------------------------------

Y = "  output y[T, 4]\n"
LABELLED = {"x": Tensor(("T", INPUTS)), "label": Tensor(("T",), classes=CLASSES)}
STEP_LOSS = "(t in T, cross_entropy(y[t], label[t]))"
OUT = {"dense1.kernel": weight(CLASSES, HIDDEN), "dense1.bias": weight(CLASSES)}
RNN = {"rnn1.W": weight(HIDDEN, INPUTS, scale=2), "rnn1.R": weight(HIDDEN, HIDDEN), "rnn1.b": weight(HIDDEN), **OUT}
LSTM = {**{f"lstm1.{kind}{gate}": shape for gate in "ifog" for kind, shape in
           (("W", weight(HIDDEN, INPUTS, scale=4)), ("R", weight(HIDDEN, HIDDEN)), ("b", weight(HIDDEN)))}, **OUT}


def classify(t, w, h, note):
    return note("dense1/dense/0", w["dense1.kernel"] @ h + w["dense1.bias"])


def rnn_states(t, w, example, length, note):
    h, states = t.zeros(HIDDEN, dtype=w["rnn1.W"].dtype), []
    for time in range(length):
        h = note("rnn1.h/tanh/0", t.tanh(w["rnn1.W"] @ example["x"][time] + w["rnn1.R"] @ h + w["rnn1.b"]))
        h = note("state h", 1 * h)
        states.append(h)
    return states


def run_rnn(t, w, example, length, note):
    states = rnn_states(t, w, example, length, note)
    return [cross_entropy(t, classify(t, w, h, note), label) for h, label in zip(states, example["label"])], 0


def run_lstm(t, w, example, length, note):
    h, c = (t.zeros(HIDDEN, dtype=w["dense1.bias"].dtype) for _ in range(2))
    losses = []
    for time in range(length):
        gate = lambda name: w[f"lstm1.W{name}"] @ example["x"][time] + w[f"lstm1.R{name}"] @ h + w[f"lstm1.b{name}"]
        i, f, o = (note(f"lstm1.{name}/sigmoid/0", t.sigmoid(gate(name))) for name in "ifo")
        g = note("lstm1.g/tanh/0", t.tanh(gate("g")))
        c = note("state c", f * c + i * g)
        h = note("state h", o * note("lstm1/tanh/0", t.tanh(c)))
        losses.append(cross_entropy(t, classify(t, w, h, note), example["label"][time]))
    return losses, 0


def run_to_one(t, w, example, length, note):
    states = rnn_states(t, w, example, length, note)
    last = states[-1] if states else t.zeros(HIDDEN, dtype=w["rnn1.W"].dtype)
    return [], cross_entropy(t, classify(t, w, last, note), example["kind"])


def run_both(t, w, example, length, note):
    """The last state's loss is of no step."""
    states = rnn_states(t, w, example, length, note)
    last = states[-1] if states else t.zeros(HIDDEN, dtype=w["rnn1.W"].dtype)
    out = lambda h: w["d.kernel"] @ h + w["d.bias"]
    return ([cross_entropy(t, out(h), label) for h, label in zip(states, example["label"])],
            0.5 * cross_entropy(t, out(last), example["kind"]))


IMAGE = {"image": Tensor((6, 6, 2)), "label": Tensor((), classes=3)}
CONVOLUTION = {"conv1.kernel": weight(3, 3, 2, 4), "conv1.bias": Tensor((4,), values=(0.1, -9, 0.2, -9)),
               "dense1.kernel": weight(7, 64), "dense1.bias": Tensor((7,), values=(0, 5, 0, -5, 0, 0, 0)),
               "dense2.kernel": weight(5, 7), "dense2.bias": Tensor((5,), values=(0.5, -20, 0.5, 0.5, 0.5)),
               "dense3.kernel": weight(3, 5), "dense3.bias": weight(3)}


def run_convolution(t, w, example, length, note):
    f = t.nn.functional
    image = example["image"].permute(2, 0, 1)[None]
    x = f.conv2d(image, w["conv1.kernel"].permute(3, 2, 0, 1), w["conv1.bias"])[0].permute(1, 2, 0)
    x = note("/relu/0", t.relu(note("conv1/conv/0", x))).reshape(-1)
    x = note("/tanh/0", t.tanh(note("dense1/dense/0", w["dense1.kernel"] @ x + w["dense1.bias"])))
    x = note("/relu/1", t.relu(note("dense2/dense/0", w["dense2.kernel"] @ x + w["dense2.bias"])))
    x = note("dense3/dense/0", w["dense3.kernel"] @ x + w["dense3.bias"])
    return [], cross_entropy(t, x, example["label"])


RNN_TEXT = Y + "  y = x |> rnn(6) |> dense(4) |> softmax\n"
BOTH_TEXT = ("  output y[T, 4], z[4]\n  d = dense(4)\n  h = x |> rnn(6)\n  y = h |> d |> softmax\n"
             "  z = h |> last |> d |> softmax\n")
KIND = {"kind": Tensor((), classes=CLASSES)}

RECORDED = (
    Recorded("recorded_rnn", RNN_TEXT, "mean" + STEP_LOSS, RNN, LABELLED, run_rnn, ("h",), mean=1),
    Recorded("recorded_lstm", Y + "  h, c = x |> lstm(6)\n  y = h |> dense(4) |> softmax\n", "mean" + STEP_LOSS, LSTM,
             LABELLED, run_lstm, ("h", "c"), mean=1),
    Recorded("recorded_sum", RNN_TEXT, f"0.25 * sum{STEP_LOSS}", RNN, LABELLED, run_rnn, ("h",), sum=0.25,
             settings=("reduce = sum",), reduce_sum=True),
    # How the error flows is asked of whole sequences; what is recorded is of the last window.
    Recorded("recorded_windows", RNN_TEXT, "mean" + STEP_LOSS, RNN, LABELLED, run_rnn, ("h",), mean=1,
             settings=("bptt = truncated(2, 3)",)),
    Recorded("recorded_segments", RNN_TEXT, "mean" + STEP_LOSS, RNN, LABELLED, run_rnn, ("h",), mean=1,
             settings=("bptt = checkpoint(sqrt)",)),
    Recorded("recorded_to_one", "  output z[4]\n  h = x |> rnn(6)\n  z = h[T] |> dense(4) |> softmax\n",
             "cross_entropy(z, kind)", RNN, {"x": Tensor(("T", INPUTS)), **KIND}, run_to_one, ("h",)),
    Recorded("recorded_both", BOTH_TEXT, f"mean{STEP_LOSS} + 0.5 * cross_entropy(z, kind)",
             {name.replace("dense1", "d"): tensor for name, tensor in RNN.items()}, LABELLED | KIND, run_both, ("h",),
             mean=1),
    Recorded("recorded_convolution", "  output y[3]\n  y = image |> conv(4, kernel = 3) |> relu |> flatten |> dense(7) |> "
             "tanh |> dense(5) |> relu |> dense(3) |> softmax\n", "cross_entropy(y, label)", CONVOLUTION, IMAGE,
             run_convolution, calls=IMAGES),
)


# --- The same in PyTorch -----------------------------------------------------------------------------------------


class Notes(dict):
    """What one example noted: lists of tensors by key."""

    def __call__(self, key: str, tensor):
        tensor.retain_grad()
        self.setdefault(key, []).append(tensor)
        return tensor


def forget(notes: list[Notes]) -> None:
    for own in notes:
        for tensors in own.values():
            for tensor in tensors:
                tensor.grad = None


def norm_of(tensors: list) -> float:
    return float(np.sqrt(sum(float((tensor.grad ** 2).sum()) for tensor in tensors if tensor.grad is not None)))


def shares_of(t, key: str, notes: list[Notes]) -> dict[str, np.ndarray]:
    """Saturated and dead shares of what was noted under a key."""
    values = [tensor.detach() for own in notes for tensor in own.get(key, [])]
    operation = key.split("/")[-2]
    if operation in ("tanh", "sigmoid"):
        isBeyond = (lambda y: y.abs() > 0.99) if operation == "tanh" else (lambda y: (y < 0.01) | (y > 0.99))
        count = sum(value.numel() for value in values)
        return {f"saturated {key}": np.array(sum(int(isBeyond(value).sum()) for value in values) / max(count, 1))}
    if operation == "relu":
        largest = t.stack([value.reshape(-1, value.shape[-1]).max(0).values for value in values]).max(0).values
        return {f"dead {key}": (largest <= 0).double().mean().numpy()}
    return {}


def record(t, case: Recorded, dtype) -> dict[str, np.ndarray]:
    """By "<call>/error …", "<call>/saturated …", "<call>/dead …", "<call>/flow <loss step> <state>"."""
    results = {}
    for number, call in enumerate(case.calls):
        w = {name: t.from_numpy(value).to(dtype).requires_grad_() for name, value in case.weight_values().items()}
        values = {name: t.from_numpy(array).to(dtype if array.dtype == np.float32 else t.int64)
                  for name, array in case.call_values(number, call).items()}
        notes = [Notes() for _ in range(call.batch)]
        ends, steps = [], []  # of each example, with the factor of its loss
        for index, own in enumerate(notes):
            length = call.length(index)
            losses, end = case.run(t, w, {name: array[index] for name, array in values.items()}, length, own)
            share = 1 if case.reduce_sum else 1 / call.batch
            steps.append([share * (case.mean / max(length, 1) + case.sum) * loss for loss in losses])
            ends.append(share * end)

        def backward(step: int) -> None:
            forget(notes)
            parts = [part for own in steps for time, part in enumerate(own) if step in (-1, time)]
            total = sum(parts) + (sum(ends) if step < 0 else 0)
            if isinstance(total, t.Tensor):
                total.backward(retain_graph=True)

        backward(-1)
        for key in sorted({key for own in notes for key in own if not key.startswith("state ")}):
            results[f"{number}/error {key}"] = np.array(norm_of([tensor for own in notes for tensor in own.get(key, [])]))
            results |= {f"{number}/{name}": share for name, share in shares_of(t, key, notes).items()}
        for step in case.loss_steps(call) if case.states else []:
            backward(step)
            for state in case.states:
                results[f"{number}/flow {step} {state}"] = np.array(
                    [norm_of([own[f"state {state}"][time] for own in notes if len(own.get(f"state {state}", [])) > time])
                     for time in range(call.steps)])
    return results
