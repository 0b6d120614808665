#!/usr/bin/env python3
"""Write names-train.safetensors and names-held-out.safetensors for nnc-train: letters -> language.

  name      the letters of each name, numbered as in LETTERS
  T.lengths how many letters each has
  language  the language, numbered as in LANGUAGES

Needs nothing but Python. examples/char-rnn/names.c numbers letters and languages alike.
"""

import pathlib
import string
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import datasets  # noqa: E402

LETTERS = string.ascii_lowercase + string.ascii_uppercase + " .,;'-"
LANGUAGES = ("Chinese", "Croatian", "Dutch", "English", "Estonian", "Finnish", "French", "German", "Hungarian",
             "Indonesian", "Irish", "Italian", "Polish", "Slovak", "Spanish", "Swedish")


def convert(part: str) -> dict[str, datasets.Tensor]:
    lines = [line.split("\t") for line in (HERE / f"{part}.txt").read_text().splitlines()]
    names = [[LETTERS.index(letter) for letter in name] for _, name in lines]
    return {
        "name": datasets.steps(names),
        "T.lengths": datasets.lengths(names),
        "language": datasets.classes([LANGUAGES.index(language) for language, _ in lines]),
    }


if __name__ == "__main__":
    datasets.command(__doc__, {"names": convert})
