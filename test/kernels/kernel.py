"""What a test of kernels is made of: a function of the nn dialect, its arguments, what numpy says it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Case:
    """One function @infer, with the arguments of one call and the results that are wanted.

    `in_place` says which argument's memory a result takes, by their numbers. Without a tolerance results are the
    same numbers; else they are within that share of the largest one.
    """

    name: str
    text: str
    arguments: list[np.ndarray]
    results: list[np.ndarray]
    batch: int = 1
    lengths: dict[str, int] = field(default_factory=dict)
    ragged: dict[str, list[int]] = field(default_factory=dict)
    in_place: dict[int, int] = field(default_factory=dict)
    tolerance: float = 2e-6


def tensor(*dims: int | str, element: str = "f32", panel: tuple[int, int] | None = None) -> str:
    """A type; names are dynamic dimensions. `panel` is the dimension that lies in panels, and their width."""
    shape = "".join(f"{'?' if isinstance(dim, str) else dim}x" for dim in dims)
    names = ", ".join(f'"{dim}"' for dim in dims if isinstance(dim, str))
    encoding = f", #nn.dims<{names}>" if names else ""
    if panel:
        encoding = f", #nn.panel<dim = {panel[0]}, width = {panel[1]}>"
    return f"tensor<{shape}{element}{encoding}>"


def function(arguments: dict[str, str], body: str, results: dict[str, str], lengths: dict[str, str] | None = None,
             declarations: str = "") -> str:
    """@infer with named arguments, the lengths of free dimensions behind them, and the values that it returns.
    Results of the body's ops whose type is left out are inferred."""
    given = [f'%{name}: {kind} {{nn.name = "{name}"}}' for name, kind in arguments.items()]
    given += [f'%{name}: {tensor("batch", element="i32")} {{nn.lengths = "{dim}"}}'
              for name, dim in (lengths or {}).items()]
    kinds = ", ".join(f'{kind} {{nn.name = "{name}"}}' for name, kind in results.items())
    values = ", ".join(f"%{name}" for name in results)
    return (f"{declarations}\nfunc.func @infer({', '.join(given)}) -> ({kinds}) {{\n{body}\n"
            f"return {values} : {', '.join(results.values())}\n}}\n")


def randoms(seed: int, *shape: int) -> np.ndarray:
    """Numbers as a network has them: normal, around 0."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def classes(seed: int, count: int, *shape: int) -> np.ndarray:
    """Classes below `count`."""
    return np.random.default_rng(seed).integers(0, count, shape).astype(np.int32)
