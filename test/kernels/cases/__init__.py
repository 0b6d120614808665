"""Cases by family: each file has a list CASES."""

import importlib
import pathlib


def load(names: list[str]) -> dict:
    found = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return {name: importlib.import_module(f"cases.{name}").CASES for name in names or found}
