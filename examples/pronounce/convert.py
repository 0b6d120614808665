#!/usr/bin/env python3
"""Write data sets for nnc-train from train.txt and held-out.txt.

stress-train.safetensors, stress-held-out.safetensors: sounds -> the stress of each sound
  sound        39 sounds, numbered as in SOUNDS
  stress       0 none (all consonants, and vowels without stress), 1 primary, 2 secondary
  T.lengths    how many sounds each word has

pronounce-train.safetensors, pronounce-held-out.safetensors: letters -> sounds
  letter       a to z are 0 to 25
  S.lengths    how many letters each word has
  label        FIRST_SOUND + sound, then END; START is what the decoder reads before the first sound
  L.lengths    how many sounds each word has, END included

Needs nothing but Python.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import datasets  # noqa: E402

SOUNDS = ("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z "
          "ZH").split()
START, END, FIRST_SOUND = 0, 1, 2


def read(part: str) -> list[tuple[str, list[int], list[int]]]:
    """Each word, its sounds and their stress."""
    words = []
    for line in (HERE / f"{part}.txt").read_text().splitlines():
        word, sounds = line.split("\t")
        bare = [sound.rstrip("012") for sound in sounds.split()]
        stress = [int(sound[-1]) if sound[-1] in "012" else 0 for sound in sounds.split()]
        words.append((word, [SOUNDS.index(sound) for sound in bare], stress))
    return words


def to_stress(part: str) -> dict[str, datasets.Tensor]:
    words = read(part)
    sounds, stress = [own for _, own, _ in words], [own for _, _, own in words]
    return {"sound": datasets.steps(sounds), "stress": datasets.steps(stress), "T.lengths": datasets.lengths(sounds)}


def to_pronounce(part: str) -> dict[str, datasets.Tensor]:
    words = read(part)
    letters = [[ord(letter) - ord("a") for letter in word] for word, _, _ in words]
    labels = [[FIRST_SOUND + sound for sound in own] + [END] for _, own, _ in words]
    return {
        "letter": datasets.steps(letters), "S.lengths": datasets.lengths(letters),
        "label": datasets.steps(labels), "L.lengths": datasets.lengths(labels),
    }


if __name__ == "__main__":
    datasets.command(__doc__, {"stress": to_stress, "pronounce": to_pronounce})
