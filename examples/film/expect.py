#!/usr/bin/env python3
"""Watch held-out films with PyTorch, and write film.logits: float32 [20][24][5], little-endian, 0 past a film's end.

The weights are those of film.safetensors, which nnc-train learned; PyTorch has them in float64. Needs PyTorch and
safetensors.
"""

import pathlib

import numpy as np
import torch
from torch import nn

import convert  # first: it says where what the examples share is
import reference
import scenes
from reference import conv, dense, flatten

HERE = pathlib.Path(__file__).parent
COMPARED = 20


def watch(film: scenes.Film, w: reference.Weights) -> torch.Tensor:
    """The logits of each frame [frames, actions]."""
    frames = torch.tensor([[list(line) for line in frame] for frame in film.frames], dtype=torch.float64)[:, None] / 16
    x = conv(nn.functional.max_pool2d(conv(frames, w, "conv1"), 2), w, "conv2")
    seen = torch.relu(dense(flatten(x), w, "dense1"))
    # PyTorch's own LSTM has its gates in another order.
    hidden = w["lstm1.bi"].shape[0]
    lstm = nn.LSTM(seen.shape[1], hidden).double()
    gates = {kind: torch.cat([w[f"lstm1.{kind}{gate}"] for gate in "ifgo"]) for kind in "WRb"}
    h, _ = torch.func.functional_call(lstm, {"weight_ih_l0": gates["W"], "weight_hh_l0": gates["R"], "bias_ih_l0": gates["b"],
                                             "bias_hh_l0": torch.zeros_like(gates["b"])}, (seen,))
    return dense(h, w, "dense2")


def main() -> None:
    w, output = reference.begin(__doc__, HERE / "film.safetensors", HERE / "film.logits")
    logits = np.zeros((COMPARED, scenes.LONGEST_FILM, len(convert.ACTIONS)), "<f4")
    with torch.inference_mode():
        for own, film in zip(logits, convert.make_films("held-out")):
            own[:len(film.frames)] = watch(film, w).numpy()
    logits.tofile(output)


if __name__ == "__main__":
    main()
