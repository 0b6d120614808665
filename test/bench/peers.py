#!/usr/bin/env python3
"""Time the peers' inference on the networks that nnc_bench times: ONNX Runtime, PyTorch and OpenVINO.

    peers.py [NAME...] [--threads N] [--peers ort,torch,openvino]

Runs in an environment that has them (`./dev bench -peers` makes one); a peer that is missing is left out. float32,
random weights and inputs. Prints one JSON object: {network: {peer: seconds a call, the fastest of all}}.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Iterable

import torch
from torch import nn

STEPS, INPUTS, TAGS = 64, 128, 32  # of a sequence


class Tagger(nn.Module):
    """A recurrent layer, and a dense one on every step; logits [steps * batch, TAGS]."""

    def __init__(self, kind: str, hidden: int):
        super().__init__()
        self.layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind](INPUTS, hidden)
        self.answer = nn.Linear(hidden, TAGS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.answer(self.layer(x)[0]).flatten(0, 1)


BATCHES = (8, 32)  # of networks for pictures, besides single ones


def lenet5() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
                         nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
                         nn.Softmax(1))


def dense(batch: int, inputs: int, outputs: int) -> tuple[nn.Module, torch.Tensor]:
    return nn.Linear(inputs, outputs, bias=False), torch.randn(batch, inputs)


def conv(kernel: int, size: int, inputs: int, outputs: int) -> tuple[nn.Module, torch.Tensor]:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(layer, nn.ReLU()), torch.randn(1, inputs, size, size)


def photograph(name: str, batch: int = 1) -> tuple[nn.Module, torch.Tensor]:
    """One of torchvision's networks, which ends in logits; ours takes their softmax, too."""
    import torchvision
    more = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    model = getattr(torchvision.models, name)(**more)
    return nn.Sequential(model, nn.Softmax(1)), torch.randn(batch, 3, 224, 224)


def sequence(kind: str, hidden: int, batch: int) -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(Tagger(kind, hidden), nn.Softmax(1)), torch.randn(STEPS, batch, INPUTS)


SUBJECTS: dict[str, Callable[[], tuple[nn.Module, torch.Tensor]]] = {
    "lenet5": lambda: (lenet5(), torch.randn(1, 1, 32, 32)),
    "dense_1008": lambda: dense(1008, 1008, 1008),
    "dense_64": lambda: dense(64, 1024, 1024),
    "dense_8": lambda: dense(8, 512, 512),
    "conv3x3_56_64_64": lambda: conv(3, 56, 64, 64),
    "conv3x3_28_128_128": lambda: conv(3, 28, 128, 128),
    "conv3x3_14_256_256": lambda: conv(3, 14, 256, 256),
    "conv3x3_7_512_512": lambda: conv(3, 7, 512, 512),
    "conv1x1_56_64_256": lambda: conv(1, 56, 64, 256),
    "conv1x1_56_256_64": lambda: conv(1, 56, 256, 64),
    "conv1x1_14_256_1024": lambda: conv(1, 14, 256, 1024),
    **{name: lambda name=name: photograph(name)
       for name in ("alexnet", "vgg16", "resnet18", "resnet50", "resnet152", "googlenet")},
    **{f"lenet5_{batch}": lambda batch=batch: (lenet5(), torch.randn(batch, 1, 32, 32)) for batch in BATCHES},
    **{f"{name}_{batch}": lambda name=name, batch=batch: photograph(name, batch)
       for name in ("alexnet", "vgg16", "googlenet", "resnet152") for batch in BATCHES},
    **{f"{kind}_{hidden}_{batch}": lambda kind=kind, hidden=hidden, batch=batch: sequence(kind, hidden, batch)
       for kind in ("lstm", "gru") for hidden in (128, 256, 512) for batch in (1, 16)},
}


def fastest(call: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest call within `seconds`, after a warm-up: ten calls, or one that takes longer."""
    begin = time.perf_counter()
    for _ in range(10):
        call()
        if time.perf_counter() - begin > seconds:
            break
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def onnx_of(model: nn.Module, x: torch.Tensor) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(model, (x,), file, dynamo=False)
    return file.getvalue()


def torch_call(model: nn.Module, x: torch.Tensor, threads: int) -> Callable[[], object]:
    torch.set_num_threads(threads)
    return lambda: model(x)


def ort_call(model: nn.Module, x: torch.Tensor, threads: int) -> Callable[[], object]:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(onnx_of(model, x), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x.numpy()}
    return lambda: session.run(None, feed)


def openvino_call(model: nn.Module, x: torch.Tensor, threads: int) -> Callable[[], object]:
    import openvino
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"})
    request = core.compile_model(core.read_model(onnx_of(model, x)), "CPU").create_infer_request()
    feed = [x.numpy()]
    return lambda: request.infer(feed)


PEERS = {"ort": ort_call, "torch": torch_call, "openvino": openvino_call}


def parse_arguments(description: str, subjects: Iterable[str], peers: Iterable[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"networks ({', '.join(subjects)})")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default=",".join(peers))
    parser.add_argument("--seconds", type=float, default=1, help="for each network and peer")
    arguments = parser.parse_args()
    arguments.names = arguments.names or list(subjects)
    return arguments


def print_fastest(arguments: argparse.Namespace, make_call: Callable[[str, str], Callable[[], object] | None]) -> None:
    """Times the call of each network and peer; a peer that is missing, or has no such call, is left out."""
    results: dict[str, dict[str, float]] = {}
    for name in arguments.names:
        for peer in arguments.peers.split(","):
            torch.manual_seed(0)
            try:
                call = make_call(name, peer)
            except ImportError as error:
                print(f"{peer} is left out: {error}", file=sys.stderr)
                continue
            if call:
                results.setdefault(name, {})[peer] = fastest(call, arguments.seconds)
    print(json.dumps(results))


def main() -> None:
    arguments = parse_arguments(__doc__, SUBJECTS, PEERS)

    def make_call(name: str, peer: str) -> Callable[[], object]:
        model, x = SUBJECTS[name]()
        return PEERS[peer](model.eval(), x, arguments.threads)

    with torch.inference_mode():
        print_fastest(arguments, make_call)


if __name__ == "__main__":
    main()
