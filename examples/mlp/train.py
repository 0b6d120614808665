#!/usr/bin/env python3
"""Train the perceptron of mlp.nn in PyTorch, as its train block says, and write mlp.safetensors and mlp.logits.

mlp.logits holds what PyTorch answers for the 500 held-out pictures: float32 [500][10], little-endian.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "digits"))
import digits  # noqa: E402


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


def train(model: nn.Module, x: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Plain gradient descent on batches of 32."""
    for epoch in range(epochs):
        rate = 0.1 / (1 + 0.01 * epoch)
        for chosen in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[chosen]), labels[chosen])
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for weight, gradient in zip(model.parameters(), gradients):
                    weight -= rate * gradient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()

    torch.manual_seed(1986)
    torch.set_num_threads(1)  # the sums of several threads would differ from run to run
    torch.use_deterministic_algorithms(True)
    train_set, held_out = digits.load()
    model = perceptron()
    train(model, pixels_of(train_set), torch.from_numpy(train_set.labels), arguments.epochs)

    with torch.inference_mode():
        logits = model(pixels_of(held_out)).numpy()
    right = int((logits.argmax(1) == held_out.labels).sum())
    print(f"{right} of {len(held_out.labels)} held-out digits right: {100 * right / len(held_out.labels):.1f} %")
    names = {"W": model[0].weight, "b0": model[0].bias, "B": model[2].weight, "b1": model[2].bias}
    save_file({name: value.detach().numpy() for name, value in names.items()}, arguments.output / "mlp.safetensors")
    logits.astype("<f4").tofile(arguments.output / "mlp.logits")


if __name__ == "__main__":
    main()
