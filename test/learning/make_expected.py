#!/usr/bin/env python3
"""Train the networks of runs.py in PyTorch and write expected/<run>.npz: the losses of the first steps in float64, and
what share of the held-out names char_rnn in float32 has right at the end. Needs PyTorch; takes some minutes."""

import numpy as np
import torch

import references
from runs import DIGITS, EPOCHS, EXPECTED, NAMES, STEPS, batches, initial_weights


def start(run, dtype) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(values).to(dtype).requires_grad_() for name, values in initial_weights(run).items()}


def descend(optimizer, loss) -> float:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def digits_losses(dtype) -> np.ndarray:
    w = start(DIGITS, dtype)
    optimizer = torch.optim.SGD(w.values(), 0.005, momentum=0.9)
    images, labels = (torch.from_numpy(part) for part in DIGITS.load()[0])
    images, labels = images.to(dtype), labels.long()
    return np.array([descend(optimizer, torch.nn.functional.cross_entropy(references.lenet5(w, images[chosen]),
                                                                          labels[chosen]))
                     for chosen in batches(DIGITS, len(labels), STEPS)])


def learn_names(dtype, steps: int) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    w = start(NAMES, dtype)
    optimizer = torch.optim.SGD(w.values(), 0.005)
    names = [(torch.from_numpy(letters).long(), torch.tensor(language)) for letters, language in NAMES.load()[0]]
    losses = []
    for (index,) in batches(NAMES, len(names), steps):
        letters, language = names[index]
        losses.append(descend(optimizer, torch.nn.functional.cross_entropy(references.char_rnn(w, letters), language)))
    return np.array(losses), w


def share_right(w: dict[str, torch.Tensor]) -> float:
    with torch.inference_mode():
        right = [references.char_rnn(w, torch.from_numpy(letters).long()).argmax().item() == language
                 for letters, language in NAMES.load()[1]]
    return sum(right) / len(right)


def main() -> None:
    torch.set_num_threads(1)
    EXPECTED.mkdir(exist_ok=True)
    for run, losses in ((DIGITS, digits_losses), (NAMES, lambda dtype: learn_names(dtype, STEPS)[0])):
        exact = losses(torch.float64)
        apart = np.abs(losses(torch.float32) - exact).max()
        print(f"{run.name}: loss {exact[:50].mean():.3f} to {exact[-50:].mean():.3f}; float32 is {apart:.1e} off")
        assert apart <= 1e-4, "PyTorch's own float32 does not stay near: nothing can be compared"
        more = {}
        if run is NAMES:
            more["right"] = share_right(learn_names(torch.float32, EPOCHS * len(NAMES.load()[0]))[1])
            print(f"{run.name}: {100 * more['right']:.1f} % of the held-out right after {EPOCHS} epochs")
        np.savez_compressed(EXPECTED / f"{run.name}.npz", losses=exact.astype(np.float32), **more)


if __name__ == "__main__":
    main()
