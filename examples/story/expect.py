#!/usr/bin/env python3
"""Tell the stories of the held-out pictures with PyTorch, and write story.answers: a line each, " / " between sentences.

The weights are those of story.safetensors, which nnc-train learned; PyTorch has them in float64. Needs PyTorch and
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
from convert import END, LONGEST, START, WORDS

HERE = pathlib.Path(__file__).parent
Weights = dict[str, torch.Tensor]


def conv(x: torch.Tensor, w: Weights, layer: str) -> torch.Tensor:
    return torch.relu(nn.functional.conv2d(x, w[f"{layer}.kernel"].permute(3, 2, 0, 1), w[f"{layer}.bias"], padding=1))


def dense(x: torch.Tensor, w: Weights, layer: str) -> torch.Tensor:
    return x @ w[f"{layer}.kernel"].T + w[f"{layer}.bias"]


def gru(x: torch.Tensor, w: Weights, layer: str, start: torch.Tensor) -> torch.Tensor:
    """All states of PyTorch's own GRU with these weights; x [steps, width]."""
    own = {name: torch.cat([w[f"{layer}.{name}{gate}"] for gate in "rzn"]) for name in ("W", "R", "b")}
    hidden = torch.cat([torch.zeros_like(w[f"{layer}.br"]).repeat(2), w[f"{layer}.cn"]])
    module = nn.GRU(x.shape[1], start.shape[0]).double()
    weights = {"weight_ih_l0": own["W"], "weight_hh_l0": own["R"], "bias_ih_l0": own["b"], "bias_hh_l0": hidden}
    return torch.func.functional_call(module, weights, (x, start[None]))[0]


def tell(album: list[scenes.Digit], w: Weights) -> list[list[str]]:
    """A sentence for each picture."""
    pictures = torch.tensor([list(digit.pixels) for digit in album], dtype=torch.float64).view(-1, 1, scenes.SIZE, scenes.SIZE)
    x = nn.functional.max_pool2d(conv(conv(pictures / 16, w, "conv1"), w, "conv2"), 2)
    seen = torch.relu(dense(x.permute(0, 2, 3, 1).flatten(1), w, "dense1"))
    nothing = torch.zeros(seen.shape[1], dtype=torch.float64)
    plot = torch.cat([gru(seen, w, "bidirectional1.gru1", nothing),
                      gru(seen.flip(0), w, "bidirectional1.gru2", nothing).flip(0)], 1)
    sentences = []
    for h in torch.tanh(dense(plot, w, "dense2")):
        word, words = START, []
        while word != END and len(words) < LONGEST:
            h = gru(w["embed1.table"][word][None], w, "gru_cell1", h)[0]
            word = int(dense(h, w, "dense3").argmax())
            words.append(word)
        sentences.append([WORDS[word] for word in words if word != END])
    return sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--weights", type=pathlib.Path, default=HERE / "story.safetensors")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE / "story.answers")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    w = {name: torch.from_numpy(value.astype(np.float64)) for name, value in load_file(arguments.weights).items()}
    with torch.inference_mode(), open(arguments.output, "w") as file:
        for album in convert.held_out_albums():
            file.write(" / ".join(" ".join(sentence) for sentence in tell(album, w)) + "\n")


if __name__ == "__main__":
    main()
