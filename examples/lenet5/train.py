#!/usr/bin/env python3
"""Train LeNet-5 in PyTorch on the digits and write lenet5.safetensors and lenet5.logits.

lenet5.safetensors holds the weights under nnc's names and in its layouts: convolution kernels [height, width, in, out],
dense kernels [out, in], and the inputs of the first dense layer in the order height, width, channel.
lenet5.logits holds what PyTorch answers for the 500 held-out pictures: float32 [500][10], little-endian.
"""

import pathlib
import sys

import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "digits"))
import digits  # noqa: E402
import training  # noqa: E402


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

    def named_for_nnc(self) -> dict[str, torch.Tensor]:
        """The weights by nnc's names, in nnc's layouts."""
        weights = {}
        for name in ("conv1", "conv2", "dense1", "dense2", "dense3"):
            layer = getattr(self, name)
            weights[f"{name}.kernel"] = layer.weight.permute(2, 3, 1, 0) if "conv" in name else layer.weight
            weights[f"{name}.bias"] = layer.bias
        # flatten: PyTorch counts channel, height, width; nnc height, width, channel.
        weights["dense1.kernel"] = self.dense1.weight.view(120, 16, 5, 5).permute(0, 2, 3, 1).reshape(120, 400)
        return weights


def images_of(pictures: digits.Pictures) -> torch.Tensor:
    """[n, 1, 32, 32] in [0, 1]."""
    return torch.from_numpy(digits.upsample(pictures.pixels))[:, None]


def main() -> None:
    arguments = training.begin(__doc__, HERE, epochs=30, seed=1998)
    train_set, held_out = digits.load()
    labels = torch.from_numpy(train_set.labels)
    padded = nn.functional.pad(images_of(train_set), (2, 2, 2, 2), mode="replicate")
    model = LeNet5()

    def loss_of(chosen):
        """Each batch is seen moved by up to 2 pixels."""
        down, across = torch.randint(0, 5, (2,)).tolist()
        moved = padded[chosen, :, down:down + 32, across:across + 32]
        return nn.functional.cross_entropy(model(moved), labels[chosen])

    training.train(model, len(labels), arguments.epochs, 3e-3, loss_of)
    with torch.inference_mode():
        logits = model(images_of(held_out)).numpy()
    training.report(logits, held_out.labels)
    training.save(arguments.output, "lenet5", model.named_for_nnc(), logits)


if __name__ == "__main__":
    main()
