"""The conformance cases: one file a family of layers, each with a Family named FAMILY."""

from __future__ import annotations

import importlib

from case import Case

NAMES = ("dense", "conv", "pool", "elementwise", "norm", "reduce", "reshape", "each", "language")


def load(names: list[str] | None = None) -> dict[str, list[Case]]:
    """The cases of the families of these names, or of all."""
    unknown = set(names or ()) - set(NAMES)
    if unknown:
        raise SystemExit(f"no such family: {', '.join(sorted(unknown))} (there are {', '.join(NAMES)})")
    families = {name: importlib.import_module(f"cases.{name}").FAMILY.cases for name in names or NAMES}
    everything = [case.name for members in families.values() for case in members]
    assert len(everything) == len(set(everything)), "two cases have one name"
    return families
