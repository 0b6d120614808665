#!/usr/bin/env python3
"""Train the examples' networks and compare how they learn with PyTorch; README.md says what must hold.

    run.py --build DIR [--target cuda|opencl] [--keep FOLDER --compile-only]
    run.py --compiled FOLDER [--target cuda|opencl]

--keep leaves the compiled libraries in a folder; --compiled runs what it left, without nnc. With a device as the target: how far its losses and weights are from x86's after the first steps. Prints one line a run and, last, "N passed, N failed"; fails when one did.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runs import DIGITS, EPOCHS, EXPECTED, NAMES, STEPS, batches, epoch_batches, initial_weights, program
from harness import Mismatch, Target, compile_program, runtime_library  # after runs, which says where it is
from library import DEVICES, Model, Network, Runtime, TrainingContext

LOSS_BAR = 1e-3
SEEDS, SEED_EPOCHS, SEED_BAR = 5, 12, 0.98
NAME_BAR = 0.01  # below PyTorch's share
DEVICE_STEPS, DEVICE_BAR = 100, 1e-4
LONGEST = 64
INFER = 0


@dataclass(frozen=True)
class Library:
    """What is compiled: a network by another name than its own, since several runs have the same."""

    label: str
    name: str
    text: str
    target: str

    def compile(self, nnc: pathlib.Path, place: pathlib.Path) -> None:
        folder = place / self.label
        folder.mkdir(exist_ok=True)
        Target.name = self.target
        complaint = compile_program(nnc, self.text, folder / f"{self.name}.nn", folder)
        if complaint:
            raise SystemExit(complaint)


class Workplace:
    """A folder with the libraries, and the runtime."""

    def __init__(self, folder: pathlib.Path, runtime: pathlib.Path):
        self.folder, self.runtime = folder, Runtime(runtime)

    def load(self, library: Library) -> Network:
        return Network(self.runtime, self.folder / library.label / f"lib{library.name}.so", library.name)


def step(context: TrainingContext, lengths: list[int], example: np.ndarray, label: np.ndarray) -> float:
    loss = np.full(1, np.nan, np.float32)
    context.step(len(label), lengths, [], [np.ascontiguousarray(example), label, loss])
    return loss[0]


class DigitsLearner:
    """LeNet-5 while it is trained."""

    def __init__(self, network: Network, seed: int = 0):
        self.model = Model(network, "", seed=seed)
        self.context = TrainingContext(self.model, 500, [])
        self.train, self.held_out = DIGITS.load()
        self.count = len(self.train[1])

    def learn(self, batches: list[np.ndarray]) -> np.ndarray:
        """The loss of each step."""
        images, labels = self.train
        return np.array([step(self.context, [], images[chosen], labels[chosen]) for chosen in batches])

    def share_right(self) -> float:
        images, labels = self.held_out
        answers, logits = np.empty((len(labels), 10), np.float32), np.empty((len(labels), 10), np.float32)
        self.context.run(INFER, len(labels), [], [], [images, answers, logits])
        return float((answers.argmax(1) == labels).mean())


class NamesLearner:
    """char_rnn while it is trained."""

    def __init__(self, network: Network):
        self.model = Model(network, "")
        self.context = TrainingContext(self.model, 1, [LONGEST])
        self.train, self.held_out = NAMES.load()
        self.count = len(self.train)

    def learn(self, batches: list[np.ndarray]) -> np.ndarray:
        """The loss of each step."""
        losses = []
        for (index,) in batches:
            letters, language = self.train[index]
            losses.append(step(self.context, [len(letters)], letters, np.array([language], np.int32)))
        return np.array(losses)

    def share_right(self) -> float:
        right, scores = 0, np.empty(16, np.float32)
        for letters, language in self.held_out:
            self.context.run(INFER, 1, [len(letters)], [], [letters, scores])
            right += int(scores.argmax()) == language
        return right / len(self.held_out)


def begin(learner: DigitsLearner | NamesLearner, run) -> DigitsLearner | NamesLearner:
    """From the weights that PyTorch's run began with."""
    for name, values in initial_weights(run).items():
        learner.model.write(name, values)
    return learner


def first_steps(network: Network, run, make, steps: int = STEPS) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The losses, and the weights afterwards."""
    learner = begin(make(network), run)
    losses = learner.learn(batches(run, learner.count, steps))
    return losses, {name: learner.model.read(name, tensor.shape) for name, tensor in run.weights.items()}


def compare_losses(place: Workplace, run, make, library: Library) -> str:
    network = place.load(library)
    wanted = np.load(EXPECTED / f"{run.name}.npz")["losses"]
    place.runtime.set_threads(1)
    losses, weights = first_steps(network, run, make)
    apart = np.abs(losses - wanted)
    if not apart.max() <= LOSS_BAR:
        raise Mismatch(f"the loss of step {apart.argmax()} is {losses[apart.argmax()]}, PyTorch's {wanted[apart.argmax()]}")
    place.runtime.set_threads(2)
    losses_again, weights_again = first_steps(network, run, make)
    if losses_again.tobytes() != losses.tobytes():
        raise Mismatch("other losses with two threads")
    for name, values in weights.items():
        if weights_again[name].tobytes() != values.tobytes():
            raise Mismatch(f"other bits of {name} with two threads")
    return f"{STEPS} losses within {apart.max():.0e}"


def compare_with_x86(place: Workplace, run, make, libraries: list[Library]) -> str:
    results = [first_steps(place.load(library), run, make, DEVICE_STEPS) for library in libraries]
    (wanted, weights), (losses, learned) = results
    worst = {"the losses": np.abs(losses - wanted).max()}
    for name, values in weights.items():
        worst[name] = np.linalg.norm(learned[name] - values) / np.linalg.norm(values)
    name = max(worst, key=worst.get)
    text = f"after {DEVICE_STEPS} steps {name} differ most from x86's: {worst[name]:.0e}"
    if not worst[name] <= DEVICE_BAR:
        raise Mismatch(text)
    return text


def digits_by_seeds(place: Workplace, library: Library) -> str:
    network = place.load(library)
    place.runtime.set_threads(1)
    shares = []
    for seed in range(1, SEEDS + 1):
        learner = DigitsLearner(network, seed)
        for epoch in range(SEED_EPOCHS):
            learner.context.set_epoch(epoch)
            learner.learn(epoch_batches(DIGITS, learner.count, seed * SEED_EPOCHS + epoch))
        shares.append(learner.share_right())
    text = f"{100 * np.mean(shares):.2f} % right ({', '.join(f'{100 * share:.1f}' for share in shares)})"
    if np.mean(shares) < SEED_BAR:
        raise Mismatch(text)
    return text


def names_accuracy(place: Workplace, library: Library) -> str:
    place.runtime.set_threads(1)
    learner = begin(NamesLearner(place.load(library)), NAMES)
    learner.learn(batches(NAMES, learner.count, EPOCHS * learner.count))
    share, wanted = learner.share_right(), float(np.load(EXPECTED / "char_rnn.npz")["right"])
    text = f"{100 * share:.1f} % right, PyTorch {100 * wanted:.1f} %"
    if share < wanted - NAME_BAR:
        raise Mismatch(text)
    return text


def losses_library(run, target: str) -> Library:
    return Library(f"{run.name}.losses.{target}", run.name, program(run), target)


# A run, and the libraries that it is given.
Plan = dict[str, tuple[Callable[..., str], list]]


def plan_on_x86() -> Plan:
    digits, names = losses_library(DIGITS, "x86"), losses_library(NAMES, "x86")
    seeds = Library("lenet5.seeds", DIGITS.name, DIGITS.source.read_text(), "x86")
    return {
        "lenet5.losses": (lambda place, library: compare_losses(place, DIGITS, DigitsLearner, library), [digits]),
        "char_rnn.losses": (lambda place, library: compare_losses(place, NAMES, NamesLearner, library), [names]),
        "lenet5.seeds": (digits_by_seeds, [seeds]),
        "char_rnn.accuracy": (names_accuracy, [names]),
    }


def plan_on_device(target: str) -> Plan:
    def both(run, make):
        return (lambda place, *libraries: compare_with_x86(place, run, make, libraries),
                [losses_library(run, "x86"), losses_library(run, target)])
    return {f"lenet5.{target}": both(DIGITS, DigitsLearner), f"char_rnn.{target}": both(NAMES, NamesLearner)}


def run_all(plan: Plan, place: Workplace) -> int:
    passed = failed = 0
    for name, (run, libraries) in plan.items():
        try:
            ok, remark = True, run(place, *libraries)
        except Exception as failure:  # whatever it is, it is this run's failure
            ok, remark = False, str(failure) if isinstance(failure, Mismatch) else traceback.format_exc()
        passed, failed = passed + ok, failed + (not ok)
        print(f"{'pass' if ok else 'FAIL'} {name}: {remark}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, help="the build folder")
    parser.add_argument("--target", choices=["x86", *DEVICES], default="x86", help="what to train on")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="compile into this folder and leave it there")
    parser.add_argument("--compile-only", action="store_true", help="run nothing; for --keep")
    parser.add_argument("--compiled", type=pathlib.Path, metavar="FOLDER", help="run what --keep left, without nnc")
    options = parser.parse_args()
    plan = plan_on_x86() if options.target == "x86" else plan_on_device(options.target)
    if options.compiled:
        return run_all(plan, Workplace(options.compiled, options.compiled / "libnnc_runtime.so"))
    if not options.build:
        parser.error("one of --build and --compiled is needed")
    nnc = options.build.resolve() / "bin/nnc"
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        runtime = runtime_library(nnc, None, folder)
        if options.keep and runtime.parent != folder:
            shutil.copy(runtime, folder)
        for library in {library for _, libraries in plan.values() for library in libraries}:
            library.compile(nnc, folder)
        return 0 if options.compile_only else run_all(plan, Workplace(folder, runtime))


if __name__ == "__main__":
    sys.exit(main())
