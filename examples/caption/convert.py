#!/usr/bin/env python3
"""Write data sets for nnc-train: pictures of one to five digits, and their captions.

caption-train.safetensors, caption-held-out.safetensors
  picture      12 by 48 grey levels, 0 (paper) to 16 (ink)
  label        FIRST + digit for each digit, then END; START is what the decoder reads before the first word
  L.lengths    how many words each caption has, END included

The pictures of either are made of other digits than those of the other. Needs nothing but Python.
"""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "digits")]
import datasets  # noqa: E402
import scenes  # noqa: E402

START, END, FIRST = 0, 1, 2
WORDS = "zero one two three four five six seven eight nine".split()
TRAIN, HELD_OUT = 40_000, 1_000
TRAIN_SEED, HELD_OUT_SEED = 1, 2


def make_rows(digits: list[scenes.Digit], count: int, seed: int) -> list[scenes.Row]:
    draws = scenes.Draws(seed)
    return [scenes.make_row(digits, draws) for _ in range(count)]


def held_out_rows() -> list[scenes.Row]:
    return make_rows(scenes.load()[1], HELD_OUT, HELD_OUT_SEED)


def tensors(rows: list[scenes.Row]) -> dict[str, datasets.Tensor]:
    pixels = b"".join(line for row in rows for line in row.picture)
    labels = [[FIRST + label for label in row.labels] + [END] for row in rows]
    return {"picture": datasets.tensor("U8", [len(rows), scenes.ROW_HEIGHT, scenes.ROW_WIDTH, 1], pixels),
            "label": datasets.steps(labels), "L.lengths": datasets.lengths(labels)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    train = make_rows(scenes.load()[0], TRAIN, TRAIN_SEED)
    datasets.write(arguments.output / "caption-train.safetensors", tensors(train))
    datasets.write(arguments.output / "caption-held-out.safetensors", tensors(held_out_rows()))


if __name__ == "__main__":
    main()
