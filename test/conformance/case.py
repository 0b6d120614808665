"""What a conformance case is: a network, its inputs and weights, the calls to make, and what PyTorch says it means.

Inputs and weights come from a counter-based generator, so that nothing but the expected outputs is stored. Only a
case's reference needs PyTorch; run.py never calls it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Extent = int | str  # a number, or the name of a free dimension


def hash_name(name: str) -> int:
    """FNV-1a, 64 bits: the generator's seed for a tensor of that name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def random_bits(seed: int, count: int) -> np.ndarray:
    """SplitMix64 of seed and position: uint64 [count]."""
    position = np.arange(1, count + 1, dtype=np.uint64)
    z = np.uint64(seed) + position * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(seed: int, count: int) -> np.ndarray:
    """Uniform in [-1, 1), 24 bits, so that float32 holds each exactly: float64 [count]."""
    return (random_bits(seed, count) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1


@dataclass(frozen=True)
class Tensor:
    """An input's or a weight's shape, and how to fill it."""

    shape: tuple[Extent, ...]
    scale: float = 1.0  # values are uniform in shift ± scale
    shift: float = 0.0
    classes: int = 0  # not 0: whole numbers in [0, classes)
    values: tuple[float, ...] = ()  # not empty: these, again and again

    def fill(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The values of the tensor of that name: float32, or int32 for classes."""
        count = math.prod(shape)
        if self.values:
            return np.resize(np.array(self.values, np.float32), shape)
        if self.classes:
            return (random_bits(hash_name(name), count) % np.uint64(self.classes)).astype(np.int32).reshape(shape)
        return (self.shift + self.scale * uniform(hash_name(name), count)).astype(np.float32).reshape(shape)


def weight(*shape: int, scale: float = 0, shift: float = 0) -> Tensor:
    """A weight. Dense [out, in] and convolution [..., in, out] kernels are scaled so that outputs stay near 1."""
    if not scale:
        outputs = shape[0] if len(shape) == 2 else shape[-1]
        scale = 0.5 if len(shape) == 1 else math.sqrt(3 * outputs / math.prod(shape))
    return Tensor(shape, scale, shift)


@dataclass(frozen=True)
class Call:
    """One call: the batch, each free dimension's length, and for ragged ones the length of each example."""

    batch: int
    lengths: dict[str, int] = field(default_factory=dict)
    ragged: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        parts = [f"batch {self.batch}"] + [f"{name} {length}" for name, length in self.lengths.items()]
        return ", ".join(parts + [f"ragged {name}" for name in self.ragged])


BATCHES = (Call(1), Call(3), Call(64))

# Lengths of one free dimension T: 1, 2, one that no tile divides, and examples that differ.
SEQUENCES = (
    Call(1, {"T": 1}),
    Call(3, {"T": 2}),
    Call(2, {"T": 77}),
    Call(64, {"T": 5}),
    Call(5, {"T": 9}, {"T": (9, 1, 4, 7, 2)}),
)

# The same with an example that has ended before it begins.
EMPTY = Call(3, {"T": 4}, {"T": (0, 4, 2)})


@dataclass(frozen=True)
class Case:
    """A network and what is expected of it.

    reference(torch, x, w) gets float64 tensors by name, inputs with the batch in front, and gives one tensor for each
    output, batch in front (or a tuple of them). Ragged calls run it on each example alone. Of `dimensions` x has the
    call's lengths, numbers by name.
    """

    family: str
    name: str  # the network's, unique among all cases
    body: str
    inputs: dict[str, Tensor]
    reference: Callable
    weights: dict[str, Tensor] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("y",)
    calls: tuple[Call, ...] = BATCHES
    integers: tuple[str, ...] = ()  # outputs that are classes
    layers: str = ""  # declarations that the network uses
    ports: str = ""  # the outputs as they are declared, where that is more than their names
    dimensions: tuple[str, ...] = ()  # free dimensions of outputs alone
    step: bool = False  # has a step function, which gives the same one step at a time
    tolerance: float = 1e-5  # times the largest expected magnitude
    options: tuple[str, ...] = ()  # of nnc

    @property
    def arguments(self) -> dict[str, Tensor]:
        """What a call is given."""
        return self.inputs

    @property
    def program(self) -> str:
        """The network as a .nn program, without its layers: cases of a family share those."""
        ports = [port_text(name, tensor) for name, tensor in self.inputs.items()]
        lines = [f"input {', '.join(ports)}", f"output {self.ports or ', '.join(self.outputs)}"]
        lines += [line for line in self.body.strip().splitlines()]
        return f"network {self.name} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"

    def input_values(self, call: Call) -> dict[str, np.ndarray]:
        """Each input of a call, batch in front."""
        filled = {}
        for name, tensor in self.arguments.items():
            shape = (call.batch,) + tuple(call.lengths.get(extent, extent) for extent in tensor.shape)
            filled[name] = tensor.fill(f"{self.name}/{call.name}/{name}", shape)
        return filled

    def weight_values(self) -> dict[str, np.ndarray]:
        return {name: tensor.fill(f"{self.name}/{name}", tensor.shape) for name, tensor in self.weights.items()}

    def free_dimensions(self) -> list[str]:
        """Names of the free dimensions in the order in which the inputs bring them up."""
        names = [extent for tensor in self.arguments.values() for extent in tensor.shape if isinstance(extent, str)]
        return list(dict.fromkeys([*names, *self.dimensions]))


def port_text(name: str, tensor: Tensor) -> str:
    shape = f"[{', '.join(map(str, tensor.shape))}]" if tensor.shape else ""
    return f"{name}{shape}" + (f" : class[{tensor.classes}]" if tensor.classes else "")


def program_of(cases: list[Case]) -> str:
    """A whole .nn file with these cases; each declaration of layers once."""
    layers = dict.fromkeys(case.layers for case in cases if getattr(case, "layers", ""))
    return "\n".join([*layers, *(case.program for case in cases)])


class Family:
    """Collects the cases of one file."""

    def __init__(self, name: str, kind: type = Case):
        self.name, self.kind = name, kind
        self.cases: list[Case] = []

    def add(self, name: str, body: str, inputs: dict, reference: Callable, weights: dict | None = None, **more) -> None:
        """Adds a case; inputs and weights may be given as bare shapes."""
        inputs = {key: value if isinstance(value, Tensor) else Tensor(tuple(value)) for key, value in inputs.items()}
        weights = {key: value if isinstance(value, Tensor) else weight(*value) for key, value in (weights or {}).items()}
        self.cases.append(self.kind(self.name, name, body, inputs, reference, weights, **more))
