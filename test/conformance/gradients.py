"""Expected gradients, written down compactly, and the bar that a gradient must pass.

Of a gradient are stored its norm, how far PyTorch's own float32 is from float64, and numbers: a small one whole, of a
large one samples and the sums of BLOCKS runs of its elements under random signs. The squares of those sums' errors
add up to the squared distance, on average, so that a distance can be told from them.
"""

from __future__ import annotations

import io
import json
import math
import pathlib
import zipfile
from dataclasses import dataclass

import numpy as np

from case import hash_name, random_bits

FOLDER = pathlib.Path(__file__).parent / "expected"
WHOLE, SAMPLES, BLOCKS = 40, 16, 24
BAR, SHARE = 1e-5, 2.0  # the distance may be SHARE times float32's and BAR
ZERO = 1e-9  # times the largest norm of a call's gradients: what is smaller is rounding in float64


def _signs(name: str, count: int) -> np.ndarray:
    return 1.0 - 2.0 * (random_bits(hash_name(name + "/signs"), count) & np.uint64(1)).astype(np.float64)


def numbers_of(name: str, values: np.ndarray) -> np.ndarray:
    """What is stored of a tensor: float64 [at most WHOLE]."""
    flat = values.astype(np.float64).ravel()
    if len(flat) <= WHOLE:
        return flat
    places = (random_bits(hash_name(name + "/sample"), SAMPLES) % np.uint64(len(flat))).astype(np.int64)
    places[0], places[-1] = 0, len(flat) - 1
    blocks = np.array_split(_signs(name, len(flat)) * flat, BLOCKS)
    return np.concatenate([flat[places], [block.sum() for block in blocks]])


@dataclass
class Expected:
    """One expected tensor of one call: a gradient, a loss, a weight after some steps."""

    norm: float
    float32: float  # the distance of PyTorch's float32, as a share of the norm
    numbers: np.ndarray

    def distance(self, name: str, got: np.ndarray, unit: float = 0) -> float:
        """How far `got` is, as a share of the norm (or of `unit`); infinite where it is not finite."""
        if not np.isfinite(got).all():
            return math.inf
        error = numbers_of(name, got) - self.numbers
        if got.size > WHOLE:
            error = np.concatenate([[np.abs(error[:SAMPLES]).max()], [np.linalg.norm(error[SAMPLES:])]])
            length = error.max()
        else:
            length = np.linalg.norm(error)
        return float(length / (unit or self.norm or 1))


def summarize(name: str, exact: np.ndarray, single: np.ndarray) -> Expected:
    """What to write down of a tensor in float64, and of the same in float32."""
    norm = float(np.linalg.norm(exact))
    distance = float(np.linalg.norm(single.astype(np.float64) - exact))
    return Expected(norm, distance / (norm or 1), numbers_of(name, exact))


def complaints(key: str, got: dict[str, np.ndarray], expected: dict[str, Expected],
               tolerance: float = BAR) -> tuple[dict[str, str], float]:
    """What is wrong with gradients of one call, by the names of those that do not pass, and the worst distance. key
    begins their names in `expected`. A case whose inputs are hard on float32 may have a tolerance of its own."""
    largest = max((expected[key + name].norm for name in got), default=0)
    worst, wrong = 0.0, {}
    for name, values in got.items():
        wanted = expected[key + name]
        vanishes = wanted.norm <= ZERO * largest
        # A small loss is a difference of logits, and as exact as these are.
        least = 1 if name == "loss" else largest if vanishes else 0
        distance = wanted.distance(key + name, values, max(least, 0 if vanishes else wanted.norm))
        bar = tolerance if vanishes else SHARE * wanted.float32 + tolerance
        if not distance <= bar:
            wrong[name] = f"{name} is {distance:.1e} off ({bar:.1e} is allowed, its norm is {wanted.norm:.1e})"
        worst = max(worst, distance)
    return wrong, worst


def save(name: str, values: dict[str, Expected]) -> None:
    """Writes expected/<name>.npz: the names, and all numbers one after the other as float32. The same bytes for the
    same values."""
    counts = [len(value.numbers) for value in values.values()]
    text = json.dumps([list(values), counts], separators=(",", ":")).encode()
    numbers = np.concatenate([[value.norm, value.float32, *value.numbers] for value in values.values()])
    FOLDER.mkdir(exist_ok=True)
    with zipfile.ZipFile(FOLDER / f"{name}.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for member, array in (("index", np.frombuffer(text, np.uint8)), ("numbers", numbers.astype(np.float32))):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array)
            archive.writestr(zipfile.ZipInfo(f"{member}.npy"), stream.getvalue(), zipfile.ZIP_DEFLATED)


def load(name: str) -> dict[str, Expected]:
    """Reads what save wrote; nothing when there is no such file."""
    path = FOLDER / f"{name}.npz"
    if not path.exists():
        return {}
    with np.load(path) as data:
        (names, counts), numbers = json.loads(data["index"].tobytes()), data["numbers"].astype(np.float64)
    values, at = {}, 0
    for key, count in zip(names, counts):
        values[key] = Expected(numbers[at], numbers[at + 1], numbers[at + 2:at + 2 + count])
        at += 2 + count
    return values
