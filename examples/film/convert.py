#!/usr/bin/env python3
"""Write data sets for nnc-train: films of a digit that stands or moves, and what it does in each frame.

film-train.safetensors, film-held-out.safetensors
  frame        16 by 16 grey levels, 0 (paper) to 16 (ink), for each frame
  label        what the digit has done since the frame before, numbered as in ACTIONS
  T.lengths    how many frames each film has, 8 to 24

The films of either show other digits than those of the other. Needs nothing but Python.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "digits")]
import datasets  # noqa: E402
import scenes  # noqa: E402

ACTIONS = ("stands", "moves left", "moves right", "moves up", "moves down")
TRAIN, HELD_OUT = 4_000, 500


def make_films(part: str) -> list[scenes.Film]:
    return scenes.make_many(part, scenes.make_film, TRAIN, HELD_OUT)


def tensors(part: str) -> dict[str, datasets.Tensor]:
    films = make_films(part)
    actions = [film.actions for film in films]
    pixels = b"".join(line for film in films for frame in film.frames for line in frame)
    size = scenes.FRAME_SIZE
    return {"frame": datasets.tensor("U8", [sum(map(len, actions)), size, size, 1], pixels),
            "label": datasets.steps(actions), "T.lengths": datasets.lengths(actions)}


if __name__ == "__main__":
    datasets.command(__doc__, {"film": tensors})
