#!/usr/bin/env python3
"""Train the tagger in PyTorch to say after every row of a digit which digit it is; write tagger.safetensors and
tagger.answers.

tagger.answers holds what PyTorch answers for the first 100 held-out pictures, row by row: float32 [100][8][10],
little-endian, probabilities.
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

ANSWERS = 100


def rows_of(pictures: digits.Pictures) -> torch.Tensor:
    """Grey levels in [-1, 1], as sequences [n, 8 steps, 8 pixels]."""
    return torch.from_numpy(pictures.pixels.astype(np.float32) / 8 - 1)


class Tagger(nn.Module):
    """The network of tagger.nn, from PyTorch's own recurrent layer."""

    def __init__(self, inputs=8, hidden=64, tags=10):
        super().__init__()
        self.rnn = nn.RNN(inputs, hidden, bias=False, batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        self.out = nn.Linear(hidden, tags, bias=False)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


def train(model: Tagger, x: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Adam on batches of 32; the loss is the mean over the rows; the rate falls to zero along a cosine."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(32):
            logits = model(x[chosen])
            wanted = labels[chosen][:, None].expand(-1, x.shape[1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5)
            optimizer.step()
        schedule.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=60)
    arguments = parser.parse_args()

    torch.manual_seed(1990)
    torch.set_num_threads(1)  # the sums of several threads would differ from run to run
    torch.use_deterministic_algorithms(True)
    train_set, held_out = digits.load()
    model = Tagger()
    train(model, rows_of(train_set), torch.from_numpy(train_set.labels), arguments.epochs)

    with torch.inference_mode():
        answers = torch.softmax(model(rows_of(held_out)), 2).numpy()
    right = (answers.argmax(2) == held_out.labels[:, None]).mean(0)
    print("right after each row:", " ".join(f"{100 * share:.1f} %" for share in right))
    names = {"W": model.rnn.weight_hh_l0, "U": model.rnn.weight_ih_l0, "S": model.out.weight}
    save_file({name: value.detach().numpy() for name, value in names.items()}, arguments.output / "tagger.safetensors")
    answers[:ANSWERS].astype("<f4").tofile(arguments.output / "tagger.answers")


if __name__ == "__main__":
    main()
