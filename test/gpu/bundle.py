#!/usr/bin/env python3
"""Make a folder that carries libraries compiled for CUDA, and their checks, to a machine that has the device and no
compiler.

    bundle.py --build DIR [-o FOLDER] [--target cuda|opencl] [--every N] [--arch sm_80,sm_90] [--against NNC]

There, FOLDER/run checks what `./dev test -target=cuda` checks here, and with --bench how fast the networks are (run.py).
--every takes one of so many cases of each family. --against compiles the networks with another nnc too, as one from
before a schedule was changed, and --bench compares both in one run. The folder stays below 60 MB, or nothing is left.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
import tarfile

import run

ROOT = run.ROOT
sys.path[:0] = [str(ROOT / "test/bench"), str(ROOT / "test/conformance")]
from gpu_libraries import compile_libraries  # noqa: E402
from harness import runtime_library  # noqa: E402

LIMIT = 60_000_000  # bytes
COPIED = ("test/suite.py", "test/conformance", "test/learning", "test/gpu/run.py", "test/bench/gpu.py",
          "test/bench/gpu_libraries.py", "test/bench/peers.py", "test/bench/peers_training.py", "examples/datasets.py",
          "examples/digits/digits.bin", "examples/digits/digits.py", "examples/names/train.txt",
          "examples/names/held-out.txt", "examples/names/convert.py", "examples/lenet5/lenet5.nn",
          "examples/char-rnn/char_rnn.nn")


def copy_checks(folder: pathlib.Path) -> None:
    """The files of the tree that the checks read, where they lie in it."""
    for path in COPIED:
        source, copy = ROOT / path, folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)


def write_command(folder: pathlib.Path, target: str, every: int) -> None:
    command = folder / "run"
    command.write_text(f'#!/bin/sh\nexec python3 "$(dirname "$0")/test/gpu/run.py" --compiled "$(dirname "$0")/compiled" '
                       f'--target {target} --every {every} "$@"\n')
    command.chmod(0o755)


def pack(compiled: pathlib.Path) -> None:
    """The libraries in one archive, which run.py unpacks: kernels are text, of which a tenth is left."""
    with tarfile.open(compiled.with_suffix(".tar.xz"), "w:xz") as archive:
        for path in sorted([*compiled.rglob("*.so"), *compiled.rglob("launches.json")]):
            archive.add(path, path.relative_to(compiled.parent))
    shutil.rmtree(compiled)


def size(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("gpu-bundle"), help="the folder")
    parser.add_argument("--target", choices=["cuda", "opencl"], default="cuda")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--arch", default="", help="architectures that are assembled for, besides PTX")
    parser.add_argument("--against", type=pathlib.Path, metavar="NNC", help="another nnc, to compare with")
    options = parser.parse_args()
    if options.output.exists():
        raise SystemExit(f"{options.output} is there already")
    copy_checks(options.output)
    write_command(options.output, options.target, options.every)
    compiled = options.output / "compiled"
    bad = [name for name, command in run.commands(options.target, options.every).items()
           if run.call([*command, "--build", options.build.resolve(), "--keep", compiled / name, "--compile-only"])]
    if options.target == "cuda":
        arch = [f"-arch={options.arch}"] if options.arch else []
        compile_libraries(options.build / "bin/nnc", compiled / "bench", arch)
        shutil.copy(compiled / "learning/libnnc_runtime.so", compiled / "bench")
        if options.against:
            other, folder = options.against.resolve(), compiled / "against"
            compile_libraries(other, folder, arch)
            runtime = runtime_library(other, None, folder)
            if runtime.parent != folder:
                shutil.copy(runtime, folder)
    pack(compiled)
    if size(options.output) > LIMIT:
        shutil.rmtree(options.output)
        raise SystemExit(f"the folder would have more than {LIMIT // 1_000_000} MB; --every takes fewer cases")
    print(f"{options.output}: {size(options.output) / 1e6:.0f} MB" + (f"; not compiled: {', '.join(bad)}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
