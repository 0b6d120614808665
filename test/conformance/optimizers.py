"""The optimizers: some steps of training on a small network, with each optimizer and each setting of an update.

What a step means is told twice: as settings of a train block, and as a function of PyTorch that makes the optimizer,
with what happens to the gradients before it and the rate of each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from case import Tensor, weight

STEPS, STEPS_OF_EPOCH, BATCH = 5, 2, 6
INPUTS = {"x": Tensor((7,)), "label": Tensor((), classes=4)}
WEIGHTS = {"dense1.kernel": weight(9, 7), "dense1.bias": weight(9), "dense2.kernel": weight(4, 9),
           "dense2.bias": weight(4), "free": weight(3)}  # the loss does not read `free`


@dataclass(frozen=True)
class Optimizer:
    """optimizer(torch, weights) makes PyTorch's; rate(step, epoch) sets its rate before each step."""

    options = ()  # of nnc; those of all cases

    name: str
    settings: tuple[str, ...]
    optimizer: Callable
    rate: Callable | None = None
    clip_norm: float = 0
    clip_value: float = 0
    reduce_sum: bool = False
    calls: int = 1  # the batch comes in this many calls, whose gradients are accumulated

    @property
    def program(self) -> str:
        lines = "".join(f"  {line}\n" for line in ("loss = cross_entropy(y, label)", *self.settings))
        return (f"network {self.name} {{\n  input x[7]\n  output y[4], z[3]\n  weight free[3]\n"
                f"  z = x[0:3] .* free\n  y = x |> dense(9) |> tanh |> dense(4) |> softmax\n}}\n"
                f"train {self.name}(label : class[4]) {{\n{lines}}}\n")

    def weight_values(self) -> dict[str, np.ndarray]:
        return {name: tensor.fill(f"optimizers/{name}", tensor.shape) for name, tensor in WEIGHTS.items()}

    def step_values(self, step: int) -> dict[str, np.ndarray]:
        """Inputs and labels of one step."""
        return {name: tensor.fill(f"optimizers/{step}/{name}", (BATCH, *tensor.shape))
                for name, tensor in INPUTS.items()}


def make(name: str, settings: str | tuple[str, ...], optimizer: Callable, **more) -> Optimizer:
    return Optimizer(name, (settings,) if isinstance(settings, str) else settings, optimizer, **more)


def sgd(rate: float, **options) -> Callable:
    return lambda t, weights: t.optim.SGD(weights, rate, **options)


OPTIMIZERS = (
    make("sgd", "optimizer = sgd(rate = 0.2)", sgd(0.2)),
    make("sgd_default", "optimizer = sgd", sgd(0.01)),
    make("sgd_decay", ("optimizer = sgd(rate = 0.2)", "weight_decay = 0.03"), sgd(0.2, weight_decay=0.03)),
    make("momentum", "optimizer = momentum(rate = 0.1, momentum = 0.8)", sgd(0.1, momentum=0.8)),
    make("momentum_decay", ("optimizer = momentum(rate = 0.1)", "weight_decay = 0.03"),
         sgd(0.1, momentum=0.9, weight_decay=0.03)),
    make("nesterov", "optimizer = nesterov(rate = 0.1, momentum = 0.8)", sgd(0.1, momentum=0.8, nesterov=True)),
    make("nesterov_decay", ("optimizer = nesterov(rate = 0.1)", "weight_decay = 0.03"),
         sgd(0.1, momentum=0.9, nesterov=True, weight_decay=0.03)),
    make("adagrad", "optimizer = adagrad(rate = 0.1)", lambda t, w: t.optim.Adagrad(w, 0.1)),
    make("adagrad_decay", ("optimizer = adagrad(rate = 0.1, epsilon = 0.01)", "weight_decay = 0.03"),
         lambda t, w: t.optim.Adagrad(w, 0.1, eps=0.01, weight_decay=0.03)),
    make("rmsprop", "optimizer = rmsprop(rate = 0.01)", lambda t, w: t.optim.RMSprop(w, 0.01)),
    make("rmsprop_options", ("optimizer = rmsprop(rate = 0.01, decay = 0.9, epsilon = 1e-3)", "weight_decay = 0.03"),
         lambda t, w: t.optim.RMSprop(w, 0.01, alpha=0.9, eps=1e-3, weight_decay=0.03)),
    make("adam", "optimizer = adam(rate = 0.02)", lambda t, w: t.optim.Adam(w, 0.02)),
    make("adam_options", ("optimizer = adam(rate = 0.02, beta1 = 0.8, beta2 = 0.95, epsilon = 1e-3)",
                          "weight_decay = 0.03"),
         lambda t, w: t.optim.Adam(w, 0.02, (0.8, 0.95), 1e-3, weight_decay=0.03)),
    make("adamw", "optimizer = adamw(rate = 0.02)", lambda t, w: t.optim.AdamW(w, 0.02, weight_decay=0.01)),
    make("adamw_options", "optimizer = adamw(rate = 0.02, beta1 = 0.8, beta2 = 0.95, epsilon = 1e-3, decay = 0.2)",
         lambda t, w: t.optim.AdamW(w, 0.02, (0.8, 0.95), 1e-3, weight_decay=0.2)),
    make("clip_norm", ("optimizer = sgd(rate = 0.5)", "clip = norm(0.3)"), sgd(0.5), clip_norm=0.3),
    make("clip_norm_loose", ("optimizer = sgd(rate = 0.5)", "clip = norm(100)"), sgd(0.5), clip_norm=100),
    make("clip_norm_adam", ("optimizer = adam(rate = 0.02)", "clip = norm(0.3)", "weight_decay = 0.03"),
         lambda t, w: t.optim.Adam(w, 0.02, weight_decay=0.03), clip_norm=0.3),
    make("clip_value", ("optimizer = momentum(rate = 0.2)", "clip = value(0.05)"), sgd(0.2, momentum=0.9),
         clip_value=0.05),
    make("rate_of_step", "optimizer = sgd(rate = 0.5 / (1 + 0.5 * step))", sgd(1),
         rate=lambda step, epoch: 0.5 / (1 + 0.5 * step)),
    make("rate_of_epoch", "optimizer = momentum(rate = if epoch < 1 then 0.2 else 0.2 / (1 + epoch))",
         sgd(1, momentum=0.9), rate=lambda step, epoch: 0.2 if epoch < 1 else 0.2 / (1 + epoch)),
    make("rate_of_functions", "optimizer = sgd(rate = 0.2 * pow(0.9, step) * min(1, sqrt((step + 1) / 4)) + "
         "0.05 * (1 + cos(epoch)) * max(exp(-step), log(2)))",
         sgd(1), rate=lambda step, epoch: 0.2 * 0.9 ** step * min(1, math.sqrt((step + 1) / 4)) +
         0.05 * (1 + math.cos(epoch)) * max(math.exp(-step), math.log(2))),
    make("rate_of_both", "optimizer = adam(rate = if step >= 3 then 1e-2 * 2 else 0.05 - 0.01 * epoch)",
         lambda t, w: t.optim.Adam(w, 1), rate=lambda step, epoch: 0.02 if step >= 3 else 0.05 - 0.01 * epoch),
    make("reduce_sum", ("optimizer = sgd(rate = 0.05)", "reduce = sum"), sgd(0.05), reduce_sum=True),
    make("reduce_sum_clip", ("optimizer = sgd(rate = 0.05)", "reduce = sum", "clip = norm(0.7)"), sgd(0.05),
         reduce_sum=True, clip_norm=0.7),
    make("full_batch", ("optimizer = momentum(rate = 0.2)", "batch = full"), sgd(0.2, momentum=0.9), calls=2),
    make("full_batch_sum", ("optimizer = adam(rate = 0.02)", "batch = full", "reduce = sum"),
         lambda t, w: t.optim.Adam(w, 0.02), reduce_sum=True, calls=3),
)


def train(t, case: Optimizer, dtype) -> tuple[dict[str, np.ndarray], list[float]]:
    """The weights after all steps, and the loss of each step, in PyTorch."""
    w = {name: t.from_numpy(values).to(dtype).requires_grad_() for name, values in case.weight_values().items()}
    optimizer = case.optimizer(t, list(w.values()))
    losses = []
    for step in range(STEPS):
        values = case.step_values(step)
        x, label = t.from_numpy(values["x"]).to(dtype), t.from_numpy(values["label"]).long()
        hidden = t.tanh(x @ w["dense1.kernel"].T + w["dense1.bias"])
        loss = t.nn.functional.cross_entropy(hidden @ w["dense2.kernel"].T + w["dense2.bias"], label,
                                             reduction="sum" if case.reduce_sum else "mean")
        optimizer.zero_grad()
        (loss + 0 * w["free"].sum()).backward()
        if case.clip_norm:
            t.nn.utils.clip_grad_norm_(w.values(), case.clip_norm)
        if case.clip_value:
            t.nn.utils.clip_grad_value_(w.values(), case.clip_value)
        if case.rate:
            optimizer.param_groups[0]["lr"] = case.rate(step, step // STEPS_OF_EPOCH)
        optimizer.step()
        losses.append(loss.item())
    assert all(math.isfinite(loss) for loss in losses)
    return {name: value.detach().numpy() for name, value in w.items()}, losses
