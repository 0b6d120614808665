#!/usr/bin/env python3
"""Write data sets for nnc-train: some pictures of digits each, and their stories.

story-train.safetensors, story-held-out.safetensors
  picture      8 by 8 grey levels, 0 (paper) to 16 (ink), for each picture
  S.lengths    how many pictures each story has, 2 to 6
  label        a sentence for each picture: LONGEST words, numbered as in WORDS; behind END, START
  L.lengths    LONGEST

A story is "first three", "then seven four more", "then seven again", "last five two less". The pictures of either are
others than those of the other. Needs nothing but Python.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "digits")]
import datasets  # noqa: E402
import scenes  # noqa: E402

START, END = 0, 1
NUMBERS = "zero one two three four five six seven eight nine".split()
WORDS = ["<start>", "<end>", *NUMBERS, "first", "then", "last", "again", "more", "less"]
LONGEST = 5  # words, END included
TRAIN, HELD_OUT = 12_000, 500


def tell(labels: list[int]) -> list[list[str]]:
    """A sentence for each picture."""
    sentences = []
    for i, label in enumerate(labels):
        sentence = ["first" if i == 0 else "last" if i == len(labels) - 1 else "then", NUMBERS[label]]
        difference = label - labels[i - 1] if i else None
        if difference == 0:
            sentence.append("again")
        elif difference:
            sentence += [NUMBERS[abs(difference)], "more" if difference > 0 else "less"]
        sentences.append(sentence)
    return sentences


def make_albums(part: str) -> list[list[scenes.Digit]]:
    return scenes.make_many(part, scenes.make_album, TRAIN, HELD_OUT)


def tensors(part: str) -> dict[str, datasets.Tensor]:
    albums = make_albums(part)
    words = []
    for album in albums:
        sentences = [[WORDS.index(word) for word in sentence] for sentence in tell([digit.label for digit in album])]
        words.append([word for own in sentences for word in own + [END] + [START] * (LONGEST - len(own) - 1)])
    count = sum(map(len, albums))
    return {"picture": datasets.tensor("U8", [count, scenes.SIZE, scenes.SIZE, 1],
                                       b"".join(digit.pixels for album in albums for digit in album)),
            "S.lengths": datasets.lengths(albums), "label": datasets.steps(words),
            "L.lengths": datasets.classes([LONGEST] * len(albums))}


if __name__ == "__main__":
    datasets.command(__doc__, {"story": tensors})
