#!/usr/bin/env python3
"""Compile the kernels of gradients and compare them with what they mean in float64.

    run.py --build DIR [-k TEXT] [--sanitize] [--every N]

Each case is a module that goes through the passes from nn-infer-shapes on and becomes a library. For each instruction
set that the machine has, every call runs with one thread, compared with the expected values, and with two threads and on
a used context: the same bits. --sanitize does what it does to conformance/run.py. Prints one line a case and, last,
"N passed, N failed".
"""

from __future__ import annotations

import argparse
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))

import reference
import sanitizer
from case import hash_name, uniform
from harness import Mismatch, on_each_isa, run_apart
from kernels import CASES, Case, Port
from library import ISAS, Context, Model, Network, Runtime

PASSES = ("-nn-infer-shapes", "-nn-form-groups", "-nn-outline-kernels", "-nn-plan-buffers")
TOLERANCE = 1e-5  # times the largest expected magnitude
GUARD, LINE = 16, 64  # elements before and after an output; bytes of a cache line


def aligned(values: np.ndarray) -> np.ndarray:
    """A copy that begins at a cache line; under AddressSanitizer with what is around it forbidden."""
    if sanitizer.is_loaded():
        return sanitizer.on_heap(values, LINE)
    raw = np.empty(values.nbytes + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    copy = raw[start:start + values.nbytes].view(np.float32).reshape(values.shape)
    copy[...] = values
    return copy


def compile_case(build: pathlib.Path, case: Case, folder: pathlib.Path) -> None:
    source, planned = folder / f"{case.name}.mlir", folder / f"{case.name}.planned.mlir"
    source.write_text(case.module())
    for command in ([build / "bin/nnc-opt", source, *PASSES, "-o", planned],
                    [build / "bin/nnc", planned, "-shared", *sanitizer.compiler_options(), "-o", folder]):
        done = subprocess.run(command, capture_output=True, text=True, env=sanitizer.environment_of_others())
        if done.returncode:
            raise Mismatch(f"{command[0].name} gave {done.returncode}: {(done.stderr or done.stdout).strip()[:2000]}")


def runtime_library(build: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The shared runtime, linked from the static one where there is none."""
    for found in sorted(build.glob("**/libnnc_runtime.so")):
        return found
    shared = folder / "libnnc_runtime.so"
    archive = next(iter(build.glob("**/libnnc_runtime.a")))
    subprocess.run(["cc", "-shared", "-o", shared, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive",
                    "-lpthread", "-lm"], check=True, env=sanitizer.environment_of_others())
    return shared


def fill(case: Case, call: dict[str, int], name: str, port: Port) -> np.ndarray:
    """An argument's values; a weight that is given in two layouts has other values in each."""
    shape = case.shape(port, call)
    return uniform(hash_name(f"{case.name}/{call}/{name}"), math.prod(shape)).astype(np.float32).reshape(shape)


def stored(port: Port, values: np.ndarray) -> np.ndarray:
    """Values as they lie in memory."""
    return aligned(reference.pack(values, *port.panel) if port.panel else values)


def expectations(case: Case, call: dict[str, int]) -> dict[str, np.ndarray]:
    values = {name: fill(case, call, name, port).astype(np.float64) for name, port in case.arguments.items()}
    return {name: output.expected(values, case.shape(output.port, call)) for name, output in case.outputs.items()}


def run_call(case: Case, context: Context, call: dict[str, int], forbidden: bool) -> dict[str, np.ndarray]:
    """The outputs as they lie in memory; they must be written whole, and nothing else."""
    guard = 0 if sanitizer.is_loaded() else GUARD
    given = [stored(port, fill(case, call, name, port)) for name, port in case.arguments.items()]
    guarded = {}
    for name, output in case.outputs.items():
        shape = case.shape(output.port, call)
        count = reference.pack(np.zeros(shape), *output.port.panel).size if output.port.panel else math.prod(shape)
        guarded[name] = aligned(np.full(count + 2 * guard, np.nan, np.float32))
    outputs = [array[guard:len(array) - guard] for array in guarded.values()]
    if forbidden:
        sanitizer.forbid_last(given[0])
    context.run(0, call["batch"], [call[name] for name in case.lengths], [None] * len(case.lengths), given + outputs)
    for name, array in guarded.items():
        if not np.isnan(np.concatenate([array[:guard], array[len(array) - guard:]])).all():
            raise Mismatch(f"{call}: wrote outside of {name}")
    return {name: array[guard:len(array) - guard] for name, array in guarded.items()}


def compare(case: Case, call: dict[str, int], got: dict[str, np.ndarray]) -> float:
    """The worst difference, as a share of the largest element. What pads panels is 0."""
    worst = 0.0
    for name, values in expectations(case, call).items():
        port = case.outputs[name].port
        laid = (reference.pack(values, *port.panel) if port.panel else values).ravel()
        unit = float(np.abs(laid).max(initial=0)) or 1.0
        difference = float(np.abs(got[name] - laid).max(initial=0)) / unit
        if not difference <= TOLERANCE:
            raise Mismatch(f"{call}: {name} is {difference:.1e} off")
        if port.panel and got[name][reference.pack(np.ones(values.shape), *port.panel).ravel() == 0].any():
            raise Mismatch(f"{call}: {name} has something in its padding")
        worst = max(worst, difference)
    return worst


def run_isa(case: Case, runtime: Runtime, network: Network, isa: str, forbidden: bool) -> float:
    model = Model(network, isa)
    context = Context(model, max(call["batch"] for call in case.calls),
                      [max(call[name] for call in case.calls) for name in case.lengths])
    worst, first = 0.0, []
    for threads in (1, 1, 2):
        runtime.set_threads(threads)
        results = [run_call(case, context, call, forbidden) for call in case.calls]
        if not first:
            first = results
            worst = max(compare(case, call, got) for call, got in zip(case.calls, results))
        for call, left, right in zip(case.calls, first, results):
            if any(left[name].tobytes() != right[name].tobytes() for name in case.outputs):
                raise Mismatch(f"{call}: other bits with {threads} threads on a used context")
    context.close()
    model.close()
    return worst


def run_case(case: Case, build: pathlib.Path, runtime_path: pathlib.Path, folder: pathlib.Path,
             forbidden: bool) -> str:
    compile_case(build, case, folder)
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    return on_each_isa(list(ISAS), lambda isa: f"{run_isa(case, runtime, network, isa, forbidden):.0e}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("-k", metavar="TEXT", default="", help="only cases whose name contains this")
    parser.add_argument("--keep", type=pathlib.Path, help="compile into this folder and leave it there")
    parser.add_argument("--sanitize", action="store_true", help="have AddressSanitizer check every access to memory")
    parser.add_argument("--every", type=int, metavar="N", default=1, help="only the first of each N cases")
    arguments = parser.parse_args()
    if arguments.sanitize:
        sanitizer.load()
    build = arguments.build.resolve()
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="nnc-gradients-"))
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    try:
        runtime = runtime_library(build, folder)
        chosen = [case for case in CASES if arguments.k in case.name][::arguments.every]
        for case in chosen:
            ok, remark = run_apart(lambda: run_case(case, build, runtime, folder, False), seconds=300)
            passed, failed = passed + ok, failed + (not ok)
            print(f"{'pass' if ok else 'FAIL'} {case.name}: {remark}", flush=True)
        if arguments.sanitize:
            ok, remark = sanitizer.check(lambda: run_case(chosen[0], build, runtime, folder, True))
            passed, failed = passed + ok, failed + (not ok)
            print(f"{'pass' if ok else 'FAIL'} sanitizer: {remark}", flush=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
