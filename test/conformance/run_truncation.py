#!/usr/bin/env python3
"""Train small recurrent networks with truncated back-propagation and compare with PyTorch, which does the same window
by window.

    run_truncation.py [-k TEXT]

The weights after all calls must be within 1e-5 of float64's, relative to their norm, and so must each call's loss and
the gradients without updates. With two threads, and in a context that has room for no more than the call's steps, the
bits are the same. Prints one line a case and, last, "N passed, N failed".
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

import sanitizer
import trained
from harness import argument_parser, run_families
from library import Model, Network, TrainingContext
from truncation import CALLS, MAX_BATCH, MAX_STEPS, TRUNCATIONS, Sequences, Truncation


def arguments_of(case: Truncation, number: int, call: Sequences, loss: np.ndarray) -> tuple:
    """What a call of the library takes. Past an example's end is what must not matter."""
    values = case.call_values(number, call)
    for name, array in values.items():
        if "T" in case.inputs[name].shape:
            for example in range(call.batch):
                array[example, call.length(example):] = np.nan if array.dtype == np.float32 else -1
    ragged = [np.array(call.ragged, np.int32) if call.ragged else None]
    return call.batch, [call.steps], ragged, [*values.values(), loss]


def train(case: Truncation, network: Network, isa: str, max_steps: int, forbidden: bool) -> dict[str, np.ndarray]:
    """See truncation.train."""
    model = Model(network, isa)
    for name, values in case.weight_values().items():
        model.write(name, values)
    context = TrainingContext(model, MAX_BATCH, [max_steps])
    losses = np.full(len(CALLS), np.nan, np.float32)
    for number in (0, 2):
        batch, lengths, ragged, arguments = arguments_of(case, number, CALLS[number], losses[:1])
        if forbidden:
            sanitizer.forbid_last(arguments[0])
        context.gradients(batch, lengths, ragged, arguments, accumulate=number > 0)
    results = {f"gradient {name}": context.gradient(name, tensor.shape) for name, tensor in case.weights.items()}
    for number, call in enumerate(CALLS):
        context.step(*arguments_of(case, number, call, losses[number:number + 1]))
    results |= {name: model.read(name, tensor.shape) for name, tensor in case.weights.items()}
    context.close()
    model.close()
    return {"loss": losses, **results}


def run_case(case: Truncation, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str],
             forbidden: bool) -> str:
    longest = max(call.steps for call in CALLS)
    return trained.run_case(
        case, "truncation", runtime_path, folder, isas,
        lambda network, isa, again: train(case, network, isa, longest if again else MAX_STEPS, forbidden))


if __name__ == "__main__":
    sys.exit(run_families(argument_parser(__doc__).parse_args(), {"truncation": list(TRUNCATIONS)}, run_case))
