#!/usr/bin/env python3
"""Hold every derivative against differences of losses: nnc -gradcheck of the training cases of test/conformance.

    gradcheck.py [--build DIR] [--every N] [FAMILY...]

The cases are every layer, loss and activation, in one program a family. Prints a line for each weight that is off and,
last, "N passed, N failed".
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile

TEST = pathlib.Path(__file__).resolve().parent
sys.path.append(str(TEST / "conformance"))

import cases  # noqa: E402
from case import program_of  # noqa: E402
from harness import argument_parser, find_nnc  # noqa: E402


def check(nnc: pathlib.Path, name: str, text: str) -> tuple[int, int]:
    with tempfile.NamedTemporaryFile(suffix=".nn", mode="w") as source:
        source.write(text)
        source.flush()
        done = subprocess.run([nnc, "-gradcheck", source.name], capture_output=True, text=True)
    blocks = re.findall(r"(\d+) of (\d+) weights within", done.stdout)
    failed = sum(passed != all_ for passed, all_ in blocks) + (not blocks)
    for line in done.stdout.splitlines() + done.stderr.splitlines():
        if "WRONG" in line or "no loss" in line or "error" in line or "crashed" in line:
            print(f"{name}: {line.strip()}", flush=True)
    return len(blocks) - failed + (not blocks), failed


def main() -> int:
    options = argument_parser(__doc__).parse_args()
    nnc = options.build / "bin/nnc" if options.build else find_nnc()
    passed = failed = 0
    for family, members in cases.load_training(options.families).items():
        members = [case for case in members if options.k in f"{family}.{case.name}"][::options.every]
        for case in members:
            good, bad = check(nnc, f"{family}.{case.name}", program_of([case]))
            passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
