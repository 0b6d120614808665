"""What the expect.py of the examples share: compiled networks' layers in PyTorch, with the weights that nnc-train saved.

Needs PyTorch and safetensors.
"""

import argparse
import pathlib

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

Weights = dict[str, torch.Tensor]


def begin(description: str, weights: pathlib.Path, output: pathlib.Path) -> tuple[Weights, pathlib.Path]:
    """The command line, whose defaults are these files: the weights in float64, and where to write."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--weights", type=pathlib.Path, default=weights)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=output)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    loaded = load_file(arguments.weights).items()
    return {name: torch.from_numpy(value.astype(np.float64)) for name, value in loaded}, arguments.output


def conv(x: torch.Tensor, w: Weights, layer: str) -> torch.Tensor:
    """A convolution that keeps the size, and relu; x [n, channels, height, width]."""
    return torch.relu(nn.functional.conv2d(x, w[f"{layer}.kernel"].permute(3, 2, 0, 1), w[f"{layer}.bias"], padding=1))


def dense(x: torch.Tensor, w: Weights, layer: str) -> torch.Tensor:
    return x @ w[f"{layer}.kernel"].T + w[f"{layer}.bias"]


def flatten(x: torch.Tensor) -> torch.Tensor:
    """In the order height, width, channels."""
    return x.permute(0, 2, 3, 1).flatten(1)
