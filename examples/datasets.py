"""Write data sets for nnc-train: safetensors files, with nothing but Python's standard library.

A data set has a tensor for each input and label of the network, under its name. Where all examples have the same shape
it is [examples][shape of one]. Where they differ in a length T, their steps follow one another, [sum of the lengths]
[shape of a step], and the tensor T.lengths says how many are whose. docs/training.md has the whole format.
"""

import argparse
import array
import itertools
import json
import math
import pathlib
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

CODES = {"F32": "f", "I32": "i", "U8": "B"}


class Tensor(NamedTuple):
    """Numbers of one type, row-major."""

    dtype: str  # "F32", "I32" or "U8"
    shape: tuple[int, ...]
    values: array.array


def tensor(dtype: str, shape: Iterable[int], values: Iterable[float]) -> Tensor:
    """Checks that there are as many values as the shape says."""
    result = Tensor(dtype, tuple(shape), array.array(CODES[dtype], values))
    if len(result.values) != math.prod(result.shape):
        raise ValueError(f"{len(result.values)} values for the shape {result.shape}")
    return result


def classes(values: Sequence[int]) -> Tensor:
    """One class for each example."""
    return tensor("I32", [len(values)], values)


def steps(sequences: Sequence[Sequence[int]]) -> Tensor:
    """A sequence of classes for each example, one after the other."""
    return tensor("I32", [sum(map(len, sequences))], itertools.chain.from_iterable(sequences))


def lengths(sequences: Sequence[Sequence]) -> Tensor:
    """How many steps each example has."""
    return tensor("I32", [len(sequences)], map(len, sequences))


def write(path: pathlib.Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file; larger types first, so that every tensor is aligned."""
    header, offset, parts = {}, 0, []
    for name, own in sorted(tensors.items(), key=lambda item: -item[1].values.itemsize):
        values = own.values
        if sys.byteorder == "big":
            values = array.array(values.typecode, values)
            values.byteswap()
        data = values.tobytes()
        header[name] = {"dtype": own.dtype, "shape": own.shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join([struct.pack("<Q", len(text)), text, *parts]))


def command(description: str, sets: dict[str, Callable[[str], dict[str, Tensor]]]) -> None:
    """The program that writes <name>-train.safetensors and <name>-held-out.safetensors for each set; a set makes the
    tensors of "train" and of "held-out"."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    for part in ("train", "held-out"):
        for name, make in sets.items():
            write(arguments.output / f"{name}-{part}.safetensors", make(part))
