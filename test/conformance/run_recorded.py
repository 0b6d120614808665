#!/usr/bin/env python3
"""Train small networks that were compiled with -gradient-stats and compare what the library records with PyTorch.

    run_recorded.py [-k TEXT]

Norms of errors must be within 1e-5 of float64's, shares equal. With two threads the bits are the same. An element that
is not finite must be found where it is, and training go on as without the option. Prints one line a case and, last,
"N passed, N failed".
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

import gradients
import sanitizer
from harness import Mismatch, Target, argument_parser, on_each_isa, run_families
from library import Failure, Model, Network, Runtime, StatisticsContext
from recorded import RECORDED, Recorded
from truncation import MAX_BATCH, MAX_STEPS, Sequences

TOLERANCE, NUMERIC, INVALID = 1e-5, 10, 1


def arguments_of(case: Recorded, number: int, call: Sequences, outputs: list[np.ndarray]) -> tuple:
    """What a call of the library takes. Past an example's end is what must not matter."""
    values = case.call_values(number, call)
    for name, array in values.items():
        if "T" in case.inputs[name].shape:
            for example in range(call.batch):
                array[example, call.length(example):] = np.nan if array.dtype == np.float32 else -1
    lengths = [call.steps] if case.has_time else []
    ragged = [np.array(call.ragged, np.int32) if call.ragged else None] if lengths else []
    return call.batch, lengths, ragged, [*values.values(), *outputs]


def layers_of(context: StatisticsContext) -> dict[str, object]:
    """What was recorded, by layer, operation and which of several it is."""
    layers, counts = {}, {}
    for layer in context.layers():
        name = f"{layer.layer.decode()}/{layer.operation.decode()}"
        layers[f"{name}/{counts.get(name, 0)}"] = layer
        counts[name] = counts.get(name, 0) + 1
    return layers


def record(case: Recorded, network: Network, isa: str, forbidden: bool) -> dict[str, np.ndarray]:
    """See recorded.record."""
    model = Model(network, isa)
    for name, values in case.weight_values().items():
        model.write(name, values)
    context = StatisticsContext(model, max(MAX_BATCH, max(call.batch for call in case.calls)),
                                [MAX_STEPS] if case.has_time else [])
    results, loss = {}, np.zeros(1, np.float32)
    for number, call in enumerate(case.calls):
        arguments = arguments_of(case, number, call, [loss])
        if forbidden:
            sanitizer.forbid_last(arguments[3][0])
        context.gradients(*arguments)
        for key, layer in layers_of(context).items():
            results |= {f"{number}/{kind} {key}": np.array(value, np.float32) for kind, value in
                        (("error", layer.error), ("saturated", layer.saturated), ("dead", layer.dead))}
            if layer.not_finite:
                raise Mismatch(f"{key}: {layer.not_finite} elements are not finite, in call {number}")
        for step in case.loss_steps(call) if case.states else []:
            norms = [np.full(call.steps, np.nan, np.float32) for _ in case.states]
            context.flow(*arguments_of(case, number, call, [np.array([step], np.int32), loss, *norms]))
            results |= {f"{number}/flow {step} {state}": own for state, own in zip(case.states, norms)}
    find_infinite(case, context)
    check_steps(case, context)
    context.close()
    model.close()
    return results


def find_infinite(case: Recorded, context: StatisticsContext) -> None:
    """An input that is not finite comes before all that follows from it."""
    call, loss = case.calls[1], np.zeros(1, np.float32)
    arguments = arguments_of(case, 1, call, [loss])
    arguments[3][0][0, ..., 1] = np.inf
    try:
        context.gradients(*arguments)
    except Failure as failure:
        if failure.status != NUMERIC or "the first value that is not finite is of input" not in str(failure):
            raise Mismatch(f"an infinite input gave: {failure}") from None
    found = context.first_not_finite()
    name = next(iter(case.inputs))
    if found is None or (found.layer.decode(), found.operation) != (name, b"input"):
        raise Mismatch(f"an infinite {name} was found in {found and (found.layer, found.operation, found.source)}")
    context.gradients(*arguments_of(case, 1, call, [loss]))
    if context.first_not_finite() is not None:
        raise Mismatch("what was infinite in another call is found")


def check_steps(case: Recorded, context: StatisticsContext) -> None:
    """Steps that the call has not, and of losses that have none."""
    call, loss = case.calls[0], np.zeros(1, np.float32)
    norms = [np.zeros(call.steps, np.float32) for _ in case.states]
    for step in (-2, call.steps) if case.mean or case.sum else (-2, 0):
        try:
            context.flow(*arguments_of(case, 0, call, [np.array([step], np.int32), loss, *norms]))
        except Failure as failure:
            if failure.status == INVALID and f"loss_step is {step}" in str(failure):
                continue
        raise Mismatch(f"a loss_step of {step} was taken")


def run_isa(case: Recorded, runtime: Runtime, network: Network, isa: str, forbidden: bool) -> str:
    runtime.set_threads(1)
    got = record(case, network, isa, forbidden)
    worst = 0.0
    for name, wanted in gradients.load("recorded").items():
        if not name.startswith(f"{case.name}/"):
            continue
        key = name.removeprefix(f"{case.name}/")
        if case.name == "recorded_windows" and "flow" not in key:
            continue
        if key not in got:
            raise Mismatch(f"{key} is not recorded")
        # A share is one of few numbers; an error that vanishes is rounding.
        distance = wanted.distance(name, got[key], unit=max(wanted.norm, 1e-3))
        if not distance <= TOLERANCE:
            raise Mismatch(f"{key} is {got[key]}, not {wanted.numbers}")
        worst = max(worst, distance)
    runtime.set_threads(2)
    for key, values in record(case, network, isa, forbidden).items():
        if values.tobytes() != got[key].tobytes():
            raise Mismatch(f"other bits of {key} with two threads")
    return f"{worst:.0e}"


def run_case(case: Recorded, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str], forbidden: bool) -> str:
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    return on_each_isa(isas, lambda isa: run_isa(case, runtime, network, isa, forbidden))


if __name__ == "__main__":
    Target.options = ["-gradient-stats"]
    sys.exit(run_families(argument_parser(__doc__).parse_args(), {"recorded": list(RECORDED)}, run_case))
