"""Expected outputs, written down compactly.

A small output is stored whole. Of a large one a sample is stored, and for each of BLOCKS runs of it the sum of its
elements under random signs: an element that is wrong anywhere moves a sum by its whole error, while rounding errors
grow only with the root of their number.
"""

from __future__ import annotations

import json
import math
import pathlib
from dataclasses import dataclass, field

import numpy as np

from case import hash_name, random_bits

FOLDER = pathlib.Path(__file__).parent / "expected"
WHOLE, SAMPLES, BLOCKS = 384, 128, 32


def sample_places(name: str, count: int) -> np.ndarray:
    """Which elements of a large output are stored: the first, the last and random ones."""
    places = (random_bits(hash_name(name + "/sample"), SAMPLES) % np.uint64(count)).astype(np.int64)
    places[0], places[-1] = 0, count - 1
    return places


def block_sums(name: str, values: np.ndarray) -> np.ndarray:
    """Sums of BLOCKS runs of `values` (flat, float64) under random signs."""
    signs = 1.0 - 2.0 * (random_bits(hash_name(name + "/signs"), len(values)) & np.uint64(1)).astype(np.float64)
    return np.array([block.sum() for block in np.array_split(signs * values, BLOCKS)])


@dataclass
class Output:
    """One expected output of one call."""

    shape: tuple[int, ...]
    largest: float  # magnitude among the finite elements
    numbers: np.ndarray  # float64: the whole output, or samples and then block sums
    own_shapes: list[tuple[int, ...]] = field(default_factory=list)  # of a ragged call: each example's, no batch

    def difference(self, name: str, got: np.ndarray) -> float:
        """The largest difference from `got` (of this shape) as a share of the largest expected magnitude; infinite
        where a NaN or an infinity is missing or in the wrong place."""
        flat = got.astype(np.float64).ravel()
        unit = self.largest or 1.0
        if len(flat) <= WHOLE:
            return _largest_difference(flat, self.numbers) / unit
        at_samples = _largest_difference(flat[sample_places(name, len(flat))], self.numbers[:SAMPLES])
        if not np.isfinite(flat).all():
            return math.inf
        per_block = math.sqrt(len(flat) / BLOCKS)
        in_blocks = np.abs(block_sums(name, flat) - self.numbers[SAMPLES:]).max() / per_block
        return max(at_samples, in_blocks) / unit


def _largest_difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """Largest |got - wanted|; the same infinity and NaN on both sides are no difference."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(got - wanted)
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    difference = np.where(same, 0, np.where(np.isnan(difference), np.inf, difference))
    return float(difference.max(initial=0))


def summarize(name: str, values: np.ndarray, own_shapes: list[tuple[int, ...]]) -> Output:
    """What to write down of an output, as float32 would hold it: what is too large for it is infinite."""
    with np.errstate(over="ignore"):
        flat = values.astype(np.float32).astype(np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    largest = float(np.abs(finite).max(initial=0))
    if len(flat) <= WHOLE:
        return Output(values.shape, largest, flat, own_shapes)
    assert len(finite) == len(flat), f"{name}: a large output must be finite"
    numbers = np.concatenate([flat[sample_places(name, len(flat))], block_sums(name, flat)])
    return Output(values.shape, largest, numbers, own_shapes)


def save(family: str, outputs: dict[str, Output]) -> None:
    """Writes expected/<family>.npz: an index as JSON, and all numbers one after the other as float32."""
    index = {name: [output.shape, output.largest, len(output.numbers), output.own_shapes]
             for name, output in outputs.items()}
    numbers = np.concatenate([output.numbers for output in outputs.values()]).astype(np.float32)
    text = np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8)
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / f"{family}.npz", index=text, numbers=numbers)


def load(family: str) -> dict[str, Output]:
    """Reads what save wrote; nothing when there is no such file."""
    path = FOLDER / f"{family}.npz"
    if not path.exists():
        return {}
    with np.load(path) as data:
        index, numbers = json.loads(data["index"].tobytes()), data["numbers"].astype(np.float64)
    outputs, at = {}, 0
    for name, (shape, largest, count, own_shapes) in index.items():
        outputs[name] = Output(tuple(shape), largest, numbers[at:at + count], [tuple(own) for own in own_shapes])
        at += count
    return outputs
