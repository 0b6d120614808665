#!/usr/bin/env python3
"""Train the perceptron of mlp.nn in PyTorch and write mlp.safetensors and mlp.logits.

mlp.logits holds what PyTorch answers for the 500 held-out pictures: float32 [500][10], little-endian.
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


def pixels_of(pictures: digits.Pictures) -> torch.Tensor:
    """Grey levels in [0, 1], as [n, 64]."""
    return torch.from_numpy(pictures.pixels.reshape(-1, 64).astype(np.float32) / 16)


def perceptron() -> nn.Sequential:
    """64 inputs, 32 hidden units, 10 classes; glorot weights and zero biases."""
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    for layer in (model[0], model[2]):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return model


def main() -> None:
    arguments = training.begin(__doc__, HERE, epochs=40, seed=1986)
    train_set, held_out = digits.load()
    x, labels = pixels_of(train_set), torch.from_numpy(train_set.labels)
    model = perceptron()
    training.train(model, len(labels), arguments.epochs, 3e-3,
                   lambda chosen: nn.functional.cross_entropy(model(x[chosen]), labels[chosen]))
    with torch.inference_mode():
        logits = model(pixels_of(held_out)).numpy()
    training.report(logits, held_out.labels)
    weights = {"W": model[0].weight, "b0": model[0].bias, "B": model[2].weight, "b1": model[2].bias}
    training.save(arguments.output, "mlp", weights, logits)


if __name__ == "__main__":
    main()
