"""What a training case is: a network with a train block, and the loss of each example in PyTorch's words.

A case of the forward direction becomes one by from_forward: each input that has a fixed dimension is multiplied by a
weight, so that its gradient can be read, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from case import Call, Case, Tensor, port_text

SETTINGS = ("optimizer = sgd(rate = 0)",)  # an update that changes nothing but running statistics

FEW = (Call(1), Call(3))
SEQUENCES = (Call(1, {"T": 1}), Call(3, {"T": 2}), Call(1, {"T": 23}), Call(3, {"T": 9}, {"T": (9, 1, 4)}))


@dataclass(frozen=True)
class Training(Case):
    """reference(torch, x, w) gets inputs and labels, and gives the loss of each example [batch]. With `together` an
    example's loss depends on the others of its batch: then a ragged call hands x["lengths"] to it and runs it once."""

    labels: dict[str, Tensor] = field(default_factory=dict)
    loss: str = ""
    settings: tuple[str, ...] = SETTINGS
    statistics: tuple[str, ...] = ()  # weights that no gradient trains: reference puts their new values into w
    together: bool = False
    calls: tuple[Call, ...] = FEW

    @property
    def arguments(self) -> dict[str, Tensor]:
        return self.inputs | self.labels

    @property
    def program(self) -> str:
        labels = ", ".join(port_text(name, tensor) for name, tensor in self.labels.items())
        lines = "".join(f"  {line}\n" for line in (f"loss = {self.loss}", *self.settings))
        return f"{super().program}train {self.name}{f'({labels})' if labels else ''} {{\n{lines}}}\n"

    @property
    def trained(self) -> list[str]:
        return [name for name in self.weights if name not in self.statistics]


# --- From the forward direction ----------------------------------------------------------------------------------


def small_calls(case: Case) -> tuple[Call, ...]:
    """Of the usual calls those that are cheap; of a case's own the first of each kind."""
    free = case.free_dimensions()
    if not free:
        return tuple(call for call in case.calls if call.batch in (1, 3)) or case.calls[:1]
    if len(free) == 1 and any(call.lengths[free[0]] == 1 for call in case.calls):
        return tuple(Call(call.batch, {free[0]: call.lengths["T"]},
                          {free[0]: call.ragged["T"]} if call.ragged else {}) for call in SEQUENCES)
    return tuple(call for call in case.calls if call.batch <= 5 and max(call.lengths.values()) <= 32)


def dimensions_of(case: Case, shapes: dict[str, tuple[int, ...]], output: str) -> tuple[int | str, ...] | None:
    """An output's dimensions without the batch, told from its shapes in all calls; None where one depends on a length
    in another way than being it."""
    rows = [shapes[f"{case.name}/{call.name}/{output}"][1:] for call in case.calls]
    dimensions = []
    for extents in zip(*rows):
        names = [name for name in case.free_dimensions()
                 if all(call.lengths[name] == extent for call, extent in zip(case.calls, extents))]
        if len(set(extents)) > 1 and not names:
            return None
        dimensions.append(names[0] if names and len(set(extents)) > 1 else extents[0])
    return tuple(dimensions)


def _factor(tensor: Tensor) -> Tensor | None:
    """The weight that an input is multiplied by; None where there is no fixed dimension, or none would make sense."""
    fixed = tuple(extent for extent in tensor.shape if not isinstance(extent, str))
    if not fixed or tensor.classes or not all(map(math.isfinite, tensor.values)):
        return None
    # Values that are far away but close to each other stay so.
    return Tensor(fixed, scale=0.25 * min(1, tensor.scale / max(abs(tensor.shift), 1e-9)), shift=1)


def _term(output: str, dimensions: tuple | None) -> str:
    """A number for each example that depends on every element of an output differently."""
    if dimensions is None:
        return f"mean(tanh({output}) .* square({output}))"
    return f"sum({output} .* of_{output})" if dimensions else f"{output} .* of_{output}"


def from_forward(case: Case, shapes: dict[str, tuple[int, ...]]) -> Training | None:
    """The case with a loss of its outputs; shapes are those of the expected outputs. None where nothing is trained."""
    factors = {name: factor for name, tensor in case.inputs.items() if (factor := _factor(tensor))}
    weights = {**{f"of_{name}": factor for name, factor in factors.items()}, **case.weights}
    outputs = {name: dimensions_of(case, shapes, name) for name in case.outputs if name not in case.integers}
    normalized = any(name.endswith(".variance") for name in case.weights)  # by the batch in training: see cases/train
    special = any(not math.isfinite(value) for tensor in case.inputs.values() for value in tensor.values)
    decodes = "until" in case.body or case.dimensions  # in training labels say how long an example is: see recurrence
    if not weights or not outputs or special or normalized or decodes or "dropout" in case.body:
        return None
    renamed = {f"{name}_in" if name in factors else name: tensor for name, tensor in case.inputs.items()}
    body = [f"weight of_{name}{list(factor.shape)}" for name, factor in factors.items()]
    body += [f"{name} = {name}_in .* of_{name}" for name in factors]
    return Training(
        case.family, f"{case.name}_gradient", "\n".join([*body, case.body]), renamed,
        _loss_of(case, list(factors), outputs), weights, case.outputs, small_calls(case), case.integers, case.layers,
        tolerance=case.tolerance, options=case.options,
        labels={f"of_{name}": Tensor(dimensions) for name, dimensions in outputs.items() if dimensions is not None},
        loss=" + ".join(_term(*output) for output in outputs.items()))


def _rows(y):
    return y.reshape(y.shape[0], -1)


def _loss_of(case: Case, factors: list[str], outputs: dict[str, tuple | None]) -> Callable:
    def reference(t, x, w):
        values = {name: x[f"{name}_in"] * w[f"of_{name}"] if name in factors else x[name] for name in case.inputs}
        results = case.reference(t, values, w)
        loss = 0
        for name, y in zip(case.outputs, results if isinstance(results, tuple) else (results,)):
            if name in outputs and outputs[name] is None:
                loss = loss + _rows(t.tanh(y) * y * y).mean(1)
            elif name in outputs:
                loss = loss + _rows(y * x[f"of_{name}"]).sum(1)
        return loss
    return reference
