#!/usr/bin/env python3
"""Run kernels by themselves and compare with what numpy computes in float64.

    run.py [-k TEXT] [FAMILY...]

A case is a function of the nn dialect, which goes through the passes from grouping on, to kernels, to a shared library.
On each instruction set that the machine has it runs with one thread, compared with numpy, and with two: the same bits.
Results are surrounded by guards, arguments must stay as they are. A case runs in a process of its own. Prints one line
a case and, last, "N passed, N failed"; fails when one did.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

TEST = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(TEST / "conformance"))

import cases
from harness import Mismatch, on_each_isa, run_apart
from kernel import Case
from library import ISAS, Context, Model, Network, Runtime

GUARD = 16  # elements before and after a result
PASSES = ["-nn-infer-shapes", "-nn-form-groups", "-nn-outline-kernels", "-nn-plan-buffers"]


def compile_case(build: pathlib.Path, case: Case, folder: pathlib.Path) -> None:
    """Makes lib<case>.so."""
    source, planned = folder / f"{case.name}.in.mlir", folder / f"{case.name}.mlir"
    source.write_text(f"module @{case.name} {{\n{case.text}}}\n")
    for command in ([build / "bin/nnc-opt", *PASSES, source, "-o", planned],
                    [build / "bin/nnc", "-shared", planned, "-o", folder]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise Mismatch(f"{command[0].name} gave {done.returncode}: {done.stderr.strip()[:2000]}")


def link_runtime(build: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The runtime as a shared library."""
    archive, shared = next(iter(build.glob("**/libnnc_runtime.a"))), folder / "libnnc_runtime.so"
    subprocess.run(["cc", "-shared", "-o", shared, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", "-lpthread",
                    "-lm"], check=True)
    return shared


def guarded(values: np.ndarray) -> np.ndarray:
    """A copy in the middle of an array of guards, 64-byte aligned as memory of networks is."""
    guard = np.nan if values.dtype == np.float32 else -12345
    raw = np.full(values.size + 2 * GUARD + 16, guard, values.dtype)
    start = -raw.ctypes.data % 64 // values.itemsize
    array = raw[start:start + values.size + 2 * GUARD]
    array[GUARD:GUARD + values.size] = values.reshape(-1)
    return array


def inner(array: np.ndarray) -> np.ndarray:
    return array[GUARD:len(array) - GUARD]


def call(context: Context, case: Case) -> list[np.ndarray]:
    """The results of one call, which are written whole, and nothing else is."""
    arguments = [guarded(values) for values in case.arguments]
    results = []
    for index, wanted in enumerate(case.results):
        kind = np.float32 if wanted.dtype.kind == "f" else wanted.dtype
        empty = np.full(wanted.size, np.nan if kind == np.float32 else -12345, kind)
        results.append(arguments[case.in_place[index]] if index in case.in_place else guarded(empty))
    ragged = [np.array(case.ragged[name], np.int32) if name in case.ragged else None for name in case.lengths]
    context.run(0, case.batch, list(case.lengths.values()), ragged, [inner(array) for array in arguments + results])
    for array in arguments + results:
        guards = np.concatenate([array[:GUARD], array[len(array) - GUARD:]])
        if not (np.isnan(guards) if array.dtype == np.float32 else guards == -12345).all():
            raise Mismatch("wrote outside of an argument or a result")
    for index, (array, values) in enumerate(zip(arguments, case.arguments)):
        if index not in case.in_place.values() and inner(array).tobytes() != values.tobytes():
            raise Mismatch(f"changed argument {index}")
    return [inner(array).reshape(wanted.shape).copy() for array, wanted in zip(results, case.results)]


def compare(case: Case, got: list[np.ndarray]) -> float:
    """The worst difference from what is wanted, as a share of the largest number."""
    worst = 0.0
    for index, (wanted, values) in enumerate(zip(case.results, got)):
        wanted, values = wanted.astype(np.float64), values.astype(np.float64)
        unit = np.abs(wanted).max(initial=0) or 1.0
        difference = float(np.abs(wanted - values).max(initial=0)) / unit
        if not difference <= case.tolerance:
            place = tuple(int(i) for i in np.unravel_index(np.nanargmax(np.abs(wanted - values)), wanted.shape))
            raise Mismatch(f"result {index} is {difference:.1e} off, at {place}: {values[place]}, not {wanted[place]}")
        worst = max(worst, difference)
    return worst


def run_isa(runtime: Runtime, network: Network, case: Case, isa: str) -> float:
    model = Model(network, isa)
    context = Context(model, case.batch, list(case.lengths.values()))
    runtime.set_threads(1)
    first = call(context, case)
    worst = compare(case, first)
    runtime.set_threads(2)
    if any(a.tobytes() != b.tobytes() for a, b in zip(first, call(context, case))):
        raise Mismatch("other bits with two threads")
    context.close()
    model.close()
    return worst


def run_case(case: Case, shared: pathlib.Path, build: pathlib.Path, folder: pathlib.Path) -> str:
    """Gives a remark for the case's line; raises when it is wrong."""
    compile_case(build, case, folder)
    runtime = Runtime(shared)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    return on_each_isa(list(ISAS), lambda isa: f"{run_isa(runtime, network, case, isa):.0e}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="files of cases/ (all)")
    parser.add_argument("-k", metavar="TEXT", default="", help="only cases whose family.name contains this")
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build folder")
    parser.add_argument("--keep", type=pathlib.Path, help="compile into this folder and leave it there")
    arguments = parser.parse_args()
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="nnc-kernels-"))
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    try:
        shared = link_runtime(arguments.build, folder)
        for family, members in cases.load(arguments.families).items():
            for case in members:
                if arguments.k not in f"{family}.{case.name}":
                    continue
                ok, remark = run_apart(lambda: run_case(case, shared, arguments.build, folder), seconds=600)
                passed, failed = passed + ok, failed + (not ok)
                print(f"{'pass' if ok else 'FAIL'} {family}.{case.name}: {remark}", flush=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
