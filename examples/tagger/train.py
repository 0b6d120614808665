#!/usr/bin/env python3
"""Train the tagger in PyTorch to say after every row of a digit which digit it is; write tagger.safetensors and
tagger.answers.

tagger.answers holds what PyTorch answers for the first 100 held-out pictures, row by row: float32 [100][8][10],
little-endian, probabilities.
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


def main() -> None:
    arguments = training.begin(__doc__, HERE, epochs=60, seed=1990)
    train_set, held_out = digits.load()
    x, labels = rows_of(train_set), torch.from_numpy(train_set.labels)
    model = Tagger()

    def loss_of(chosen):
        """The mean over the rows."""
        wanted = labels[chosen][:, None].expand(-1, x.shape[1])
        return nn.functional.cross_entropy(model(x[chosen]).flatten(0, 1), wanted.flatten())

    training.train(model, len(labels), arguments.epochs, 3e-3, loss_of, clip=5)
    with torch.inference_mode():
        answers = torch.softmax(model(rows_of(held_out)), 2).numpy()
    right = (answers.argmax(2) == held_out.labels[:, None]).mean(0)
    print("right after each row:", " ".join(f"{100 * share:.1f} %" for share in right))
    weights = {"W": model.rnn.weight_hh_l0, "U": model.rnn.weight_ih_l0, "S": model.out.weight}
    training.save(arguments.output, "tagger", weights, answers[:ANSWERS], "answers")


if __name__ == "__main__":
    main()
