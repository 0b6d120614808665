#!/usr/bin/env python3
"""Write digits.bin: the 1797 handwritten digits that scikit-learn ships, split once and for all.

The pictures are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine
Learning Repository, CC BY 4.0): 8 x 8 grey levels from 0 (paper) to 16 (ink).

The file, little-endian:

    offset  size            what
    0       8               "DIGITS1\\n"
    8       4               number of training pictures (1297)
    12      4               number of held-out pictures (500)
    16      65 a picture    64 grey levels, row by row, then the digit; training pictures first

The order is a fixed permutation, so that the held-out pictures are a fair sample of all writers.
"""

import argparse
import pathlib
import struct

import numpy as np
from sklearn.datasets import load_digits

MAGIC = b"DIGITS1\n"
TRAIN = 1297
SPLIT_SEED = 1998  # MT19937, whose stream NumPy has frozen


def digits_bytes() -> bytes:
    """The whole file as bytes."""
    data = load_digits()
    order = np.random.RandomState(SPLIT_SEED).permutation(len(data.target))
    pictures = data.data.astype(np.uint8)[order]
    labels = data.target.astype(np.uint8)[order]
    records = np.concatenate([pictures, labels[:, None]], axis=1)
    return MAGIC + struct.pack("<II", TRAIN, len(records) - TRAIN) + records.tobytes()


def main() -> None:
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=here / "digits.bin", help="file to write")
    arguments = parser.parse_args()
    arguments.output.write_bytes(digits_bytes())


if __name__ == "__main__":
    main()
