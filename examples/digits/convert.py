#!/usr/bin/env python3
"""Write data sets for nnc-train from digits.bin; extract.py says what is in that.

mlp-train.safetensors, mlp-held-out.safetensors:
  x      [examples][64]          grey levels in [0, 1]
  label  [examples]              0 to 9
lenet5-train.safetensors, lenet5-held-out.safetensors:
  image  [examples][32][32][1]   the same, interpolated as upsampleDigit in digits.c does
  label  [examples]

Needs nothing but Python.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import datasets  # noqa: E402
import scenes


def places() -> list[tuple[int, int, int]]:
    """For each of 32 pixels the two of 8 that it lies between, and how far on, in eighths."""
    clipped = [min(max(2 * i - 3, 0), 56) for i in range(32)]
    return [(at // 8, min(at // 8 + 1, 7), at % 8) for at in clipped]


def upsample(grey: bytes) -> list[float]:
    """32 x 32 values in [0, 1], from 8 x 8 grey levels up to 16."""
    across = places()
    rows = [[(8 - part) * grey[8 * y + near] + part * grey[8 * y + far] for near, far, part in across]
            for y in range(8)]
    return [((8 - part) * rows[near][x] + part * rows[far][x]) / 1024 for near, far, part in across
            for x in range(32)]


def to_mlp(part: str) -> dict[str, datasets.Tensor]:
    digits = scenes.load(part)
    grey = [level / 16 for digit in digits for level in digit.pixels]
    return {"x": datasets.tensor("F32", [len(digits), 64], grey),
            "label": datasets.classes([digit.label for digit in digits])}


def to_lenet5(part: str) -> dict[str, datasets.Tensor]:
    digits = scenes.load(part)
    large = [value for digit in digits for value in upsample(digit.pixels)]
    return {"image": datasets.tensor("F32", [len(digits), 32, 32, 1], large),
            "label": datasets.classes([digit.label for digit in digits])}


if __name__ == "__main__":
    datasets.command(__doc__, {"mlp": to_mlp, "lenet5": to_lenet5})
