#!/usr/bin/env python3
"""Turn the tensors of a PyTorch model into the weights of a network that nnc compiles.

    from_torch.py STATE NETWORK.nn [-o FILE] [--names FILE] [--set name=value]... [--no-train] [--nnc NNC]

STATE is what torch.save wrote of a state_dict (.pth; needs PyTorch) or the same as .safetensors (needs NumPy alone). The
weights that NETWORK.nn has are asked of `nnc -list-weights`; --set and --no-train are handed on to it. Which tensor becomes
which weight says the file --names (by default torchvision.names beside NETWORK.nn). Each of its lines is

    TENSORS  WEIGHTS  [after WEIGHTS]  [optional]

and maps what begins with the first name to what begins with the second: `features.0 conv1` maps features.0.weight to
conv1.kernel and features.0.bias to conv1.bias. `{i}` stands for a number, which the second name may count from another
start: `layer{s}.{b}.conv1 stage{s}.block{b+1}.conv1`. Of several lines that fit, the first whose weight the network has
counts. A dense layer behind a flattened image says whose image: `after conv5`. What is optional may be left over where
the network does without it. `#` begins a comment.

Kernels are laid out anew: PyTorch's are [out, in, height, width], ours [height, width, in, out]; a flattened image is
channel, height, width there, height, width, channel here. Every tensor that is left over, every weight that is missing,
and every shape that does not fit is said, and then nothing is written.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import struct
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

# What the last part of a tensor's name becomes: the first of these that the weight's layer has.
LEAVES = {"weight": ("kernel", "scale", "table"), "bias": ("bias", "shift"), "running_mean": ("mean",),
          "running_var": ("variance",)}
IGNORED = ("num_batches_tracked",)  # counts, which inference and training here do without

Weights = dict[str, tuple[int, ...]]  # names and shapes


# --- The names ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """One line of a file of names."""

    tensors: str
    weights: str
    after: str = ""
    optional: bool = False

    def match(self, name: str) -> dict[str, int] | None:
        """The numbers that make `tensors` the given name; None where none do."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\d+)", re.escape(self.tensors))
        found = re.fullmatch(pattern, name)
        return {key: int(value) for key, value in found.groupdict().items()} if found else None


def fill(template: str, numbers: dict[str, int]) -> str:
    """`block{b+1}` with its numbers."""
    return re.sub(r"\{(\w+?)([+-]\d+)?\}", lambda part: str(numbers[part[1]] + int(part[2] or 0)), template)


def read_rules(path: pathlib.Path) -> list[Rule]:
    rules = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        options = words[2:]
        optional = "optional" in options
        options = [word for word in options if word != "optional"]
        if len(words) < 2 or (options and (options[0] != "after" or len(options) != 2)):
            raise SystemExit(f"{path}:{number}: a line is TENSORS WEIGHTS [after WEIGHTS] [optional]")
        rules.append(Rule(words[0], words[1], options[1] if options else "", optional))
    return rules


# --- Converting --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """What a tensor becomes."""

    weight: str  # empty: nothing, since the network does without it
    channels_of: str = ""  # of a dense kernel: the layer whose image it reads


def find_target(name: str, weights: Weights, rules: list[Rule]) -> Target | None:
    """None where no rule knows the tensor."""
    layer, _, leaf = name.rpartition(".")
    is_optional = False
    for rule in rules:
        numbers = rule.match(layer)
        if numbers is None:
            continue
        is_optional |= rule.optional
        for ours in LEAVES.get(leaf, ()):
            weight = f"{fill(rule.weights, numbers)}.{ours}"
            if weight in weights:
                return Target(weight, fill(rule.after, numbers) if ours == "kernel" else "")
    return Target("") if is_optional else None


def lay_out(tensor: np.ndarray, target: Target, weights: Weights) -> np.ndarray:
    """A tensor as it lies in the network's weight."""
    if tensor.ndim > 2:  # [out, in, space…] -> [space…, in, out]
        return tensor.transpose(*range(2, tensor.ndim), 1, 0)
    channels = weights.get(f"{target.channels_of}.kernel", (0,))[-1]
    if channels and tensor.ndim == 2 and tensor.shape[1] % channels == 0:
        return tensor.reshape(len(tensor), channels, -1).transpose(0, 2, 1).reshape(tensor.shape)
    return tensor


def convert(state: dict[str, np.ndarray], weights: Weights, rules: list[Rule]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The network's weights, and what is wrong: nothing, where the list is empty."""
    converted: dict[str, np.ndarray] = {}
    sources: dict[str, str] = {}
    wrong: list[str] = []
    for name, tensor in state.items():
        if name.rpartition(".")[2] in IGNORED:
            continue
        target = find_target(name, weights, rules)
        if target is None:
            wrong.append(f"left over: no weight of the network takes {name} {list(tensor.shape)}")
        elif target.weight in sources:
            wrong.append(f"twice: {name} and {sources[target.weight]} both become {target.weight}")
        elif target.weight:
            sources[target.weight] = name
            laid = lay_out(tensor, target, weights)
            if laid.shape == weights[target.weight]:
                converted[target.weight] = laid
            else:
                wrong.append(f"wrong shape: {name} {list(tensor.shape)} becomes {list(laid.shape)}, but "
                             f"{target.weight} is {list(weights[target.weight])}")
    wrong += [f"missing: no tensor becomes {name} {list(shape)}" for name, shape in weights.items() if name not in sources]
    return converted, wrong


# --- Files -------------------------------------------------------------------------------------------------------


def list_weights(nnc: pathlib.Path, network: pathlib.Path, options: list[str]) -> Weights:
    """The weights of a network, of which the file has one."""
    done = subprocess.run([nnc, "-list-weights", network, *options], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr.strip())
    found = re.findall(r"^(\S+) \[(.*)\]", done.stdout, re.MULTILINE)
    return {name: tuple(int(size) for size in sizes.split(",") if size) for name, sizes in found}


def read_state(path: pathlib.Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    import torch
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.float().numpy() for name, tensor in state.items()}


def read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start, state = file.tell(), {}
        for name, entry in head.items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in types:
                raise SystemExit(f"{path}: {name} is of type {entry['dtype']}; {', '.join(types)} can be read")
            first, last = entry["data_offsets"]
            file.seek(start + first)
            values = np.frombuffer(file.read(last - first), types[entry["dtype"]])
            state[name] = values.reshape(entry["shape"])
    return state


def write_safetensors(path: pathlib.Path, weights: dict[str, np.ndarray], origin: str = "") -> None:
    """`origin` is what the file says of where the weights are from."""
    head, at = {"__metadata__": {"origin": origin}} if origin else {}, 0
    for name, values in weights.items():
        size = 4 * values.size
        head[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in weights.values():
            file.write(np.ascontiguousarray(values, "<f4").tobytes())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state", type=pathlib.Path, metavar="STATE")
    parser.add_argument("network", type=pathlib.Path, metavar="NETWORK.nn")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="the weights (NETWORK.safetensors, here)")
    parser.add_argument("--names", type=pathlib.Path, help="which tensor becomes which weight")
    parser.add_argument("--set", action="append", default=[], metavar="name=value", help="a parameter of the network")
    parser.add_argument("--no-train", action="store_true", help="of a library for inference alone")
    parser.add_argument("--origin", help="what the file says of where the weights are from (the name of STATE)")
    parser.add_argument("--nnc", default="nnc", help="the compiler (nnc)")
    arguments = parser.parse_args()
    options = [f"-set={setting}" for setting in arguments.set] + ["-no-train"] * arguments.no_train
    weights = list_weights(arguments.nnc, arguments.network, options)
    rules = read_rules(arguments.names or arguments.network.with_name("torchvision.names"))
    converted, wrong = convert(read_state(arguments.state), weights, rules)
    for line in wrong:
        print(f"{arguments.state}: {line}", file=sys.stderr)
    if wrong:
        return 1
    write_safetensors(arguments.output or pathlib.Path(arguments.network.with_suffix(".safetensors").name), converted,
                      arguments.origin or arguments.state.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
