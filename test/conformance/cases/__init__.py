"""The conformance cases: one file a family of layers, each with a Family named FAMILY."""

from __future__ import annotations

import importlib

import expected
from case import Case
from training import Training, from_forward

NAMES = ("dense", "conv", "pool", "elementwise", "norm", "reduce", "reshape", "each", "decode", "language")
TRAINING = ("losses", "recurrence", "batch", "random")


def load(names: list[str] | None = None) -> dict[str, list[Case]]:
    """The cases of the families of these names, or of all."""
    unknown = set(names or ()) - set(NAMES)
    if unknown:
        raise SystemExit(f"no such family: {', '.join(sorted(unknown))} (there are {', '.join(NAMES)})")
    families = {name: importlib.import_module(f"cases.{name}").FAMILY.cases for name in names or NAMES}
    everything = [case.name for members in families.values() for case in members]
    assert len(everything) == len(set(everything)), "two cases have one name"
    return families


def load_training(names: list[str] | None = None) -> dict[str, list[Training]]:
    """The training cases of the families of these names, or of all: those made from the forward direction, and those
    that are about training alone."""
    derived = tuple(name for name in NAMES if name != "decode")  # words that are chosen have no derivative
    unknown = set(names or ()) - {*derived, *TRAINING}
    if unknown:
        raise SystemExit(f"no such family: {', '.join(sorted(unknown))} (there are {', '.join(derived + TRAINING)})")
    families = {}
    for name in names or derived + TRAINING:
        members = importlib.import_module(f"cases.{name}").FAMILY.cases
        if name in derived:
            shapes = {key: output.shape for key, output in expected.load(name).items()}
            members = [made for case in members if (made := from_forward(case, shapes))]
        families[name] = members
    return families
