#!/usr/bin/env python3
"""Watch held-out films with PyTorch, and write film.logits: float32 [20][24][5], little-endian, 0 past a film's end.

The weights are those of film.safetensors, which nnc-train learned; PyTorch has them in float64. Needs PyTorch and
safetensors.
"""

import argparse
import pathlib

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

import convert
import scenes

HERE = pathlib.Path(__file__).parent
COMPARED = 20


def watch(film: scenes.Film, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """The logits of each frame [frames, actions]."""
    frames = torch.tensor([[list(line) for line in frame] for frame in film.frames], dtype=torch.float64)[:, None] / 16

    def conv(x, layer: str):
        return torch.relu(nn.functional.conv2d(x, w[f"{layer}.kernel"].permute(3, 2, 0, 1), w[f"{layer}.bias"], padding=1))

    def dense(x, layer: str):
        return x @ w[f"{layer}.kernel"].T + w[f"{layer}.bias"]
    x = conv(nn.functional.max_pool2d(conv(frames, "conv1"), 2), "conv2")
    seen = torch.relu(dense(x.permute(0, 2, 3, 1).flatten(1), "dense1"))
    # PyTorch's own LSTM has its gates in another order.
    hidden = w["lstm1.bi"].shape[0]
    lstm = nn.LSTM(seen.shape[1], hidden).double()
    gates = {kind: torch.cat([w[f"lstm1.{kind}{gate}"] for gate in "ifgo"]) for kind in "WRb"}
    h, _ = torch.func.functional_call(lstm, {"weight_ih_l0": gates["W"], "weight_hh_l0": gates["R"], "bias_ih_l0": gates["b"],
                                             "bias_hh_l0": torch.zeros_like(gates["b"])}, (seen,))
    return dense(h, "dense2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--weights", type=pathlib.Path, default=HERE / "film.safetensors")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE / "film.logits")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    w = {name: torch.from_numpy(value.astype(np.float64)) for name, value in load_file(arguments.weights).items()}
    logits = np.zeros((COMPARED, scenes.LONGEST_FILM, len(convert.ACTIONS)), "<f4")
    with torch.inference_mode():
        for own, film in zip(logits, convert.held_out_films()):
            own[:len(film.frames)] = watch(film, w).numpy()
    logits.tofile(arguments.output)


if __name__ == "__main__":
    main()
