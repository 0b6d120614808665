#!/usr/bin/env python3
"""Tell the stories of the held-out pictures with PyTorch, and write story.answers: a line each, " / " between sentences.

The weights are those of story.safetensors, which nnc-train learned; PyTorch has them in float64. Needs PyTorch and
safetensors.
"""

import pathlib

import torch
from torch import nn

import convert  # first: it says where what the examples share is
import reference
import scenes
from convert import END, LONGEST, START, WORDS
from reference import Weights, conv, dense, flatten

HERE = pathlib.Path(__file__).parent


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
    seen = torch.relu(dense(flatten(x), w, "dense1"))
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
    w, output = reference.begin(__doc__, HERE / "story.safetensors", HERE / "story.answers")
    with torch.inference_mode(), open(output, "w") as file:
        for album in convert.make_albums("held-out"):
            file.write(" / ".join(" ".join(sentence) for sentence in tell(album, w)) + "\n")


if __name__ == "__main__":
    main()
