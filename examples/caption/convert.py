#!/usr/bin/env python3
"""Write data sets for nnc-train: pictures of one to five digits, and their captions.

caption-train.safetensors, caption-held-out.safetensors
  picture      12 by 48 grey levels, 0 (paper) to 16 (ink)
  label        FIRST + digit for each digit, then END; START is what the decoder reads before the first word
  L.lengths    how many words each caption has, END included

The pictures of either are made of other digits than those of the other. Needs nothing but Python.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "digits")]
import datasets  # noqa: E402
import scenes  # noqa: E402

START, END, FIRST = 0, 1, 2
WORDS = "zero one two three four five six seven eight nine".split()
TRAIN, HELD_OUT = 40_000, 1_000


def make_rows(part: str) -> list[scenes.Row]:
    return scenes.make_many(part, scenes.make_row, TRAIN, HELD_OUT)


def tensors(part: str) -> dict[str, datasets.Tensor]:
    rows = make_rows(part)
    pixels = b"".join(line for row in rows for line in row.picture)
    labels = [[FIRST + label for label in row.labels] + [END] for row in rows]
    return {"picture": datasets.tensor("U8", [len(rows), scenes.ROW_HEIGHT, scenes.ROW_WIDTH, 1], pixels),
            "label": datasets.steps(labels), "L.lengths": datasets.lengths(labels)}


if __name__ == "__main__":
    datasets.command(__doc__, {"caption": tensors})
