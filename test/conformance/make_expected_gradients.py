#!/usr/bin/env python3
"""Compute with PyTorch, in float64 and in float32, what every training case is expected to give, and write it to
expected/. Needs PyTorch; run it after make_expected.py when cases are added or changed:

    make_expected_gradients.py [FAMILY...]
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import cases
import gradients
import optimizers
import recorded
import truncation
from case import Call
from make_expected import cut
from training import Training


def as_tensors(values: dict[str, np.ndarray], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value).to(dtype if value.dtype == np.float32 else torch.int64)
            for name, value in values.items()}


def losses(case: Training, call: Call, w: dict[str, torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """The loss of each example [batch]."""
    values = case.input_values(call)
    if not call.ragged:
        return case.reference(torch, as_tensors(values, dtype), w)
    if case.together:
        lengths = {"lengths": torch.tensor(next(iter(call.ragged.values())))}
        return case.reference(torch, as_tensors(values, dtype) | lengths, w)
    return torch.cat([case.reference(torch, as_tensors(cut(case, call, values, example), dtype), w)
                      for example in range(call.batch)])


def evaluate(case: Training, call: Call, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """The batch's loss and gradients, and what running statistics become, by name."""
    w = as_tensors(case.weight_values(), dtype)
    for name in case.trained:
        w[name].requires_grad_()
    loss = losses(case, call, w, dtype)
    assert loss.shape == (call.batch,), f"{case.name}: the loss of {call.name} has shape {tuple(loss.shape)}"
    loss = loss.mean()
    trained = [w[name] for name in case.trained]
    loss = loss + 0 * sum(weight.sum() for weight in trained)  # a loss that no weight reaches has gradients, too: 0
    found = torch.autograd.grad(loss, trained)
    results = {"loss": loss.detach(), **dict(zip(case.trained, found))}
    results |= {name: w[name] for name in case.statistics}
    return {name: value.numpy() for name, value in results.items()}


def make_optimizers() -> None:
    values = {}
    for case in optimizers.OPTIMIZERS:
        (exact, losses), (single, single_losses) = (optimizers.train(torch, case, dtype)
                                                    for dtype in (torch.float64, torch.float32))
        pairs = {"loss": (np.array(losses), np.array(single_losses)), **{name: (exact[name], single[name]) for name in exact}}
        values |= {f"{case.name}/{name}": gradients.summarize(f"{case.name}/{name}", *both) for name, both in pairs.items()}
    gradients.save("optimizers", values)
    print(f"optimizers: {len(optimizers.OPTIMIZERS)} cases, {len(values)} tensors")


def make_truncation() -> None:
    values = {}
    for case in truncation.TRUNCATIONS:
        exact, single = (truncation.train(torch, case, dtype) for dtype in (torch.float64, torch.float32))
        values |= {f"{case.name}/{name}": gradients.summarize(f"{case.name}/{name}", exact[name], single[name])
                   for name in exact}
    gradients.save("truncation", values)
    print(f"truncation: {len(truncation.TRUNCATIONS)} cases, {len(values)} tensors")


def make_recorded() -> None:
    values = {}
    for case in recorded.RECORDED:
        exact, single = (recorded.record(torch, case, dtype) for dtype in (torch.float64, torch.float32))
        values |= {f"{case.name}/{name}": gradients.summarize(f"{case.name}/{name}", exact[name], single[name])
                   for name in exact}
    gradients.save("recorded", values)
    print(f"recorded: {len(recorded.RECORDED)} cases, {len(values)} tensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="files of cases/, optimizers, truncation or recorded (all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.families or "optimizers" in arguments.families:
        make_optimizers()
    if not arguments.families or "truncation" in arguments.families:
        make_truncation()
    if not arguments.families or "recorded" in arguments.families:
        make_recorded()
    families = [name for name in arguments.families if name not in ("optimizers", "truncation", "recorded")]
    if arguments.families and not families:
        return
    for family, members in cases.load_training(families).items():
        values = {}
        for case in members:
            for call in case.calls:
                exact, single = (evaluate(case, call, dtype) for dtype in (torch.float64, torch.float32))
                key = f"{case.name}/{call.name}/"
                values |= {key + name: gradients.summarize(key + name, exact[name], single[name]) for name in exact}
                flat = [value for name, value in exact.items() if name in case.trained]
                assert all(np.isfinite(value).all() for value in exact.values()), f"{key}: not finite"
                if not any(value.any() for value in flat):
                    print(f"{key}: every gradient is 0")
        gradients.save(f"{family}_gradients", values)
        size = (gradients.FOLDER / f"{family}_gradients.npz").stat().st_size
        print(f"{family}: {len(members)} cases, {len(values)} tensors, {size // 1024} KiB", flush=True)


if __name__ == "__main__":
    main()
