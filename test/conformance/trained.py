"""What the programs have in common that train a case and compare the weights afterwards with PyTorch's in float64."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np

import gradients
from case import Case
from harness import Mismatch, on_each_isa
from library import Network, Runtime

# Trains anew on a network with an instruction set; gives losses and weights. The second time the context may be another.
Train = Callable[[Network, str, bool], dict[str, np.ndarray]]


def run_isa(case: Case, runtime: Runtime, network: Network, wanted: dict[str, gradients.Expected], isa: str,
            train: Train) -> str:
    runtime.set_threads(1)
    got = train(network, isa, False)
    worst = 0.0
    for name, values in got.items():
        distance = wanted[f"{case.name}/{name}"].distance(f"{case.name}/{name}", values)
        if not distance <= gradients.BAR:
            raise Mismatch(f"{name} is {distance:.1e} off after training")
        worst = max(worst, distance)
    runtime.set_threads(2)
    for name, values in train(network, isa, True).items():
        if values.tobytes() != got[name].tobytes():
            raise Mismatch(f"other bits of {name} with two threads")
    return f"{worst:.0e}"


def run_case(case: Case, expected: str, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str],
             train: Train) -> str:
    """Runs one case, whose values are in <expected>.npz; gives a remark for its line, raises when it is wrong."""
    wanted = gradients.load(expected)
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    return on_each_isa(isas, lambda isa: run_isa(case, runtime, network, wanted, isa, train))
