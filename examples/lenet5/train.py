#!/usr/bin/env python3
"""Train LeNet-5 in PyTorch on the digits and write lenet5.safetensors and lenet5.logits.

lenet5.safetensors holds the weights under nnc's names and in its layouts: convolution kernels [height, width, in, out],
dense kernels [out, in], and the inputs of the first dense layer in the order height, width, channel.
lenet5.logits holds what PyTorch answers for the 500 held-out pictures: float32 [500][10], little-endian.
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


class LeNet5(nn.Module):
    """The network of lenet5.nn, written for PyTorch (channels first)."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.dense1, self.dense2, self.dense3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.pool = nn.AvgPool2d(2)

    def forward(self, image):
        x = self.pool(torch.tanh(self.conv1(image)))
        x = self.pool(torch.tanh(self.conv2(x)))
        x = torch.tanh(self.dense1(x.flatten(1)))
        return self.dense3(torch.tanh(self.dense2(x)))

    def named_for_nnc(self) -> dict[str, np.ndarray]:
        """The weights by nnc's names, in nnc's layouts."""
        weights = {}
        for name in ("conv1", "conv2"):
            layer = getattr(self, name)
            weights[f"{name}.kernel"] = layer.weight.permute(2, 3, 1, 0)
            weights[f"{name}.bias"] = layer.bias
        for name in ("dense1", "dense2", "dense3"):
            layer = getattr(self, name)
            weights[f"{name}.kernel"] = layer.weight
            weights[f"{name}.bias"] = layer.bias
        # flatten: PyTorch counts channel, height, width; nnc height, width, channel.
        weights["dense1.kernel"] = self.dense1.weight.view(120, 16, 5, 5).permute(0, 2, 3, 1).reshape(120, 400)
        return {name: np.ascontiguousarray(value.detach().numpy()) for name, value in weights.items()}


def train(model: LeNet5, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Adam on batches of 32; the rate falls to zero along a cosine. Each picture is moved by up to 2 pixels."""
    batch = 32
    steps = epochs * -(-len(images) // batch)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    padded = nn.functional.pad(images, (2, 2, 2, 2), mode="replicate")
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch):
            down, across = torch.randint(0, 5, (2,)).tolist()
            loss = nn.functional.cross_entropy(model(padded[chosen, :, down:down + 32, across:across + 32]),
                                               labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()

    torch.manual_seed(1998)
    torch.set_num_threads(1)  # the sums of several threads would differ from run to run
    torch.use_deterministic_algorithms(True)
    (train_pixels, train_labels), (held_pixels, held_labels) = digits.load()
    model = LeNet5()
    train(model, torch.from_numpy(digits.upsample(train_pixels))[:, None], torch.from_numpy(train_labels),
          arguments.epochs)

    with torch.inference_mode():
        logits = model(torch.from_numpy(digits.upsample(held_pixels))[:, None]).numpy()
    right = int((logits.argmax(1) == held_labels).sum())
    print(f"{right} of {len(held_labels)} held-out digits right: {100 * right / len(held_labels):.1f} %")
    save_file(model.named_for_nnc(), arguments.output / "lenet5.safetensors")
    logits.astype("<f4").tofile(arguments.output / "lenet5.logits")


if __name__ == "__main__":
    main()
