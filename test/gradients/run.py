#!/usr/bin/env python3
"""Compile the kernels of gradients and compare them with what they mean in float64.

    run.py --build DIR [-k TEXT]

Each case is a module that goes through the passes from nn-infer-shapes on and becomes a library. For each instruction
set that the machine has, every call runs with one thread, compared with the expected values, and with two threads and on
a used context: the same bits. Prints one line a case and, last, "N passed, N failed".
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))

import reference
from case import hash_name, uniform
from kernels import CASES, Case, Port
from library import ISAS, UNSUPPORTED, Context, Failure, Model, Network, Runtime

PASSES = ("-nn-infer-shapes", "-nn-form-groups", "-nn-outline-kernels", "-nn-plan-buffers")
TOLERANCE = 1e-5  # times the largest expected magnitude
GUARD = 16  # elements before and after an output


class Mismatch(Exception):
    """A wrong result."""


def aligned(count: int) -> np.ndarray:
    """Floats that begin at a cache line."""
    raw = np.empty(4 * count + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + 4 * count].view(np.float32)


def compile_case(build: pathlib.Path, case: Case, folder: pathlib.Path) -> None:
    source, planned = folder / f"{case.name}.mlir", folder / f"{case.name}.planned.mlir"
    source.write_text(case.module())
    for command in ([build / "bin/nnc-opt", source, *PASSES, "-o", planned],
                    [build / "bin/nnc", planned, "-shared", "-o", folder]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Mismatch(f"{command[0].name} gave {done.returncode}: {(done.stderr or done.stdout).strip()[:2000]}")


def runtime_library(build: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The shared runtime, linked from the static one where there is none."""
    for found in sorted(build.glob("**/libnnc_runtime.so")):
        return found
    shared = folder / "libnnc_runtime.so"
    archive = next(iter(build.glob("**/libnnc_runtime.a")))
    subprocess.run(["cc", "-shared", "-o", shared, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive",
                    "-lpthread", "-lm"], check=True)
    return shared


def fill(case: Case, call: dict[str, int], name: str, port: Port) -> np.ndarray:
    """An argument's values; a weight that is given in two layouts has other values in each."""
    shape = case.shape(port, call)
    return uniform(hash_name(f"{case.name}/{call}/{name}"), math.prod(shape)).astype(np.float32).reshape(shape)


def stored(port: Port, values: np.ndarray) -> np.ndarray:
    """Values as they lie in memory."""
    laid = reference.pack(values, *port.panel) if port.panel else values
    copy = aligned(laid.size).reshape(laid.shape)
    copy[...] = laid
    return copy


def expectations(case: Case, call: dict[str, int]) -> dict[str, np.ndarray]:
    values = {name: fill(case, call, name, port).astype(np.float64) for name, port in case.arguments.items()}
    return {name: output.expected(values, case.shape(output.port, call)) for name, output in case.outputs.items()}


def run_call(case: Case, context: Context, call: dict[str, int]) -> dict[str, np.ndarray]:
    """The outputs as they lie in memory; they must be written whole, and nothing else."""
    given = [stored(port, fill(case, call, name, port)) for name, port in case.arguments.items()]
    guarded = {}
    for name, output in case.outputs.items():
        shape = case.shape(output.port, call)
        count = reference.pack(np.zeros(shape), *output.port.panel).size if output.port.panel else math.prod(shape)
        guarded[name] = aligned(count + 2 * GUARD)
        guarded[name][...] = np.nan
    outputs = [array[GUARD:len(array) - GUARD] for array in guarded.values()]
    context.run(0, call["batch"], [call[name] for name in case.lengths], [None] * len(case.lengths), given + outputs)
    for name, array in guarded.items():
        if not np.isnan(np.concatenate([array[:GUARD], array[len(array) - GUARD:]])).all():
            raise Mismatch(f"{call}: wrote outside of {name}")
    return {name: array[GUARD:len(array) - GUARD] for name, array in guarded.items()}


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


def run_isa(case: Case, runtime: Runtime, network: Network, isa: str) -> float:
    model = Model(network, isa)
    context = Context(model, max(call["batch"] for call in case.calls),
                      [max(call[name] for call in case.calls) for name in case.lengths])
    worst, first = 0.0, []
    for threads in (1, 1, 2):
        runtime.set_threads(threads)
        results = [run_call(case, context, call) for call in case.calls]
        if not first:
            first = results
            worst = max(compare(case, call, got) for call, got in zip(case.calls, results))
        for call, left, right in zip(case.calls, first, results):
            if any(left[name].tobytes() != right[name].tobytes() for name in case.outputs):
                raise Mismatch(f"{call}: other bits with {threads} threads on a used context")
    context.close()
    model.close()
    return worst


def run_case(case: Case, build: pathlib.Path, runtime_path: pathlib.Path, folder: pathlib.Path) -> str:
    compile_case(build, case, folder)
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    remarks = []
    for isa in ISAS:
        try:
            remarks.append(f"{isa} {run_isa(case, runtime, network, isa):.0e}")
        except Failure as failure:
            if failure.status != UNSUPPORTED:
                raise Mismatch(f"{isa}: {failure}") from None
            remarks.append(f"no {isa}")
        except Mismatch as mismatch:
            raise Mismatch(f"{isa}: {mismatch}") from None
    return ", ".join(remarks)


def run_apart(case: Case, *arguments) -> tuple[bool, str]:
    """run_case in a process of its own, so that a crash is one failed case."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(300)
        try:
            answer = (True, run_case(case, *arguments))
        except Mismatch as mismatch:
            answer = (False, str(mismatch))
        except BaseException:  # whatever it is, it is this case's failure
            answer = (False, traceback.format_exc().strip()[-1500:])
        os.write(writer, json.dumps(answer).encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False, f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return tuple(json.loads(text))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("-k", metavar="TEXT", default="", help="only cases whose name contains this")
    parser.add_argument("--keep", type=pathlib.Path, help="compile into this folder and leave it there")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="nnc-gradients-"))
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    try:
        runtime = runtime_library(build, folder)
        for case in CASES:
            if arguments.k not in case.name:
                continue
            ok, remark = run_apart(case, build, runtime, folder)
            passed, failed = passed + ok, failed + (not ok)
            print(f"{'pass' if ok else 'FAIL'} {case.name}: {remark}", flush=True)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
