#!/usr/bin/env python3
"""Compile every conformance case, run it in many ways and compare with what PyTorch gave.

    run.py [-k TEXT] [--sanitize] [FAMILY...]

For each instruction set that the machine has, every call of a case runs
  * with one thread, compared with the expected values,
  * with two threads, with a parallel loop of the caller's own, again on a used context, and on a context that is no
    larger than it must be: the same bits as with one thread;
ragged calls are also compared with each example alone. Outputs are surrounded by guards, inputs must stay as they are,
and the caller's arrays are aligned no better than a float.

With --sanitize every access of the libraries to memory is checked by AddressSanitizer: a kernel may touch its operands,
to the last byte, and nothing else. Instead of between guards the caller's arrays then lie on the heap, where what is
around them is forbidden.

A case runs in a process of its own, so that a crash is one failed case. Prints one line a case and, last,
"N passed, N failed"; fails when one did.
"""

from __future__ import annotations

import concurrent.futures
import math
import pathlib
import sys

import numpy as np

import cases
import expected
import sanitizer
from case import Call, Case
from harness import Mismatch, argument_parser, guard_size, handed_over, on_each_isa, run_families
from library import Context, Model, Network, Runtime


def threads_of_ones_own(user, task, data, count) -> int:
    """A caller's parallel_for: three Python threads, the last task first."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda index: task(data, index), reversed(range(count))))
    return next((result for result in results if result), 0)


class Runner:
    """Makes the calls of one case on one model."""

    def __init__(self, case: Case, outputs: dict[str, expected.Output], integers: set[str], forbidden: bool):
        self.case, self.outputs, self.integers = case, outputs, integers
        self.forbidden = forbidden  # the last element of the first input, which must then be noticed
        self.free = case.free_dimensions()

    def shape(self, call: Call, name: str) -> tuple[int, ...]:
        return self.outputs[f"{self.case.name}/{call.name}/{name}"].shape

    def context(self, model: Model, calls: tuple[Call, ...]) -> Context:
        """Room for the largest of these calls."""
        return Context(model, max(call.batch for call in calls),
                       [max(call.lengths[name] for call in calls) for name in self.free])

    def run(self, context: Context, call: Call, inputs: dict[str, np.ndarray],
            shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
        """The outputs of one call; they must be written whole, and nothing else."""
        guard = guard_size()
        given = [handed_over(inputs[name]) for name in self.case.inputs]
        guarded = []
        for name, shape in zip(self.case.outputs, shapes):
            integer = name in self.integers
            guarded.append(handed_over(np.full(math.prod(shape) + 2 * guard, -12345 if integer else np.nan,
                                               np.int32 if integer else np.float32)))
        arguments = given + [array[guard:len(array) - guard] for array in guarded]
        ragged = [handed_over(np.array(call.ragged[name], np.int32)) if name in call.ragged else None
                  for name in self.free]
        if self.forbidden:
            sanitizer.forbid_last(given[0])
        context.run(0, call.batch, [call.lengths[name] for name in self.free], ragged, arguments)
        if self.forbidden:
            raise Mismatch("a forbidden element was read, and nobody noticed")
        for array, name in zip(guarded, self.case.outputs):
            guards = np.concatenate([array[:guard], array[len(array) - guard:]])
            if not (np.isnan(guards).all() if array.dtype == np.float32 else (guards == -12345).all()):
                raise Mismatch(f"{call.name}: wrote outside of {name}")
        for array, name in zip(given, self.case.inputs):
            if array.tobytes() != inputs[name].tobytes():
                raise Mismatch(f"{call.name}: changed its input {name}")
        return [array[guard:len(array) - guard].reshape(shape) for array, shape in zip(guarded, shapes)]

    def all_calls(self, context: Context) -> list[list[np.ndarray]]:
        return [self.run(context, call, self.case.input_values(call),
                         [self.shape(call, name) for name in self.case.outputs]) for call in self.case.calls]

    def compare(self, call: Call, got: list[np.ndarray]) -> float:
        """The worst difference from the expected values, as a share of the largest."""
        worst = 0.0
        for name, values in zip(self.case.outputs, got):
            key = f"{self.case.name}/{call.name}/{name}"
            difference = self.outputs[key].difference(key, values)
            bound = 0 if name in self.integers else self.case.tolerance
            if not difference <= bound:
                raise Mismatch(f"{call.name}: {name} is {difference:.1e} off")
            worst = max(worst, difference)
        return worst

    def compare_alone(self, context: Context, call: Call, together: list[np.ndarray]) -> None:
        """Each example of a ragged call alone must give what it gave in the batch, with 0 after its end."""
        values = self.case.input_values(call)
        for example in range(call.batch):
            lengths = {name: call.ragged[name][example] if name in call.ragged else length
                       for name, length in call.lengths.items()}
            if 0 in lengths.values():
                continue
            alone = {}
            for name, value in values.items():
                region = [slice(example, example + 1)]
                region += [slice(0, lengths.get(extent)) for extent in self.case.inputs[name].shape]
                alone[name] = np.ascontiguousarray(value[tuple(region)])
            shapes = [(1, *self.outputs[f"{self.case.name}/{call.name}/{name}"].own_shapes[example])
                      for name in self.case.outputs]
            single = self.run(context, Call(1, lengths), alone, shapes)
            for name, output, own in zip(self.case.outputs, together, single):
                padded = np.zeros((1, *output.shape[1:]), output.dtype)
                padded[(slice(0, 1), *map(slice, own.shape[1:]))] = own
                unit = float(np.abs(output[np.isfinite(output)]).max(initial=0)) or 1.0
                difference = float(np.abs(padded[0] - output[example]).max(initial=0)) / unit
                if not difference <= self.case.tolerance:
                    raise Mismatch(f"{call.name}: {name} of example {example} differs from it alone by {difference:.1e}")

    def compare_steps(self, context: Context, call: Call, whole: list[np.ndarray]) -> None:
        """One step at a time on the context's state must give what the whole sequence gave."""
        values = self.case.input_values(call)
        for _ in range(2):  # the second time shows that reset forgets the first
            context.reset()
            for step in range(call.lengths["T"]):
                given = [handed_over(values[name][:, step]) for name in self.case.inputs]
                got = [handed_over(np.full((call.batch, *output.shape[2:]), np.nan, np.float32)) for output in whole]
                context.run(1, call.batch, [1] * len(self.free), [None] * len(self.free), given + got)
                for name, one, output in zip(self.case.outputs, got, whole):
                    unit = float(np.abs(output).max(initial=0)) or 1.0
                    difference = float(np.abs(one - output[:, step]).max(initial=0)) / unit
                    if not difference <= self.case.tolerance:
                        raise Mismatch(f"{call.name}: step {step + 1} of {name} differs from the whole by "
                                       f"{difference:.1e}")


def prepared(case: Case, network: Network, isa: str, parallel_for=None) -> Model:
    """A model with the case's weights."""
    model = Model(network, isa, parallel_for)
    for name, values in case.weight_values().items():
        model.write(name, values)
    return model


def same_bits(first: list[list[np.ndarray]], second: list[list[np.ndarray]], what: str, calls: tuple[Call, ...]) -> None:
    for call, left, right in zip(calls, first, second):
        if any(a.tobytes() != b.tobytes() for a, b in zip(left, right)):
            raise Mismatch(f"{call.name}: other bits {what}")


def run_isa(case: Case, runtime: Runtime, network: Network, runner: Runner, isa: str) -> float:
    """Everything that is to be seen with one instruction set; gives the worst difference."""
    runtime.set_threads(1)
    model = prepared(case, network, isa)
    context = runner.context(model, case.calls)
    results = runner.all_calls(context)
    worst = max(runner.compare(call, got) for call, got in zip(case.calls, results))
    same_bits(results, runner.all_calls(context), "on a used context", case.calls)
    for call, got in zip(case.calls, results):
        if call.ragged:
            runner.compare_alone(context, call, got)
        elif case.step:
            runner.compare_steps(context, call, got)
    exact = [runner.context(model, (call,)) for call in case.calls]
    tight = [runner.run(own, call, case.input_values(call), [runner.shape(call, name) for name in case.outputs])
             for own, call in zip(exact, case.calls)]
    same_bits(results, tight, "on a context of the call's own size", case.calls)
    runtime.set_threads(2)
    same_bits(results, runner.all_calls(context), "with two threads", case.calls)
    for own in exact + [context]:
        own.close()
    model.close()
    model = prepared(case, network, isa, threads_of_ones_own)
    context = runner.context(model, case.calls)
    same_bits(results, runner.all_calls(context), "with the caller's threads", case.calls)
    context.close()
    model.close()
    return worst


def run_case(case: Case, runtime_path: pathlib.Path, folder: pathlib.Path, isas: list[str],
             forbidden: bool) -> str:
    """Runs one case; gives a remark for its line, raises when it is wrong."""
    outputs = {key: value for key, value in expected.load(case.family).items() if key.startswith(case.name + "/")}
    if not outputs:
        raise Mismatch("nothing is expected yet: run make_expected.py")
    runtime = Runtime(runtime_path)
    network = Network(runtime, folder / f"lib{case.name}.so", case.name)
    wanted = {name: tensor.shape for name, tensor in case.weights.items()}
    if network.weight_shapes() != wanted:
        raise Mismatch(f"weights are {network.weight_shapes()}, not {wanted}")
    runner = Runner(case, outputs, set(case.integers), forbidden)
    return on_each_isa(isas, lambda isa: f"{run_isa(case, runtime, network, runner, isa):.0e}")


if __name__ == "__main__":
    options = argument_parser(__doc__).parse_args()
    sys.exit(run_families(options, cases.load(options.families), run_case))
