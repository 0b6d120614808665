"""Read digits.bin and bring its pictures to 32 x 32, exactly as digits.c does. See extract.py for the format."""

import pathlib
import struct
from typing import NamedTuple

import numpy as np

PATH = pathlib.Path(__file__).parent / "digits.bin"


class Pictures(NamedTuple):
    """Pictures of one part of the split, and what they show."""

    pixels: np.ndarray  # uint8 [n, 8, 8], 0 to 16
    labels: np.ndarray  # int64 [n]


def load(path: pathlib.Path = PATH) -> tuple[Pictures, Pictures]:
    """The training pictures and the held-out ones."""
    data = path.read_bytes()
    if data[:8] != b"DIGITS1\n":
        raise ValueError(f"{path} is no digits file")
    train, held_out = struct.unpack_from("<II", data, 8)
    records = np.frombuffer(data, np.uint8, offset=16).reshape(train + held_out, 65)
    pixels, labels = records[:, :64].reshape(-1, 8, 8), records[:, 64].astype(np.int64)
    return Pictures(pixels[:train], labels[:train]), Pictures(pixels[train:], labels[train:])


def upsample(pixels: np.ndarray) -> np.ndarray:
    """Pictures [n, 8, 8] -> float32 [n, 32, 32] in [0, 1]: bilinear, edges repeated.

    Output i lies at (2 i - 3) / 8 of the source. Counted in eighths everything is an integer below 2^11, and the
    division by 1024 is exact, so that C and Python get the same bits.
    """
    place = np.clip(2 * np.arange(32) - 3, 0, 56)
    near, far, part = place // 8, np.minimum(place // 8 + 1, 7), place % 8
    grey = pixels.astype(np.int32)
    rows = grey[:, near, :] * (8 - part)[None, :, None] + grey[:, far, :] * part[None, :, None]
    both = rows[:, :, near] * (8 - part)[None, None, :] + rows[:, :, far] * part[None, None, :]
    return both.astype(np.float32) / np.float32(1024)
