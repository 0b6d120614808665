#!/usr/bin/env python3
"""Train the bag classifier in PyTorch on the digits' pixels with ink; write bag.safetensors and bag.logits.

bag.logits holds what PyTorch answers for the 500 held-out pictures: float32 [500][10], little-endian.
"""

import pathlib
import sys

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "digits"))
import digits  # noqa: E402
import training  # noqa: E402

GREY, DARK = 4, 12  # from these levels on a pixel is grey, or dark


def bags_of(pictures: digits.Pictures) -> list[torch.Tensor]:
    """One bag a picture: p for each grey pixel p, 64 + p for each dark one."""
    bags = []
    for pixels in pictures.pixels.reshape(-1, 64):
        lit = np.flatnonzero(pixels >= GREY)
        bags.append(torch.from_numpy(lit + 64 * (pixels[lit] >= DARK)))
    return bags


class Bag(nn.Module):
    """The network of bag.nn, from PyTorch's own bag of embeddings."""

    def __init__(self, items=128, width=32, hidden=32, classes=10):
        super().__init__()
        self.bag = nn.EmbeddingBag(items, width, mode="mean")
        self.dense1, self.dense2 = nn.Linear(width, hidden), nn.Linear(hidden, classes)

    def forward(self, bags: list[torch.Tensor]):
        starts = np.cumsum([0] + [len(bag) for bag in bags[:-1]])
        mean = self.bag(torch.cat(bags), torch.from_numpy(starts))
        return self.dense2(torch.relu(self.dense1(mean)))


def main() -> None:
    arguments = training.begin(__doc__, HERE, epochs=20, seed=2016)
    train_set, held_out = digits.load()
    bags, labels = bags_of(train_set), torch.from_numpy(train_set.labels)
    model = Bag()
    training.train(model, len(labels), arguments.epochs, 1e-2, lambda chosen: nn.functional.cross_entropy(
        model([bags[i] for i in chosen.tolist()]), labels[chosen]))
    with torch.inference_mode():
        logits = model(bags_of(held_out)).numpy()
    training.report(logits, held_out.labels)
    weights = {"bag1.embed1.table": model.bag.weight, "dense1.kernel": model.dense1.weight, "dense1.bias": model.dense1.bias,
               "dense2.kernel": model.dense2.weight, "dense2.bias": model.dense2.bias}
    training.save(arguments.output, "bag", weights, logits)


if __name__ == "__main__":
    main()
