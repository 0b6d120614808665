#!/usr/bin/env python3
"""Write train.txt and held-out.txt: surnames of sixteen languages, one a line, split once and for all.

Needs `pip install faker==40.63.0` (MIT licence; its lists of surnames, by locale, are what is extracted). Nothing else
needs it: the files are checked in.

A line is `language<TAB>name`. Names are brought to ASCII as PyTorch's tutorial on classifying names does: decomposed
(NFD), marks dropped. Letters that Unicode does not decompose are spelled out (ł is l, ß is ss), where the tutorial would
drop them; a name with any other letter is left out.

A name that several of the languages have is left out, as no answer would be right; the tutorial keeps such names. A
language gives at most 1000 names, so that none outweighs the others. What is kept of a longer list, and which names
are held out (15 %), depends on a hash of the name alone.
"""

import argparse
import collections
import hashlib
import importlib
import pathlib
import string
import unicodedata

LOCALES = {
    "Chinese": ("zh_CN", "last_romanized_names"), "Croatian": ("hr_HR", "last_names"),
    "Dutch": ("nl_NL", "last_names"), "English": ("en_GB", "last_names"),
    "Estonian": ("et_EE", "last_names_est"), "Finnish": ("fi_FI", "last_names"),
    "French": ("fr_FR", "last_names"), "German": ("de_DE", "last_names"),
    "Hungarian": ("hu_HU", "last_names"), "Indonesian": ("id_ID", "last_names"),
    "Irish": ("ga_IE", "last_names"), "Italian": ("it_IT", "last_names"),
    "Polish": ("pl_PL", "unisex_last_names"), "Slovak": ("sk_SK", "last_names"),
    "Spanish": ("es_ES", "last_names"), "Swedish": ("sv_SE", "last_names"),
}
LETTERS = frozenset(string.ascii_letters + " .,;'-")
SPELLED = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ß": "ss", "’": "'"})
MOST = 1000
HELD_OUT = 0.15


def to_ascii(name: str) -> str | None:
    """The name in the letters of LETTERS; None when it has others."""
    decomposed = unicodedata.normalize("NFD", name.translate(SPELLED))
    bare = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
    return bare if LETTERS.issuperset(bare) else None


def place(name: str) -> float:
    """Where a name lies in [0, 1): as good as random, and always the same."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def read_names() -> dict[str, set[str]]:
    """The names of each language."""
    names = {}
    for language, (locale, attribute) in LOCALES.items():
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        names[language] = {ascii for name in getattr(provider, attribute) if (ascii := to_ascii(name))}
    return names


def split(names: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """The lines of both files."""
    languages_of = collections.Counter(name for own in names.values() for name in own)
    train, held_out = [], []
    for language, own in names.items():
        kept = sorted((name for name in own if languages_of[name] == 1), key=lambda name: place("kept " + name))[:MOST]
        for name in sorted(kept):
            (held_out if place(name) < HELD_OUT else train).append(f"{language}\t{name}\n")
    return train, held_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    arguments = parser.parse_args()
    train, held_out = split(read_names())
    (arguments.output / "train.txt").write_text("".join(train))
    (arguments.output / "held-out.txt").write_text("".join(held_out))


if __name__ == "__main__":
    main()
