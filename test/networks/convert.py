#!/usr/bin/env python3
"""What tools/weights/from_torch.py says of tensors that do not fit, and that it writes nothing then.

    convert.py --build DIR

Prints one line a check and, last, "N passed, N failed".
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import networks  # noqa: F401  (where the converter is)
import from_torch

TOOL = networks.ROOT / "tools/weights/from_torch.py"
PROGRAM = """network net(n = 4) {
  input  image[2, 2, 3]
  output y[2]
  y    = image |> conv(n, 1) |> batch_norm |> flatten |> dense(2)
  more = y |> dense(3)
}
train net(label : class[3]) {
  loss      = cross_entropy(softmax(more), label)
  optimizer = sgd
}
"""
NAMES = """# a comment
conv        conv1
bn          batch_norm1
head{i}.fc  dense{i+1}   after conv1     # only the first reads an image
aux         dense2       optional
"""


def state() -> dict[str, np.ndarray]:
    rows = np.arange
    return {"conv.weight": rows(12.0, dtype=np.float32).reshape(4, 3, 1, 1), "conv.bias": np.zeros(4, np.float32),
            "bn.weight": np.ones(4, np.float32), "bn.bias": np.zeros(4, np.float32),
            "bn.running_mean": np.zeros(4, np.float32), "bn.running_var": np.ones(4, np.float32),
            "bn.num_batches_tracked": np.zeros(1, np.float32),
            "head0.fc.weight": rows(32.0, dtype=np.float32).reshape(2, 16), "head0.fc.bias": np.zeros(2, np.float32),
            "aux.weight": np.ones((3, 2), np.float32), "aux.bias": np.zeros(3, np.float32)}


def convert(nnc: pathlib.Path, folder: pathlib.Path, tensors: dict[str, np.ndarray], *options: str) -> tuple[int, str]:
    """The exit status and what was said."""
    from_torch.write_safetensors(folder / "state.safetensors", tensors)
    (folder / "out.safetensors").unlink(missing_ok=True)
    done = subprocess.run([sys.executable, TOOL, folder / "state.safetensors", folder / "net.nn", "--nnc", nnc,
                           "-o", folder / "out.safetensors", *options], capture_output=True, text=True)
    return done.returncode, done.stderr


def changed(**tensors: np.ndarray | None) -> dict[str, np.ndarray]:
    """The state with some tensors replaced, or taken out where they are None."""
    replaced = {name.replace("__", "."): value for name, value in tensors.items()}
    return {name: value for name, value in (state() | replaced).items() if value is not None}


def checks(nnc: pathlib.Path, folder: pathlib.Path):
    """A name and whether it holds, for each check."""
    status, text = convert(nnc, folder, state())
    yield "converts", status == 0 and text == ""
    weights = from_torch.read_safetensors(folder / "out.safetensors")
    yield "kernels are [height, width, in, out]", (weights["conv1.kernel"][0, 0] == state()["conv.weight"][:, :, 0, 0].T).all()
    image = weights["dense1.kernel"].reshape(2, 4, 4)  # out, places, channels
    yield "flattened images end with channels", (image == state()["head0.fc.weight"].reshape(2, 4, 4).transpose(0, 2, 1)).all()
    wrong = (
        ("missing", changed(bn__running_var=None), (), "missing: no tensor becomes batch_norm1.variance [4]"),
        ("left over", changed(extra__weight=np.ones(3)), (), "left over: no weight of the network takes extra.weight [3]"),
        ("wrong shape", changed(conv__bias=np.ones(5)), (), "wrong shape: conv.bias [5] becomes [5], but conv1.bias is [4]"),
        ("other parameters", state(), ("--set", "n=8"), "conv.weight [4, 3, 1, 1] becomes [1, 1, 3, 4], but conv1.kernel is [1, 1, 3, 8]"),
        ("twice", changed(head1__fc__bias=np.ones(3)), (), "twice: head1.fc.bias and aux.bias both become dense2.bias"),
    )
    for name, tensors, options, message in wrong:
        status, text = convert(nnc, folder, tensors, *options)
        yield name, status == 1 and message in text and not (folder / "out.safetensors").exists()
    yield "what is optional may be left over", convert(nnc, folder, state(), "--no-train") == (0, "")
    (folder / "torchvision.names").write_text("conv conv1 behind it\n")
    status, text = convert(nnc, folder, state())
    yield "wrong line", status == 1 and "torchvision.names:1: a line is TENSORS WEIGHTS" in text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    nnc = parser.parse_args().build.resolve() / "bin/nnc"
    passed = failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "net.nn").write_text(PROGRAM)
        (folder / "torchvision.names").write_text(NAMES)
        for name, holds in checks(nnc, folder):
            print(f"{'pass' if holds else 'FAIL'} {name}")
            passed, failed = passed + bool(holds), failed + (not holds)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
