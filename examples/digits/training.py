"""What the training scripts of the examples share: repeatable runs of PyTorch, and files in nnc's formats."""

import argparse
import pathlib
from collections.abc import Callable

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

BATCH = 32


def begin(description: str, folder: pathlib.Path, epochs: int, seed: int) -> argparse.Namespace:
    """Parses the command line (output, epochs) and makes what follows give the same bits in every run."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=folder, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=epochs)
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # the sums of several threads would differ from run to run
    return parser.parse_args()


def train(model: nn.Module, count: int, epochs: int, rate: float, loss_of: Callable[[torch.Tensor], torch.Tensor],
          clip: float = float("inf")) -> None:
    """Adam on batches of 32; the rate falls to zero along a cosine. loss_of gives the loss of the examples with these
    numbers; gradients are scaled down to the norm `clip`."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-count // BATCH))
    for _ in range(epochs):
        for chosen in torch.randperm(count).split(BATCH):
            loss = loss_of(chosen)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            schedule.step()


def report(answers: np.ndarray, labels: np.ndarray) -> None:
    """Prints how many of these answers [n, 10] are right."""
    right = int((answers.argmax(1) == labels).sum())
    print(f"{right} of {len(labels)} held-out digits right: {100 * right / len(labels):.1f} %")


def save(folder: pathlib.Path, name: str, weights: dict[str, torch.Tensor], answers: np.ndarray,
         kind: str = "logits") -> None:
    """Writes <name>.safetensors and, as little-endian float32, <name>.<kind>."""
    path = folder / f"{name}.safetensors"
    save_file({key: np.ascontiguousarray(value.detach().numpy()) for key, value in weights.items()}, path,
              metadata={"origin": f"examples/{name}/train.py"})
    path.chmod(0o644)
    answers.astype("<f4").tofile(folder / f"{name}.{kind}")
