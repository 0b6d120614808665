"""What is trained: examples' networks on their data, from weights and in an order that need not be stored."""

from __future__ import annotations

import importlib.util
import itertools
import pathlib
import re
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
sys.path[:0] = [str(ROOT / "test/conformance"), str(EXAMPLES / "digits")]
import digits  # noqa: E402
from case import hash_name, random_bits, weight  # noqa: E402

STEPS = 1000  # whose losses are compared
EPOCHS = 6  # of char_rnn, whose accuracy is compared
EXPECTED = pathlib.Path(__file__).parent / "expected"


def load_module(path: pathlib.Path):
    """A file of Python's whose name another folder has too."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


names = load_module(EXAMPLES / "names/convert.py")


def order(name: str, epoch: int, count: int) -> np.ndarray:
    """A permutation of that many examples."""
    return np.argsort(random_bits(hash_name(f"{name}/order/{epoch}"), count), kind="stable")


class Digits:
    """LeNet-5 on the digits, by a rule whose float32 stays near its float64 for all the steps."""

    name = "lenet5"
    source = EXAMPLES / "lenet5/lenet5.nn"
    optimizer = "momentum(rate = 0.005)"
    batch = 32
    weights = {"conv1.kernel": weight(5, 5, 1, 6), "conv1.bias": weight(6, scale=0.1),
               "conv2.kernel": weight(5, 5, 6, 16), "conv2.bias": weight(16, scale=0.1),
               "dense1.kernel": weight(120, 400), "dense1.bias": weight(120, scale=0.1),
               "dense2.kernel": weight(84, 120), "dense2.bias": weight(84, scale=0.1),
               "dense3.kernel": weight(10, 84), "dense3.bias": weight(10, scale=0.1)}

    def load(self):
        """(images, labels) to train on and held out: float32 [n, 32, 32, 1], int32 [n]."""
        return [(np.ascontiguousarray(digits.upsample(part.pixels)[..., None]), part.labels.astype(np.int32))
                for part in digits.load()]


class Names:
    """The language of a name, as char_rnn.nn trains it."""

    name = "char_rnn"
    source = EXAMPLES / "char-rnn/char_rnn.nn"
    optimizer = "sgd(rate = 0.005)"
    batch = 1
    weights = {"Wih": weight(128, 186, scale=0.073), "bih": weight(128, scale=0.073),
               "Who": weight(16, 128, scale=0.088), "bho": weight(16, scale=0.088)}

    def load(self):
        """[(letters, language)] to train on and held out: int32 [length], a number."""
        parts = []
        for part in ("train", "held-out"):
            lines = [line.split("\t") for line in (EXAMPLES / f"names/{part}.txt").read_text().splitlines()]
            parts.append([(np.array([names.LETTERS.index(letter) for letter in name], np.int32),
                           names.LANGUAGES.index(language)) for language, name in lines])
        return parts


DIGITS, NAMES = Digits(), Names()


def initial_weights(run: Digits | Names) -> dict[str, np.ndarray]:
    return {name: tensor.fill(f"learning/{run.name}/{name}", tensor.shape) for name, tensor in run.weights.items()}


def program(run: Digits | Names) -> str:
    """The example's program, with the run's optimizer."""
    text, count = re.subn(r"optimizer = .*", f"optimizer = {run.optimizer}", run.source.read_text())
    assert count == 1, f"{run.source} has {count} optimizers"
    return text


def epoch_batches(run: Digits | Names, count: int, epoch: int) -> list[np.ndarray]:
    """Which of so many examples each step of an epoch sees."""
    chosen = order(run.name, epoch, count)
    return [chosen[start:start + run.batch] for start in range(0, count, run.batch)]


def batches(run: Digits | Names, count: int, steps: int) -> list[np.ndarray]:
    """Which of so many examples each of the first steps sees."""
    endless = (batch for epoch in itertools.count() for batch in epoch_batches(run, count, epoch))
    return list(itertools.islice(endless, steps))
