#!/usr/bin/env python3
"""Time the peers' steps of training on the networks that nnc_bench trains: PyTorch, eager and compiled, and JAX, jitted.

    peers_training.py [NAME...] [--threads N] [--peers torch,compiled,jax] [--seconds S]

As peers.py, in the same environment. A step is forward, backward and plain gradient descent, of networks for photographs
gradient descent with momentum and weight decay, in PyTorch, eager, with channels last; the same equations, sizes and
float32 everywhere. Prints one JSON object: {network: {peer: seconds a step, the fastest of all}}.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from peers import INPUTS, STEPS, TAGS, Tagger, lenet5, parse_arguments, print_fastest

RATE = 0.005
HIDDEN = 256
LETTERS, LANGUAGES, NAME = 58, 16, 7


class CharRnn(nn.Module):
    """h = tanh(i2h([letter, h])), and the answer from the last h."""

    def __init__(self):
        super().__init__()
        self.i2h, self.i2o = nn.Linear(LETTERS + 128, 128), nn.Linear(128, LANGUAGES)

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        h = letters.new_zeros(letters.shape[1], 128)
        for letter in letters:
            h = torch.tanh(self.i2h(torch.cat((letter, h), 1)))
        return F.log_softmax(self.i2o(h), 1)


Subject = tuple[nn.Module, torch.Tensor, torch.Tensor, Callable]


def char_rnn() -> Subject:
    letters = F.one_hot(torch.randint(0, LETTERS, (NAME, 1)), LETTERS).float()
    return CharRnn(), letters, torch.tensor([3]), F.nll_loss


def tagger(kind: str, batch: int) -> Subject:
    return (Tagger(kind, HIDDEN), torch.randn(STEPS, batch, INPUTS), torch.randint(0, TAGS, (STEPS * batch,)), F.cross_entropy)


def photographs(name: str) -> Subject:
    """One of torchvision's networks and 8 images."""
    import torchvision
    more = {"init_weights": False} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(**more).train().to(memory_format=torch.channels_last)
    x = torch.randn(8, 3, 224, 224).to(memory_format=torch.channels_last)

    def loss(answer, labels: torch.Tensor) -> torch.Tensor:
        if isinstance(answer, torch.Tensor):
            return F.cross_entropy(answer, labels)
        first, second = (F.cross_entropy(logits, labels) for logits in (answer.aux_logits1, answer.aux_logits2))
        return F.cross_entropy(answer.logits, labels) + 0.3 * first + 0.3 * second

    return model, x, torch.randint(0, 1000, (8,)), loss


# Timed in PyTorch, eager, alone, with the optimizer of our train blocks; a step takes seconds.
PHOTOGRAPHS = {f"train_{name}": decay for name, decay in
               (("alexnet", 5e-4), ("vgg16", 5e-4), ("googlenet", 0), ("resnet152", 1e-4))}

SUBJECTS: dict[str, Callable[[], Subject]] = {
    "train_char_rnn": char_rnn,
    **{f"train_{kind}_{batch}": (lambda kind=kind, batch=batch: tagger(kind, batch))
       for kind in ("rnn", "lstm", "gru") for batch in (1, 32)},
    **{name: (lambda name=name: photographs(name.removeprefix("train_"))) for name in PHOTOGRAPHS},
    # Without its softmax, which the loss brings.
    "train_lenet5_64": lambda: (lenet5()[:-1], torch.randn(64, 1, 32, 32), torch.randint(0, 10, (64,)), F.cross_entropy),
}


def torch_step(name: str, subject: Subject) -> Callable[[], object]:
    model, x, labels, loss = subject
    more = {"momentum": 0.9, "weight_decay": PHOTOGRAPHS[name]} if name in PHOTOGRAPHS else {}
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, **more)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), labels).backward()
        optimizer.step()

    return step


def compiled_step(name: str, subject: Subject) -> Callable[[], object]:
    model, *rest = subject
    return torch_step(name, (torch.compile(model), *rest))


# --- JAX: the same equations as functions of a tree of parameters -----------------------------------------------------


def jax_loss(name: str, subject: Subject):
    """Parameters and the loss as a function of them."""
    import jax
    import jax.numpy as jnp
    model, x, labels, _ = subject
    parameters = {key: jnp.array(value.detach().numpy()) for key, value in model.named_parameters()}
    labels = jnp.array(labels.numpy())
    kind = name.split("_")[1]
    if kind == "lenet5":
        x = x.permute(0, 2, 3, 1)  # channels last, which XLA likes better
    x = jnp.array(x.numpy())

    def cross_entropy(logits):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))

    def dense(p, layer, value):
        return value @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]

    def run_char_rnn(p):
        h = jnp.zeros((1, 128))
        for letter in x:
            h = jnp.tanh(dense(p, "i2h", jnp.concatenate((letter, h), 1)))
        return cross_entropy(dense(p, "i2o", h))

    def run_lenet5(p):
        def conv(layer, value):
            kernel = jnp.transpose(p[f"{layer}.weight"], (2, 3, 1, 0))
            return jax.lax.conv_general_dilated(value, kernel, (1, 1), "VALID",
                                                dimension_numbers=("NHWC", "HWIO", "NHWC")) + p[f"{layer}.bias"]

        def pool(value):
            n, height, width, channels = value.shape
            return value.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4))

        value = pool(jnp.tanh(conv("3", pool(jnp.tanh(conv("0", x))))))
        value = jnp.transpose(value, (0, 3, 1, 2)).reshape(value.shape[0], -1)
        return cross_entropy(dense(p, "11", jnp.tanh(dense(p, "9", jnp.tanh(dense(p, "7", value))))))

    def run_recurrent(p):
        inside = x @ p["layer.weight_ih_l0"].T + p["layer.bias_ih_l0"]
        weight, bias = p["layer.weight_hh_l0"].T, p["layer.bias_hh_l0"]
        zero = jnp.zeros((x.shape[1], HIDDEN))

        def rnn(h, gates):
            h = jnp.tanh(gates + h @ weight + bias)
            return h, h

        def lstm(state, gates):
            h, c = state
            i, f, g, o = jnp.split(gates + h @ weight + bias, 4, 1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        def gru(h, gates):
            (r, z, new), (rh, zh, nh) = jnp.split(gates, 3, 1), jnp.split(h @ weight + bias, 3, 1)
            z, new = jax.nn.sigmoid(z + zh), jnp.tanh(new + jax.nn.sigmoid(r + rh) * nh)
            h = new + z * (h - new)
            return h, h

        cell = {"rnn": rnn, "lstm": lstm, "gru": gru}[kind]
        _, h = jax.lax.scan(cell, (zero, zero) if kind == "lstm" else zero, inside)
        return cross_entropy(dense(p, "answer", h.reshape(-1, HIDDEN)))

    return parameters, {"char": run_char_rnn, "lenet5": run_lenet5}.get(kind, run_recurrent)


def jax_step(name: str, subject: Subject) -> Callable[[], object]:
    import jax
    parameters, loss = jax_loss(name, subject)

    @jax.jit
    def descend(p):
        value, gradients = jax.value_and_grad(loss)(p)
        return jax.tree.map(lambda weight, gradient: weight - RATE * gradient, p, gradients), value

    state = [parameters]

    def step() -> None:
        state[0], value = descend(state[0])
        value.block_until_ready()

    return step


PEERS = {"torch": torch_step, "compiled": compiled_step, "jax": jax_step}


def main() -> None:
    arguments = parse_arguments(__doc__, SUBJECTS, PEERS)
    # XLA has no number of threads; a processor for each it may use.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:arguments.threads])
    torch.set_num_threads(arguments.threads)
    print_fastest(arguments, lambda name, peer: None if name in PHOTOGRAPHS and peer != "torch"
                  else PEERS[peer](name, SUBJECTS[name]()))


if __name__ == "__main__":
    main()
