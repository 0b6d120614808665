#!/usr/bin/env python3
"""Compute with PyTorch, in float64, what every conformance case is expected to give, and write it to expected/.

Needs PyTorch, unlike everything else here. Run it when cases are added or changed:

    make_expected.py [FAMILY...]
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import cases
import expected
from case import Call, Case


def as_tensors(values: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """float32 -> float64, int32 -> int64."""
    return {name: torch.from_numpy(value.astype(np.float64 if value.dtype == np.float32 else np.int64))
            for name, value in values.items()}


def evaluate(case: Case, x: dict[str, np.ndarray], lengths: dict[str, int]) -> list[np.ndarray]:
    """All outputs of one call whose examples have the same length."""
    with torch.inference_mode():
        result = case.reference(torch, as_tensors(x) | {name: lengths[name] for name in case.dimensions},
                                as_tensors(case.weight_values()))
    result = result if isinstance(result, tuple) else (result,)
    assert len(result) == len(case.outputs), f"{case.name}: {len(result)} results"
    return [value.numpy() for value in result]


def cut(case: Case, call: Call, values: dict[str, np.ndarray], example: int) -> dict[str, np.ndarray]:
    """The inputs of one example alone, each free dimension at its own length."""
    alone = {}
    for name, value in values.items():
        region = [slice(example, example + 1)]
        for extent in case.arguments[name].shape:
            own = call.ragged.get(extent, {})
            region.append(slice(0, own[example]) if own else slice(None))
        alone[name] = value[tuple(region)]
    return alone


def evaluate_call(case: Case, call: Call) -> tuple[list[np.ndarray], list[list[tuple[int, ...]]]]:
    """All outputs of a call. A ragged one is each example alone, with 0 after its own end; for it, also the shape of
    each example's own output."""
    values = case.input_values(call)
    whole = evaluate(case, values, call.lengths)
    own_shapes = [[] for _ in whole]
    if not call.ragged:
        return whole, own_shapes
    outputs = [np.zeros_like(value) for value in whole]
    for example in range(call.batch):
        own_lengths = {name: call.ragged[name][example] if name in call.ragged else length
                       for name, length in call.lengths.items()}
        alone = evaluate(case, cut(case, call, values, example), own_lengths)
        for output, own, shapes in zip(outputs, alone, own_shapes):
            output[(example, *map(slice, own.shape[1:]))] = own[0]
            shapes.append(own.shape[1:])
    return outputs, own_shapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="files of cases/ (all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for family, members in cases.load(arguments.families).items():
        outputs = {}
        for case in members:
            for call in case.calls:
                for name, value, own_shapes in zip(case.outputs, *evaluate_call(case, call)):
                    key = f"{case.name}/{call.name}/{name}"
                    outputs[key] = expected.summarize(key, value, own_shapes)
        expected.save(family, outputs)
        size = (expected.FOLDER / f"{family}.npz").stat().st_size
        print(f"{family}: {len(members)} cases, {len(outputs)} outputs, {size // 1024} KiB")


if __name__ == "__main__":
    main()
