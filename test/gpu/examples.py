#!/usr/bin/env python3
"""Compile every network of examples/ for devices, on a machine that needs none.

    examples.py --build DIR [--full] [NAME...]

Of each network the plan for each device is made, and code of the small ones. The programs whose networks decode run on
OpenCL's device: they compare the words that they say with PyTorch's. With --full all networks become libraries, and where
NVIDIA's ptxas is there, all kernels are assembled for sm_80 and sm_90: no sum of products may have too few registers.
Prints a line for each, with the seconds it took, and, last, "N passed, N failed".
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
TARGETS = ("cuda", "opencl")
ARCHITECTURES = ("sm_80", "sm_90")
LARGE = {"alexnet", "vgg16", "googlenet", "resnet152", "stress"}  # minutes of a compiler
SUMS = re.compile("dense|conv")  # kernels whose time is that of their registers

# The libraries of a program, its network being examples/<program>/<program>.nn, and what nnc is told for each.
PROGRAMS = {
    "caption": {"caption": (), "caption_beam": ("-set=beam=4", "-no-train")},
    "story": {"story": ()},
}


def call(command: list[object]) -> str:
    """What a program prints; its complaint is the error's."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{pathlib.Path(command[0]).name} gave {result.returncode}: {result.stderr.strip()[-1000:]}")
    return result.stdout + result.stderr


def without_training(source: pathlib.Path) -> list[str]:
    """As the photo program has them: large networks have no derivative."""
    return ["-no-train"] if source.stem in LARGE else []


def plan(nnc: pathlib.Path, source: pathlib.Path, target: str, folder: pathlib.Path) -> str:
    call([nnc, source, f"-target={target}", "-emit=nn-planned", "-o", folder / f"{source.stem}.mlir"])
    return ""


def compile_library(nnc: pathlib.Path, source: pathlib.Path, target: str, folder: pathlib.Path) -> str:
    call([nnc, source, f"-target={target}", "-o", folder, *without_training(source)])
    return f"{sum(path.stat().st_size for path in folder.glob('*.a')) / 1e6:.1f} MB"


def assemble(nnc: pathlib.Path, source: pathlib.Path, architecture: str, folder: pathlib.Path) -> str:
    """Assembles each kernel; raises where one of sums of products spills."""
    text = folder / "kernels.ptx"
    call([nnc, source, "-target=cuda", "-emit=device", "-o", text, *without_training(source)])
    most = kernels = 0
    for module in text.read_text().replace("\0", "").split(".version")[1:]:
        one = folder / "kernel.ptx"
        one.write_text(".version" + module)
        said = call(["ptxas", "-v", f"-arch={architecture}", "-o", folder / "kernel.cubin", one])
        for function in said.split("Compiling entry function")[1:]:
            name = function.split("'")[1]
            kernels += 1
            most = max(most, int(re.search(r"Used (\d+) registers", function)[1]))
            if SUMS.search(name) and "0 bytes spill stores, 0 bytes spill loads" not in function:
                raise RuntimeError(f"{name} spills registers:{function}")
    return f"{kernels} kernels, at most {most} registers"


def run_program(build: pathlib.Path, name: str, folder: pathlib.Path) -> str:
    """Builds an example's program with its networks for OpenCL, and runs it: it fails where it says other words."""
    for library, options in PROGRAMS[name].items():
        call([build / "bin/nnc", EXAMPLES / name / f"{name}.nn", f"-name={library}", *options, "-target=opencl", "-o", folder])
    parts = [EXAMPLES / "checks/checks.c", EXAMPLES / "digits/digits.c", EXAMPLES / "digits/scenes.c"]
    includes = [f"-I{path}" for path in (folder, ROOT / "runtime/include", EXAMPLES / "checks", EXAMPLES / "digits")]
    call(["cc", "-O1", "-std=gnu11", f'-DNNC_EXAMPLES_DIR="{EXAMPLES}"', *includes, EXAMPLES / name / "main.c", *parts,
          *sorted(folder.glob("*.a")), build / "runtime/libnnc_runtime.a", "-lpthread", "-lm", "-ldl", "-o", folder / name])
    return call([folder / name]).strip().splitlines()[-1]


def list_checks(build: pathlib.Path, full: bool) -> dict[str, Callable[[pathlib.Path], str]]:
    """Each check by its name; it is given a folder of its own and says what it found."""
    nnc = build / "bin/nnc"
    checks: dict[str, Callable[[pathlib.Path], str]] = {}
    for source in sorted(EXAMPLES.glob("*/*.nn")):
        for target in TARGETS:
            make = compile_library if full or source.stem not in LARGE else plan
            checks[f"{source.stem} for {target}"] = lambda folder, make=make, source=source, target=target: make(
                nnc, source, target, folder)
        for architecture in ARCHITECTURES if full and shutil.which("ptxas") else ():
            checks[f"{source.stem} on {architecture}"] = lambda folder, source=source, architecture=architecture: assemble(
                nnc, source, architecture, folder)
    for name in PROGRAMS:
        checks[f"{name}, its program on opencl"] = lambda folder, name=name: run_program(build, name, folder)
    return checks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only checks of these networks")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--full", action="store_true", help="libraries of all networks, and their kernels assembled")
    options = parser.parse_args()
    passed = failed = 0
    for name, check in list_checks(options.build.resolve(), options.full).items():
        if options.names and re.split("[ ,]", name)[0] not in options.names:
            continue
        start = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as folder:
                found = check(pathlib.Path(folder))
        except RuntimeError as error:
            failed += 1
            print(f"FAIL {name}: {error}", flush=True)
            continue
        passed += 1
        print(f"pass {name}: {time.monotonic() - start:.0f} s{', ' + found if found else ''}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
