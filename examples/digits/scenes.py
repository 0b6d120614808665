"""Scenes that are made of handwritten digits, exactly as scenes.c makes them. Needs nothing but Python.

A scene's numbers come from one generator, so that its seed is all that says which it is. Pictures are rows of grey levels,
0 (paper) to 16 (ink).
"""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Callable
from typing import NamedTuple, TypeVar

DATA = pathlib.Path(__file__).parent / "digits.bin"
SIZE = 8  # of a digit

ROW_HEIGHT, ROW_WIDTH, LONGEST_ROW = 12, 48, 5
FRAME_SIZE, LONGEST_FILM = 16, 24
LONGEST_ALBUM = 6
STANDS, LEFT, RIGHT, UP, DOWN = range(5)  # actions
ACROSS, DOWNWARDS = (0, -1, 1, 0, 0), (0, 0, 0, -1, 1)  # of each

Picture = list[bytearray]
Scene = TypeVar("Scene")


class Digit(NamedTuple):
    pixels: bytes  # SIZE x SIZE
    label: int


class Draws:
    """D. Knuth's MMIX: the same numbers in C and in Python."""

    def __init__(self, seed: int):
        self.state = seed

    def below(self, count: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 33) % count


def load(part: str) -> list[Digit]:
    """Those to "train" on, or those "held-out"."""
    data = DATA.read_bytes()
    train, held_out = struct.unpack_from("<II", data, 8)
    records = [data[16 + 65 * i:16 + 65 * (i + 1)] for i in range(train + held_out)]
    all_digits = [Digit(record[:64], record[64]) for record in records]
    return all_digits[:train] if part == "train" else all_digits[train:]


def make_many(part: str, make: Callable[[list[Digit], Draws], Scene], train: int, held_out: int) -> list[Scene]:
    """So many scenes of digits to train on, or of those held out; each part has a seed of its own."""
    draws = Draws(1 if part == "train" else 2)
    digits = load(part)
    return [make(digits, draws) for _ in range(train if part == "train" else held_out)]


def blank(height: int, width: int) -> Picture:
    return [bytearray(width) for _ in range(height)]


def paint(picture: Picture, digit: Digit, top: int, left: int) -> None:
    """Where two digits meet, the darker counts."""
    for y in range(SIZE):
        row = picture[top + y]
        for x in range(SIZE):
            row[left + x] = max(row[left + x], digit.pixels[SIZE * y + x])


class Row(NamedTuple):
    picture: Picture  # ROW_HEIGHT by ROW_WIDTH
    labels: list[int]


def make_row(digits: list[Digit], draws: Draws) -> Row:
    """One to five digits side by side, each a little higher or lower."""
    count = 1 + draws.below(LONGEST_ROW)
    slack = ROW_WIDTH - SIZE * count
    picture, labels, left = blank(ROW_HEIGHT, ROW_WIDTH), [], 0
    for i in range(count):
        gap = draws.below((slack if i == 0 else min(slack, 3)) + 1)
        slack, left = slack - gap, left + gap
        digit = digits[draws.below(len(digits))]
        paint(picture, digit, draws.below(ROW_HEIGHT - SIZE + 1), left)
        labels.append(digit.label)
        left += SIZE
    return Row(picture, labels)


class Film(NamedTuple):
    frames: list[Picture]  # FRAME_SIZE by FRAME_SIZE
    actions: list[int]  # what the digit has done since the frame before


def fits(top: int, left: int, action: int) -> bool:
    room = FRAME_SIZE - SIZE
    return 0 <= top + DOWNWARDS[action] <= room and 0 <= left + ACROSS[action] <= room


def make_film(digits: list[Digit], draws: Draws) -> Film:
    """A digit that stands, or moves by a pixel a frame, and does something else now and then."""
    digit = digits[draws.below(len(digits))]
    top, left = draws.below(FRAME_SIZE - SIZE + 1), draws.below(FRAME_SIZE - SIZE + 1)
    frames, actions, action, steps = [], [], STANDS, 1
    for _ in range(8 + draws.below(LONGEST_FILM - 7)):
        if steps == 0 or not fits(top, left, action):
            action, steps = draws.below(5), 2 + draws.below(5)
            if not fits(top, left, action):
                action = STANDS
        top, left, steps = top + DOWNWARDS[action], left + ACROSS[action], steps - 1
        frame = blank(FRAME_SIZE, FRAME_SIZE)
        paint(frame, digit, top, left)
        frames.append(frame)
        actions.append(action)
    return Film(frames, actions)


def make_album(digits: list[Digit], draws: Draws) -> list[Digit]:
    """Two to six digits, of which one in four is of the kind of the one before."""
    album: list[Digit] = []
    for _ in range(2 + draws.below(LONGEST_ALBUM - 1)):
        digit, repeats = digits[draws.below(len(digits))], draws.below(4) == 0
        while repeats and album and digit.label != album[-1].label:
            digit = digits[draws.below(len(digits))]
        album.append(digit)
    return album
