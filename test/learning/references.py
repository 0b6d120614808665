"""The networks of runs.py in PyTorch: the loss of some examples, and the answers for one."""

from __future__ import annotations

import torch
from torch.nn import functional as f


def lenet5(w: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Logits [n, 10] of images [n, 32, 32, 1]."""
    x = images.permute(0, 3, 1, 2)
    for layer in ("conv1", "conv2"):
        x = f.avg_pool2d(torch.tanh(f.conv2d(x, w[f"{layer}.kernel"].permute(3, 2, 0, 1), w[f"{layer}.bias"])), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    for layer in ("dense1", "dense2"):
        x = torch.tanh(f.linear(x, w[f"{layer}.kernel"], w[f"{layer}.bias"]))
    return f.linear(x, w["dense3.kernel"], w["dense3.bias"])


def char_rnn(w: dict[str, torch.Tensor], letters: torch.Tensor) -> torch.Tensor:
    """Logits [languages] of one name, int64 [length]."""
    one_hot = f.one_hot(letters, w["Wih"].shape[1] - w["Wih"].shape[0]).to(w["Wih"].dtype)
    h = torch.zeros_like(w["bih"])
    for letter in one_hot:
        h = torch.tanh(w["Wih"] @ torch.cat((letter, h)) + w["bih"])
    return w["Who"] @ h + w["bho"]
