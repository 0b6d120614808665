#!/usr/bin/env python3
"""Check layers, derivatives, optimizers, truncated sequences and trainings on a device.

    run.py --build DIR [--target cuda|opencl] [--every N] [SUITE...]
    run.py --compiled FOLDER [--target cuda|opencl] [--every N] [--bench] [SUITE...]

The second runs what bundle.py compiled, without nnc; with --bench the networks are timed afterwards, beside PyTorch. The
last line of the checks is "N passed, N failed".
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test"))
from suite import run_script  # noqa: E402

JOBS = 2  # cases at once: each waits for the device most of the time


def commands(target: str, every: int) -> dict[str, list[object]]:
    """The program of each suite, and what it is told in any case."""
    sampled = {"conformance": "run.py", "training": "run_training.py", "optimizers": "run_optimizers.py",
               "truncation": "run_truncation.py"}
    suites = {name: [sys.executable, ROOT / "test/conformance" / script, "--target", target, "--every", every, "-j", JOBS]
              for name, script in sampled.items()}
    return suites | {"learning": [sys.executable, ROOT / "test/learning/run.py", "--target", target]}


def call(command: list[object]) -> int:
    return subprocess.run([str(word) for word in command]).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(commands('', 1))}; all when none is named")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--build", type=pathlib.Path, help="the build folder")
    where.add_argument("--compiled", type=pathlib.Path, metavar="FOLDER", help="what bundle.py compiled")
    parser.add_argument("--target", choices=["cuda", "opencl"], default="cuda")
    parser.add_argument("--every", type=int, default=1, help="one of so many cases of each family")
    parser.add_argument("--bench", action="store_true", help="then time the networks; with --compiled, and PyTorch")
    options = parser.parse_args()
    suites = commands(options.target, options.every)
    unknown = set(options.suites) - set(suites)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}")
    if options.compiled and not options.compiled.exists():
        with tarfile.open(options.compiled.with_suffix(".tar.xz")) as archive:
            archive.extractall(options.compiled.parent)
    passed = failed = 0
    for name in options.suites or suites:
        print(f"-- {name}", flush=True)
        given = ["--build", options.build] if options.build else ["--compiled", options.compiled / name]
        good, bad = run_script([*suites[name], *given])
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed", flush=True)
    if options.bench and options.compiled:
        against = options.compiled / "against"
        call([sys.executable, ROOT / "test/bench/gpu.py", "--libraries", options.compiled / "bench",
              *(["--against", against] if against.exists() else [])])
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
