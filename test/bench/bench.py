#!/usr/bin/env python3
"""Measure how fast compiled networks and the compiler are, against the machine and against peers, in one run.

    bench.py [NAME...] [-json FILE] [-check] [-peers]

NAME is a network of nnc_bench (lenet5, dense_1008, conv3x3_56_64_64, ...), "compile" or nothing for all. Rounds of ours
and of the peers alternate, and the fastest call of each counts, so that what else the machine does falls on both.

-peers makes .venv-peers with ONNX Runtime, PyTorch, OpenVINO and JAX (some GB) where there is none; without it, peers are
timed only where .venv-peers or $NNC_PEERS_PYTHON is at hand. -check fails when a figure is below its bar; a figure that
could not be taken is below it, too, unless it needs peers that are not there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PEERS_VENV = ROOT / ".venv-peers"
PEERS_PACKAGES = ("torch", "torchvision", "onnx", "onnxruntime", "openvino", "jax")
PEERS = ("ort", "torch", "openvino", "compiled", "jax")

DENSE = ("dense_1008", "dense_64", "dense_8")
CONV = ("conv3x3_56_64_64", "conv3x3_28_128_128", "conv3x3_14_256_256", "conv3x3_7_512_512", "conv1x1_56_64_256",
        "conv1x1_56_256_64", "conv1x1_14_256_1024")
PHOTOGRAPHS = ("alexnet", "vgg16", "resnet18", "resnet50", "resnet152", "googlenet")
# Inference, and how many times as fast as the best peer: pictures (what must be, and what is aimed at), and sequences.
IMAGES = {"alexnet": (1.0, 1.15), "vgg16": (1.5, 2.0), "googlenet": (1.0, 1.25), "resnet152": (1.0, 1.3)}
BATCHES = {f"{name}_{batch}": bounds for name, bounds in ({"lenet5": (2.0, 3.0)} | IMAGES).items() for batch in (8, 32)}
SEQUENCES = {f"{kind}_{hidden}_{batch}": 1.5 if batch == 1 else 1.1
             for kind in ("lstm", "gru") for hidden in (128, 256, 512) for batch in (1, 16)}
TRAIN = {"train_char_rnn": None, "train_rnn_1": 1.2, "train_rnn_32": 1.1, "train_lstm_1": 1.2, "train_lstm_32": 1.1,
         "train_gru_1": 1.2, "train_gru_32": 1.1, "train_lenet5_64": 2.0}  # times as fast as the best peer
# Single pictures are compared with two threads, too.
TWO_THREADS = {"lenet5": (2.0, 3.0)} | IMAGES
# Steps of training with 8 photographs, and how many times as fast as PyTorch, eager: what must be, and what is aimed at.
TRAIN_IMAGES = {"train_alexnet": (1.0, 1.2), "train_vgg16": (1.3, 2.0), "train_googlenet": (1.0, 1.2),
                "train_resnet152": (1.0, 1.2)}
# Convolutions of ResNet: pixels, kernel, channels in and out, stride.
GRADIENT_SIZES = ("56_3_64_64_1", "28_3_128_128_1", "14_3_256_256_1", "7_3_512_512_1", "56_1_64_256_1", "56_1_256_64_1",
                  "14_1_256_1024_1", "56_3_128_128_2", "28_3_256_256_2", "14_3_512_512_2", "56_1_256_512_2")
GRADIENTS = tuple(f"{of}_gradient_{size}" for of in ("data", "weight") for size in GRADIENT_SIZES)
TRAIN_SHARED = ("train_rnn_32", "train_lstm_32", "train_gru_32", "train_lenet5_64")  # with enough work for two threads
NAMES = ("lenet5", *DENSE, *CONV, *PHOTOGRAPHS, *BATCHES, *SEQUENCES, *TRAIN, *TRAIN_IMAGES, *GRADIENTS)
SHARED = tuple(name for name in DENSE + CONV if name != "dense_8")  # with enough work for two threads


@dataclass(frozen=True)
class Bar:
    """A figure and the value that it must reach."""

    figure: str
    bound: float
    unit: str
    subjects: tuple[str, ...]  # the names that it is taken from
    at_most: bool = False
    needs_peers: bool = False
    aim: float | None = None  # what would be better still; told, not checked

    def holds(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


# Every bar there is.
BARS = (
    Bar("lenet5, batch 1: times as fast as ONNX Runtime", 2.0, "x", ("lenet5",), needs_peers=True),
    *(Bar(f"{name}: share of the multiply-add peak", 0.90, "", (name,)) for name in DENSE),
    Bar("convolutions: share of peak, geometric mean", 0.90, "", CONV),
    Bar("convolutions: share of peak, worst", 0.80, "", CONV),
    Bar("two threads: times as fast as one, geometric mean", 1.85, "x", SHARED),
    *(Bar(f"{name}: times as fast as the best peer", bound, "x", (name,), needs_peers=True, aim=aim)
      for name, (bound, aim) in (IMAGES | BATCHES).items()),
    *(Bar(f"{name}, two threads: times as fast as the best peer", bound, "x", (name,), needs_peers=True, aim=aim)
      for name, (bound, aim) in TWO_THREADS.items()),
    *(Bar(f"{name}: times as fast as the best peer", bound, "x", (name,), needs_peers=True)
      for name, bound in SEQUENCES.items()),
    Bar("train_char_rnn: times as fast as PyTorch, eager", 20.0, "x", ("train_char_rnn",), needs_peers=True),
    Bar("train_char_rnn: times as fast as JAX", 2.0, "x", ("train_char_rnn",), needs_peers=True),
    *(Bar(f"{name}: times as fast as the best peer", bound, "x", (name,), needs_peers=True)
      for name, bound in TRAIN.items() if bound),
    *(Bar(f"{name}: times as fast as PyTorch, eager", bound, "x", (name,), needs_peers=True, aim=aim)
      for name, (bound, aim) in TRAIN_IMAGES.items()),
    Bar("gradients of convolutions: share of peak, geometric mean", 0.85, "", GRADIENTS),
    Bar("training: two threads over one, geometric mean", 1.8, "x", TRAIN_SHARED),
    *(Bar(f"{name}: two threads over one", 1.8, "x", (name,)) for name in TRAIN_IMAGES),
    Bar("nnc -no-train lenet5.nn, nothing cached", 2.0, "s", ("compile",), at_most=True),
    Bar("nnc -no-train lenet5.nn, all cached", 0.3, "s", ("compile",), at_most=True),
    Bar("liblenet5.a without training", 300.0, "KB", ("compile",), at_most=True),
    Bar("nnc lenet5.nn, nothing cached", 6.0, "s", ("compile",), at_most=True),
    Bar("nnc char_rnn.nn, nothing cached", 6.0, "s", ("compile",), at_most=True),
)


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


# --- Measuring ---------------------------------------------------------------------------------------------------


def run_ours(program: pathlib.Path, names: list[str], seconds: float) -> dict[str, float]:
    """Operations a second by "name/threads:n", and of the peaks by "peak_avx2" and "peak_avx512"."""
    wanted = "|".join(["peak_.*", *(f"{re.escape(name)}/.*" for name in names)])
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        done = subprocess.run([program, f"--benchmark_filter=^({wanted})$", f"--benchmark_min_time={seconds}",
                               "--benchmark_repetitions=3", "--benchmark_enable_random_interleaving=true",
                               f"--benchmark_out={file.name}", "--benchmark_out_format=json"],
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{program} gave {done.returncode}:\n{done.stderr}")
        report = json.load(open(file.name))
    best: dict[str, float] = {}
    for row in report["benchmarks"]:
        if row.get("error_occurred"):
            print(f"{row['name']}: {row['error_message']}", file=sys.stderr)
        elif row["run_type"] == "iteration":
            name = re.sub("/(real|manual)_time$", "", row["run_name"])
            best[name] = max(best.get(name, 0), row["flops"])
            best[f"{name}/seconds"] = min(best.get(f"{name}/seconds", math.inf), row["fastest"])
    return best


def run_peers(python: pathlib.Path | None, names: list[str], seconds: float) -> dict[str, float]:
    """Seconds a call by "name/peer", and with two threads by "name/threads:2/peer"; nothing without an environment."""
    found: dict[str, float] = {}
    trained = TRAIN | TRAIN_IMAGES
    # A step with photographs takes seconds, and its bar is what PyTorch takes without a compiler of its own.
    for script, own, options, kind in (
            ("peers.py", [name for name in names if name not in trained and name not in GRADIENTS], [], ""),
            ("peers.py", [name for name in names if name in TWO_THREADS], ["--threads", "2"], "/threads:2"),
            ("peers_training.py", [name for name in names if name in TRAIN], [], ""),
            ("peers_training.py", [name for name in names if name in TRAIN_IMAGES], ["--peers", "torch"], "")):
        if not python or not own:
            continue
        done = subprocess.run([python, HERE / script, *own, "--seconds", str(seconds), *options],
                              capture_output=True, text=True)
        if done.returncode:
            print(f"{script} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        for name, peers in json.loads(done.stdout).items():
            found |= {f"{name}{kind}/{peer}": value for peer, value in peers.items()}
    return found


def merge(into: dict[str, float], new: dict[str, float], better: Callable[[float, float], float]) -> None:
    for name, value in new.items():
        into[name] = better(into[name], value) if name in into else value


def measure(program: pathlib.Path, python: pathlib.Path | None, names: list[str], rounds: int,
            seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Our speeds and the peers' times, each the best of the rounds."""
    ours: dict[str, float] = {}
    peers: dict[str, float] = {}
    for _ in range(rounds):
        found = run_ours(program, names, seconds)
        merge(ours, {name: value for name, value in found.items() if name.endswith("/seconds")}, min)
        merge(ours, {name: value for name, value in found.items() if not name.endswith("/seconds")}, max)
        merge(peers, run_peers(python, names, seconds), min)
    return ours, peers


def measure_compiler(nnc: pathlib.Path) -> dict[str, float]:
    """Seconds with an empty and with a filled cache, the fastest of three each, and the archive's size in KB."""
    def seconds(source: str, folder: str, *options: str) -> float:
        start = time.perf_counter()
        subprocess.run([nnc, ROOT / source, *options, "-o", f"{folder}/out", f"-cache-dir={folder}/cache"], check=True)
        return time.perf_counter() - start

    lenet5, char_rnn = "examples/lenet5/lenet5.nn", "examples/char-rnn/char_rnn.nn"
    runs: dict[str, list[float]] = {}
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            for state in ("nothing", "all"):
                runs.setdefault(f"nnc -no-train lenet5.nn, {state} cached", []).append(
                    seconds(lenet5, folder, "-no-train"))
            size = pathlib.Path(folder, "out/liblenet5.a").stat().st_size / 1000
        for source in (lenet5, char_rnn):
            with tempfile.TemporaryDirectory() as folder:
                name = f"nnc {pathlib.Path(source).name}, nothing cached"
                runs.setdefault(name, []).append(seconds(source, folder))
    return {name: min(times) for name, times in runs.items()} | {"liblenet5.a without training": size}


# --- Telling -----------------------------------------------------------------------------------------------------


def figures(ours: dict[str, float], peers: dict[str, float]) -> dict[str, float]:
    """The figures of BARS that these measurements give."""
    found: dict[str, float] = {}
    peak = max((ours[name] for name in ("peak_avx2", "peak_avx512") if name in ours), default=math.nan)
    if "lenet5/threads:1/seconds" in ours and "lenet5/ort" in peers:
        found["lenet5, batch 1: times as fast as ONNX Runtime"] = peers["lenet5/ort"] / ours["lenet5/threads:1/seconds"]
    for name in DENSE:
        if f"{name}/threads:1" in ours:
            found[f"{name}: share of the multiply-add peak"] = ours[f"{name}/threads:1"] / peak
    shares = [ours[f"{name}/threads:1"] / peak for name in CONV if f"{name}/threads:1" in ours]
    if shares:
        found["convolutions: share of peak, geometric mean"] = geometric_mean(shares)
        found["convolutions: share of peak, worst"] = min(shares)
    shares = [ours[f"{name}/threads:1"] / peak for name in GRADIENTS if f"{name}/threads:1" in ours]
    if shares:
        found["gradients of convolutions: share of peak, geometric mean"] = geometric_mean(shares)
    for figure, shared in (("two threads: times as fast as one, geometric mean", SHARED),
                           ("training: two threads over one, geometric mean", TRAIN_SHARED),
                           *((f"{name}: two threads over one", (name,)) for name in TRAIN_IMAGES)):
        speedups = [ours[f"{name}/threads:2"] / ours[f"{name}/threads:1"] for name in shared
                    if f"{name}/threads:2" in ours and f"{name}/threads:1" in ours]
        if speedups:
            found[figure] = geometric_mean(speedups)
    for figure, own, other in (*((name, f"{name}/threads:1", name) for name in (*IMAGES, *BATCHES, *SEQUENCES)),
                               *((f"{name}, two threads", f"{name}/threads:2", f"{name}/threads:2") for name in TWO_THREADS)):
        if f"{own}/seconds" in ours and all(f"{other}/{peer}" in peers for peer in ("ort", "torch", "openvino")):
            best = min(peers[f"{other}/{peer}"] for peer in PEERS if f"{other}/{peer}" in peers)
            found[f"{figure}: times as fast as the best peer"] = best / ours[f"{own}/seconds"]
    for name in TRAIN:
        own = ours.get(f"{name}/threads:1/seconds", math.nan)
        if all(f"{name}/{peer}" in peers for peer in ("torch", "jax")) and not math.isnan(own):
            best = min(peers[f"{name}/{peer}"] for peer in PEERS if f"{name}/{peer}" in peers)
            found[f"{name}: times as fast as the best peer"] = best / own
            found[f"{name}: times as fast as PyTorch, eager"] = peers[f"{name}/torch"] / own
            found[f"{name}: times as fast as JAX"] = peers[f"{name}/jax"] / own
    for name in TRAIN_IMAGES:
        if f"{name}/torch" in peers and f"{name}/threads:1/seconds" in ours:
            found[f"{name}: times as fast as PyTorch, eager"] = peers[f"{name}/torch"] / ours[f"{name}/threads:1/seconds"]
    return found


def print_networks(names: list[str], ours: dict[str, float], peers: dict[str, float]) -> None:
    """One line a network: time, speed, share of peak, gain of a second thread, and the peers' times over ours."""
    peak = max((ours[name] for name in ("peak_avx2", "peak_avx512") if name in ours), default=math.nan)
    print(f"multiply-add peak of one core: {peak / 1e9:.0f} GFLOP/s")
    print(f"{'':32}{'us':>10}{'GFLOP/s':>10}{'of peak':>9}{'2 threads':>11}   peers' time over ours")
    for name in names:
        if f"{name}/threads:1" not in ours:
            continue
        seconds, speed = ours[f"{name}/threads:1/seconds"], ours[f"{name}/threads:1"]
        gain = ours.get(f"{name}/threads:2", math.nan) / speed
        others = [f"{peer} {peers[f'{name}/{peer}'] / seconds:.2f}x" for peer in PEERS
                  if f"{name}/{peer}" in peers]
        print(f"{name:32}{seconds * 1e6:10.1f}{speed / 1e9:10.1f}{speed / peak:9.2f}{gain:10.2f}x   {'  '.join(others)}")


def print_bars(chosen: list[str], found: dict[str, float], have_peers: bool) -> bool:
    """One line a bar; gives whether all hold."""
    good = True
    print(f"\n{'':60}{'figure':>10}{'bar':>12}")
    for bar in BARS:
        if not set(bar.subjects) <= set(chosen):
            continue
        bound = f"{'<=' if bar.at_most else '>='} {bar.bound:g}{bar.unit}"
        if bar.figure not in found:
            missing = bar.needs_peers and not have_peers
            good &= missing
            print(f"{bar.figure:60}{'-':>10}{bound:>12}  {'no peers' if missing else 'NOT MEASURED'}")
            continue
        value = found[bar.figure]
        good &= bar.holds(value)
        verdict = ("ok" if bar.holds(value) else "BELOW THE BAR") + (f", {bar.aim:g}{bar.unit} is aimed at" if bar.aim else "")
        print(f"{bar.figure:60}{value:9.2f}{bar.unit or ' '}{bound:>12}  {verdict}")
    return good


# --- The command -------------------------------------------------------------------------------------------------


def peers_python(make: bool) -> pathlib.Path | None:
    """The Python that has the peers; makes its environment when asked to."""
    if "NNC_PEERS_PYTHON" in os.environ:
        return pathlib.Path(os.environ["NNC_PEERS_PYTHON"])
    python = PEERS_VENV / "bin/python"
    if make and not python.exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS_VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS_PACKAGES], check=True)
    return python if python.exists() else None


def newest(pattern: str) -> pathlib.Path | None:
    return max(ROOT.glob(pattern), key=lambda path: path.stat().st_mtime, default=None)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks, or compile (all)")
    parser.add_argument("-json", metavar="FILE", type=pathlib.Path, help="also write all measurements and figures here")
    parser.add_argument("-check", action="store_true", help="fail when a figure is below its bar")
    parser.add_argument("-peers", action="store_true", help="make the peers' environment where there is none")
    parser.add_argument("--build", metavar="DIR", type=pathlib.Path, help="build folder, in which nnc_bench is built (the one built last, as it is)")
    parser.add_argument("-rounds", type=int, default=3)
    parser.add_argument("-seconds", type=float, default=0.3, help="for each network, thread count and round")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {*NAMES, "compile"}
    if unknown:
        parser.error(f"no such name: {', '.join(sorted(unknown))} (there are {', '.join(NAMES)}, compile)")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    chosen = arguments.names or [*NAMES, "compile"]
    names = [name for name in NAMES if name in chosen]
    if arguments.build and names:
        subprocess.run(["cmake", "--build", arguments.build, "--target", "nnc_bench"], check=True,
                       stdout=subprocess.DEVNULL)
    program = arguments.build / "bin/nnc_bench" if arguments.build else newest("build*/bin/nnc_bench")
    if names and (not program or not program.exists()):
        raise SystemExit("no nnc_bench: build the target nnc_bench first, or say where with --build")
    nnc = program.with_name("nnc") if program else newest("build*/bin/nnc")
    python = peers_python(arguments.peers)
    ours, peers = measure(program, python, names, arguments.rounds, arguments.seconds) if names else ({}, {})
    found = figures(ours, peers)
    if "compile" in chosen and nnc and nnc.exists():
        found |= measure_compiler(nnc)
    if names:
        print_networks(names, ours, peers)
    good = print_bars(chosen, found, have_peers=python is not None)
    if arguments.json:
        arguments.json.write_text(json.dumps({"ours": ours, "peers": peers, "figures": found}, indent=1) + "\n")
    return 1 if arguments.check and not good else 0


if __name__ == "__main__":
    sys.exit(main())
