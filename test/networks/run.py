#!/usr/bin/env python3
"""Compile the image networks of examples/, give them PyTorch's tensors and compare with what torchvision said.

    run.py [--full] [-k TEXT] [--build DIR | --nnc NNC] [--isa ISA | --target TARGET] [VARIANT...]

For each instruction set that the machine has, the logits of two photographs must be as near to float64's as twice
torchvision's own float32, and 1e-5 of the largest logit; the five largest must be the same in the same order; two
threads must give the same bits. Where a variant trains, its loss, its gradients and its new running statistics pass the
bar of test/conformance/gradients.py. --full runs the networks in the size of their papers (some GB of weights are made;
some minutes). With --target they run on a device, where small ones go by Winograd's tiles as those of the papers do.

Prints one line a variant and, last, "N passed, N failed"; fails when one did.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

import networks
from networks import BAR, EXPECTED, SHARE, VARIANTS, Expected, Variant
import from_torch
import gradients
import harness
from harness import Mismatch, Target, handed_over, on_each_isa
from library import DEVICES, ISAS, Context, Model, Network, Runtime, TrainingContext


def compile_variant(nnc: pathlib.Path, variant: Variant, folder: pathlib.Path) -> str:
    """What nnc complained about, or ''."""
    command = [nnc, "-shared", f"-target={Target.name}", *Target.options, variant.source, *variant.options,
               f"-name={variant.name}", "-o", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"nnc gave {done.returncode}: {done.stderr.strip()}" if done.returncode else ""


def weights_of(variant: Variant, expected: Expected, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The weights that torchvision had."""
    state = expected.state()
    weights, wrong = from_torch.convert(state, shapes, from_torch.read_rules(variant.names))
    if wrong:
        raise Mismatch("; ".join(wrong[:3]))
    return weights


def compare_logits(variant: Variant, expected: Expected, model: Model, runtime: Runtime) -> float:
    """The distance from float64."""
    image = handed_over(networks.photographs(variant.size))
    context = Context(model, 2, [])

    def run(threads: int) -> np.ndarray:
        runtime.set_threads(threads)
        y, logits = (handed_over(np.full((2, variant.classes), np.nan, np.float32)) for _ in range(2))
        context.run(0, 2, [], [], [image, y, logits])
        return logits.astype(np.float64)

    logits = run(1)
    if run(2).tobytes() != logits.tobytes():
        raise Mismatch("other logits with two threads")
    context.close()
    distance = float(np.abs(logits - expected.logits).max() / np.abs(expected.logits).max())
    bar = SHARE * expected.float32 + BAR
    if not distance <= bar:
        raise Mismatch(f"logits are {distance:.1e} off ({bar:.1e} is allowed)")
    best, wanted = (np.argsort(-values, axis=1, kind="stable")[:, :5] for values in (logits, expected.logits))
    if (best != wanted).any():
        raise Mismatch(f"the five largest logits are {best.tolist()}, not {wanted.tolist()}")
    return distance


def compare_gradients(variant: Variant, shapes: dict[str, tuple[int, ...]], model: Model) -> float:
    """The worst distance of the loss, the gradients and the running statistics."""
    expected = gradients.load(f"{variant.name}_gradients")
    context = TrainingContext(model, 2, [])
    loss = handed_over(np.full(1, np.nan, np.float32))
    context.gradients(2, [], [], [handed_over(networks.photographs(variant.size)),
                                  handed_over(networks.labels(variant)), loss])
    statistics = [name for name in shapes if name.endswith((".mean", ".variance"))]
    found = {name: context.gradient(name, shapes[name]) for name in shapes if name not in statistics}
    context.update()
    moved = [{name: model.read(name, shapes[name])} for name in statistics]
    context.close()
    worst = 0.0
    for part in ({"loss": loss}, found, *moved):
        wrong, distance = gradients.complaints(f"{variant.name}/", part, expected)
        if len(wrong) > variant.strays * len(part):
            raise Mismatch(", ".join(wrong.values()))
        worst = max(worst, distance)
    return worst


def run_variant(variant: Variant, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str]) -> str:
    expected = networks.load_expected(variant)
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{variant.name}.so", variant.name)
    shapes = network.weight_shapes()
    weights = weights_of(variant, expected, shapes)

    def run_isa(isa: str) -> str:
        model = Model(network, isa)
        for name, values in weights.items():
            model.write(name, np.ascontiguousarray(values))
        remark = f"{compare_logits(variant, expected, model, runtime):.0e}"
        if variant.trains:
            remark += f" gradients {compare_gradients(variant, shapes, model):.0e}"
        model.close()
        return remark
    return on_each_isa(isas, run_isa) + f" (float32's logits {expected.float32:.0e})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=f"of {', '.join(v.name for v in VARIANTS)}")
    parser.add_argument("--full", action="store_true", help="those as large as the papers'")
    parser.add_argument("-k", metavar="TEXT", default="", help="only variants whose name contains this")
    parser.add_argument("--build", type=pathlib.Path, help="the build folder, instead of --nnc")
    parser.add_argument("--nnc", type=pathlib.Path, help="the compiler (the newest build*/bin/nnc)")
    parser.add_argument("--isa", choices=ISAS, action="append", help="instruction sets (all that the machine has)")
    parser.add_argument("--target", choices=["x86", *DEVICES], default="x86", help="what to compile for")
    arguments = parser.parse_args()
    Target.name = arguments.target
    if Target.name in DEVICES and not arguments.full:
        Target.options = ["-all-winograd"]
    nnc = arguments.nnc or (arguments.build / "bin/nnc" if arguments.build else harness.find_nnc())
    chosen = [variant for variant in VARIANTS if arguments.k in variant.name and
              (variant.name in arguments.variants if arguments.variants else variant.full == arguments.full)]
    gradients.FOLDER, harness.RUN_SECONDS = EXPECTED, 600
    folder = pathlib.Path(tempfile.mkdtemp(prefix="nnc-networks-"))
    passed = 0
    try:
        runtime = harness.runtime_library(nnc, None, folder)
        for variant in chosen:
            complaint = compile_variant(nnc, variant, folder)
            ok, remark = (False, complaint) if complaint else harness.run_apart(
                lambda: run_variant(variant, runtime, folder, arguments.isa or Target.isas()))
            print(f"{'pass' if ok else 'FAIL'} {variant.name}: {remark}", flush=True)
            passed += ok
    finally:
        shutil.rmtree(folder)
    print(f"{passed} passed, {len(chosen) - passed} failed")
    return passed != len(chosen)


if __name__ == "__main__":
    sys.exit(main())
