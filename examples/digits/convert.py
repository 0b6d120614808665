#!/usr/bin/env python3
"""Write data sets for nnc-train from digits.bin; extract.py says what is in that.

mlp-train.safetensors, mlp-held-out.safetensors:
  x      [examples][64]          grey levels in [0, 1]
  label  [examples]              0 to 9
lenet5-train.safetensors, lenet5-held-out.safetensors:
  image  [examples][32][32][1]   the same, interpolated as upsampleDigit in digits.c does
  label  [examples]

Needs nothing but Python.
"""

import argparse
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
import datasets  # noqa: E402


def read(path: pathlib.Path) -> tuple[list[bytes], list[bytes]]:
    """The records of 65 bytes: those to train on, and the held-out ones."""
    data = path.read_bytes()
    train, held_out = struct.unpack_from("<II", data, 8)
    records = [data[16 + 65 * i:16 + 65 * (i + 1)] for i in range(train + held_out)]
    return records[:train], records[train:]


def places() -> list[tuple[int, int, int]]:
    """For each of 32 pixels the two of 8 that it lies between, and how far on, in eighths."""
    clipped = [min(max(2 * i - 3, 0), 56) for i in range(32)]
    return [(at // 8, min(at // 8 + 1, 7), at % 8) for at in clipped]


def upsample(grey: bytes) -> list[float]:
    """32 x 32 values in [0, 1], from 8 x 8 grey levels up to 16."""
    across = places()
    rows = [[(8 - part) * grey[8 * y + near] + part * grey[8 * y + far] for near, far, part in across]
            for y in range(8)]
    return [((8 - part) * rows[near][x] + part * rows[far][x]) / 1024 for near, far, part in across
            for x in range(32)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder to write to")
    arguments = parser.parse_args()
    for part, records in zip(("train", "held-out"), read(HERE / "digits.bin")):
        label = datasets.classes([record[64] for record in records])
        grey = [level / 16 for record in records for level in record[:64]]
        datasets.write(arguments.output / f"mlp-{part}.safetensors",
                       {"x": datasets.tensor("F32", [len(records), 64], grey), "label": label})
        large = [value for record in records for value in upsample(record)]
        datasets.write(arguments.output / f"lenet5-{part}.safetensors",
                       {"image": datasets.tensor("F32", [len(records), 32, 32, 1], large), "label": label})


if __name__ == "__main__":
    main()
