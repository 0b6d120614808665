#!/usr/bin/env python3
"""Write data sets for nnc-train: films of a digit that stands or moves, and what it does in each frame.

film-train.safetensors, film-held-out.safetensors
  frame        16 by 16 grey levels, 0 (paper) to 16 (ink), for each frame
  label        what the digit has done since the frame before, numbered as in ACTIONS
  T.lengths    how many frames each film has, 8 to 24

The films of either show other digits than those of the other. Needs nothing but Python.
"""

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "digits")]
import datasets  # noqa: E402
import scenes  # noqa: E402

ACTIONS = ("stands", "moves left", "moves right", "moves up", "moves down")
TRAIN, HELD_OUT = 4_000, 500
TRAIN_SEED, HELD_OUT_SEED = 1, 2


def make_films(digits: list[scenes.Digit], count: int, seed: int) -> list[scenes.Film]:
    draws = scenes.Draws(seed)
    return [scenes.make_film(digits, draws) for _ in range(count)]


def held_out_films() -> list[scenes.Film]:
    return make_films(scenes.load()[1], HELD_OUT, HELD_OUT_SEED)


def tensors(films: list[scenes.Film]) -> dict[str, datasets.Tensor]:
    actions = [film.actions for film in films]
    pixels = b"".join(line for film in films for frame in film.frames for line in frame)
    size = scenes.FRAME_SIZE
    return {"frame": datasets.tensor("U8", [sum(map(len, actions)), size, size, 1], pixels),
            "label": datasets.steps(actions), "T.lengths": datasets.lengths(actions)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    train = make_films(scenes.load()[0], TRAIN, TRAIN_SEED)
    datasets.write(arguments.output / "film-train.safetensors", tensors(train))
    datasets.write(arguments.output / "film-held-out.safetensors", tensors(held_out_films()))


if __name__ == "__main__":
    main()
