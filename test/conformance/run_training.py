#!/usr/bin/env python3
"""Compile every training case and compare its losses and gradients with what PyTorch gave.

    run_training.py [-k TEXT] [--sanitize] [--bptt POLICY] [FAMILY...]

For each instruction set that the machine has, every call of a case runs with one thread and must give the expected loss
and, for each weight, the expected gradient: its distance from float64's may be twice that of PyTorch's float32, and
1e-5 of its norm. With two threads and on a used context it must give the same bits; a call in two, accumulated, must
give the same gradients; ragged calls also with each example alone. An update at rate 0 must leave the trained weights
as they were, and running statistics as expected. --sanitize does what it does to run.py. --bptt runs the cases that
have lengths, with this policy in their train blocks: it must not change what is expected.

Prints one line a case and, last, "N passed, N failed"; fails when one did.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import sys

import numpy as np

import cases
import gradients
import sanitizer
from case import Call
from harness import Mismatch, argument_parser, guard_size, handed_over, on_each_isa, run_families
from library import Model, Network, Runtime, TrainingContext
from training import Training

SHARE_OF_RANDOM = 9  # one in so many runs unless all are asked for; odd, so that both kinds do
Results = dict[str, np.ndarray]  # "loss", gradients by weight

load_expected = functools.cache(gradients.load)


class Runner:
    """Makes the calls of one case on one model."""

    def __init__(self, case: Training, model: Model, forbidden: bool):
        self.case, self.model = case, model
        self.forbidden = forbidden  # the last element of the first input, which must then be noticed
        self.shapes = {name: tensor.shape for name, tensor in case.weights.items()}
        self.free = case.free_dimensions()
        for name, values in case.weight_values().items():
            model.write(name, values)
        self.context = TrainingContext(model, max(call.batch for call in case.calls),
                                       [max(call.lengths[name] for call in case.calls) for name in self.free])

    def close(self) -> None:
        self.context.close()
        self.model.close()

    def call(self, call: Call, inputs: Results, accumulate: bool = False) -> float:
        """One call of the gradients; gives its loss."""
        guard = guard_size()
        given = [handed_over(inputs[name]) for name in self.case.arguments]
        loss = handed_over(np.full(1 + 2 * guard, np.nan, np.float32))
        ragged = [handed_over(np.array(call.ragged[name], np.int32)) if name in call.ragged else None
                  for name in self.free]
        if self.forbidden:
            sanitizer.forbid_last(given[0])
        self.context.gradients(call.batch, [call.lengths[name] for name in self.free], ragged,
                               [*given, loss[guard:guard + 1]], accumulate)
        if self.forbidden:
            raise Mismatch("a forbidden element was read, and nobody noticed")
        if not np.isnan(np.delete(loss, guard)).all():
            raise Mismatch(f"{call.name}: wrote outside of the loss")
        for array, name in zip(given, self.case.arguments):
            if array.tobytes() != inputs[name].tobytes():
                raise Mismatch(f"{call.name}: changed its input {name}")
        return loss[guard]

    def read(self) -> Results:
        return {name: self.context.gradient(name, self.shapes[name]) for name in self.case.trained}

    def run(self, call: Call) -> Results:
        return {"loss": self.call(call, self.case.input_values(call)), **self.read()}

    def run_apart(self, call: Call) -> Results:
        """The gradients of a call whose examples come one by one, each at its own length."""
        values, losses = self.case.input_values(call), []
        for example in range(call.batch):
            lengths = {name: call.ragged[name][example] if name in call.ragged else length
                       for name, length in call.lengths.items()}
            alone = {}
            for name, value in values.items():
                region = [slice(example, example + 1)]
                region += [slice(0, lengths.get(extent)) for extent in self.case.arguments[name].shape]
                alone[name] = np.ascontiguousarray(value[tuple(region)])
            losses.append(self.call(Call(1, lengths), alone, accumulate=example > 0))
        return {"loss": np.float32(np.mean(losses)), **self.read()}

    def update(self) -> Results:
        """What an update makes of running statistics; the other weights stay, since the rate is 0."""
        before = {name: self.model.read(name, self.shapes[name]) for name in self.case.trained}
        self.context.update()
        for name, values in before.items():
            if self.model.read(name, self.shapes[name]).tobytes() != values.tobytes():
                raise Mismatch(f"an update at rate 0 changed {name}")
        return {name: self.model.read(name, self.shapes[name]) for name in self.case.statistics}


def check(case: Training, call: Call, got: Results, wanted: dict[str, gradients.Expected], how: str = "") -> float:
    """The worst distance of a call's results."""
    key = f"{case.name}/{call.name}/"
    # Each of these has a scale of its own: a vanishing gradient is told by the others.
    parts = [{"loss": got["loss"]}, {name: value for name, value in got.items() if name in case.trained},
             *({name: value} for name, value in got.items() if name in case.statistics)]
    worst = 0.0
    for part in parts:
        wrong, distance = gradients.complaints(key, part, wanted, case.tolerance)
        if wrong:
            raise Mismatch(f"{call.name}{how}: {', '.join(wrong.values())}")
        worst = max(worst, distance)
    return worst


def same_bits(left: Results, right: Results, call: Call, how: str) -> None:
    for name, values in left.items():
        if values.tobytes() != right[name].tobytes():
            raise Mismatch(f"{call.name}: other bits of {name} {how}")


def run_isa(case: Training, runtime: Runtime, network: Network, wanted: dict[str, gradients.Expected],
            isa: str, forbidden: bool) -> float:
    """Everything that is to be seen with one instruction set; gives the worst distance."""
    worst = 0.0
    runtime.set_threads(1)
    runner = Runner(case, Model(network, isa), forbidden)
    results = [runner.run(call) for call in case.calls]
    for call, got in zip(case.calls, results):
        worst = max(worst, check(case, call, got, wanted))
        if call.batch > 1 and not case.together:
            check(case, call, runner.run_apart(call), wanted, ", example by example")
    for call, got in zip(case.calls, results):
        same_bits(got, runner.run(call), call, "on a used context")
    runtime.set_threads(2)
    for call, got in zip(case.calls, results):
        same_bits(got, runner.run(call), call, "with two threads")
        for name, values in case.weight_values().items():  # statistics as they were
            runner.model.write(name, values)
        runner.run(call)
        worst = max(worst, check(case, call, got | runner.update(), wanted))
    runner.close()
    return worst


def run_case(case: Training, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str],
             forbidden: bool) -> str:
    """Runs one case; gives a remark for its line, raises when it is wrong."""
    wanted = load_expected(f"{case.family}_gradients")
    if f"{case.name}/{case.calls[0].name}/loss" not in wanted:
        raise Mismatch("nothing is expected yet: run make_expected_gradients.py")
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    shapes = {name: tensor.shape for name, tensor in case.weights.items()}
    if network.weight_shapes() != shapes:
        raise Mismatch(f"weights are {network.weight_shapes()}, not {shapes}")
    return on_each_isa(isas, lambda isa: f"{run_isa(case, runtime, network, wanted, isa, forbidden):.0e}")


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--all", action="store_true", help=f"all random networks, not one in {SHARE_OF_RANDOM}")
    parser.add_argument("--bptt", metavar="POLICY", help="how sequences are gone through: checkpoint(sqrt), say")
    options = parser.parse_args()
    families = cases.load_training(options.families)
    if not options.all and not options.k and "random" in families:
        families["random"] = families["random"][::SHARE_OF_RANDOM]
    if options.bptt:
        families = {family: [dataclasses.replace(case, settings=(*case.settings, f"bptt = {options.bptt}"))
                             for case in members if case.free_dimensions()] for family, members in families.items()}
    return run_families(options, families, run_case)


if __name__ == "__main__":
    sys.exit(main())
