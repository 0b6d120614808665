#!/usr/bin/env python3
"""Train a small network for some steps with every optimizer and compare its weights with those of PyTorch's.

    run_optimizers.py [-k TEXT] [--sanitize]

The weights after the last step must be within 1e-5 of float64's, relative to their norm, and so must each step's loss.
With two threads the bits are the same. --sanitize does what it does to run.py. Prints one line an optimizer and, last,
"N passed, N failed".
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

import sanitizer
import trained
from harness import argument_parser, handed_over, run_families
from library import Model, Network, TrainingContext
from optimizers import BATCH, OPTIMIZERS, STEPS, STEPS_OF_EPOCH, WEIGHTS, Optimizer


def train(case: Optimizer, network: Network, isa: str, forbidden: bool) -> dict[str, np.ndarray]:
    """The weights after all steps, and under "loss" the loss of each step."""
    model = Model(network, isa)
    for name, values in case.weight_values().items():
        model.write(name, values)
    context = TrainingContext(model, BATCH, [])
    losses = np.full(STEPS, np.nan, np.float32)
    for step in range(STEPS):
        context.set_epoch(step // STEPS_OF_EPOCH)
        losses[step] = take_step(case, context, case.step_values(step), forbidden)
    results = {name: model.read(name, tensor.shape) for name, tensor in WEIGHTS.items()}
    context.close()
    model.close()
    return {"loss": losses, **results}


def take_step(case: Optimizer, context: TrainingContext, values: dict[str, np.ndarray], forbidden: bool) -> float:
    """A step, whose batch may come in parts of different sizes; gives its loss."""
    total, begin = 0.0, 0
    for part in range(case.calls):
        end = BATCH if part == case.calls - 1 else begin + 1 + part
        loss = handed_over(np.full(1, np.nan, np.float32))
        arguments = [*(handed_over(values[name][begin:end]) for name in ("x", "label")), loss]
        if forbidden:
            sanitizer.forbid_last(arguments[0])
        if case.calls == 1:
            context.step(BATCH, [], [], arguments)
        else:
            context.gradients(end - begin, [], [], arguments, accumulate=part > 0)
        total += float(loss[0]) * (1 if case.reduce_sum else (end - begin) / BATCH)
        begin = end
    if case.calls > 1:
        context.update()
    return total


def run_case(case: Optimizer, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str],
             forbidden: bool) -> str:
    return trained.run_case(case, "optimizers", runtime_path, folder, isas,
                            lambda network, isa, again: train(case, network, isa, forbidden))


if __name__ == "__main__":
    sys.exit(run_families(argument_parser(__doc__).parse_args(), {"optimizers": list(OPTIMIZERS)}, run_case))
