#!/usr/bin/env python3
"""Time networks compiled for CUDA beside PyTorch on the same device: eager, and with CUDA graphs.

    gpu.py --libraries DIR [--against DIR] [--build DIR] [--runtime FILE] [--seconds S] [--json FILE] [NAME...]

--libraries holds what gpu_libraries.py compiles; with --build it is compiled there first. --against holds the same of
another nnc, with its own runtime: a column more. float32 everywhere, without TF32. What is timed is a whole call from the
host: arguments are handed over and results are back. PyTorch's inputs are copied from pinned memory and its result is
read back, as ours are. Last come the kernels of a call of ours, and how many of them are one after the other.

Names of recurrent networks are those of the cell, its hidden size and the batch: lstm_256_16, train_gru_128_1.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))

from gpu_libraries import CELLS, HIDDEN, NAME_LETTERS, compile_libraries  # noqa: E402
from harness import runtime_library  # noqa: E402
from library import Context, Model, Network, Runtime, TrainingContext  # noqa: E402
from peers import INPUTS, STEPS, TAGS, Tagger, lenet5  # noqa: E402
from peers_training import LETTERS, RATE, CharRnn  # noqa: E402


@dataclass
class Subject:
    """A network, and how ours is called."""

    library: str  # of lib<library>.so, and the network's name
    module: Callable[[], nn.Module]
    inputs: Callable[[], torch.Tensor]
    labels: Callable[[], torch.Tensor] | None  # of a step of training
    loss: Callable | None
    batch: int
    lengths: tuple[int, ...]
    arguments: Callable[[torch.Tensor, torch.Tensor | None], list[np.ndarray]]


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def tagger(cell: str, hidden: int, batch: int, trains: bool) -> Subject:
    def arguments(x: torch.Tensor, labels: torch.Tensor | None) -> list[np.ndarray]:
        ours = np.ascontiguousarray(x.permute(1, 0, 2).numpy())
        if labels is None:
            return [ours, floats(batch, STEPS, TAGS)]
        return [ours, np.ascontiguousarray(labels.reshape(STEPS, batch).T.numpy().astype(np.int32)), floats(1)]
    return Subject(f"{cell}{hidden}", lambda: Tagger(cell, hidden), lambda: torch.randn(STEPS, batch, INPUTS),
                   (lambda: torch.randint(0, TAGS, (STEPS * batch,))) if trains else None, F.cross_entropy, batch, (STEPS,),
                   arguments)


def char_rnn() -> Subject:
    def arguments(x: torch.Tensor, labels: torch.Tensor | None) -> list[np.ndarray]:
        return [np.ascontiguousarray(x.permute(1, 0, 2).argmax(2).numpy().astype(np.int32)), labels.numpy().astype(np.int32),
                floats(1)]
    return Subject("char_rnn", CharRnn, lambda: F.one_hot(torch.randint(0, LETTERS, (NAME_LETTERS, 1)), LETTERS).float(),
                   lambda: torch.tensor([3]), F.nll_loss, 1, (NAME_LETTERS,), arguments)


def digits(batch: int, trains: bool) -> Subject:
    def arguments(x: torch.Tensor, labels: torch.Tensor | None) -> list[np.ndarray]:
        ours = np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy())
        if labels is None:
            return [ours, floats(batch, 10), floats(batch, 10)]
        return [ours, labels.numpy().astype(np.int32), floats(1)]
    return Subject("lenet5_sgd" if trains else "lenet5", lambda: lenet5()[:-1], lambda: torch.randn(batch, 1, 32, 32),
                   (lambda: torch.randint(0, 10, (batch,))) if trains else None, F.cross_entropy, batch, (), arguments)


def picture(name: str, batch: int, trains: bool = False) -> Subject:
    """One of torchvision's networks, whose logits are compared as well."""
    import torchvision

    def arguments(x: torch.Tensor, labels: torch.Tensor | None) -> list[np.ndarray]:
        ours = np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy())
        if labels is None:
            return [ours, floats(batch, 1000), floats(batch, 1000)]
        return [ours, labels.numpy().astype(np.int32), floats(1)]
    return Subject(name + "_train" if trains else name, lambda: getattr(torchvision.models, name)(weights=None),
                   lambda: torch.randn(batch, 3, 224, 224),
                   (lambda: torch.randint(0, 1000, (batch,))) if trains else None, F.cross_entropy, batch, (), arguments)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    **{f"{name}_{batch}": (lambda name=name, batch=batch: picture(name, batch))
       for name in ("alexnet", "vgg16", "resnet152") for batch in (1, 32)},
    "train_alexnet_32": lambda: picture("alexnet", 32, True),
    "lenet5_1": lambda: digits(1, False),
    "lenet5_32": lambda: digits(32, False),
    "train_lenet5_64": lambda: digits(64, True),
    "train_char_rnn": char_rnn,
    **{f"{cell}_{hidden}_{batch}": (lambda cell=cell, hidden=hidden, batch=batch: tagger(cell, hidden, batch, False))
       for cell in CELLS for hidden in HIDDEN for batch in (1, 16, 64)},
    **{f"train_{cell}_{hidden}_{batch}":
       (lambda cell=cell, hidden=hidden, batch=batch: tagger(cell, hidden, batch, True))
       for cell in CELLS for hidden in HIDDEN for batch in (1, 16, 64)},
}


def fastest(call: Callable[[], object], seconds: float) -> float:
    """The median of many calls, each timed by the host's clock."""
    for _ in range(5):
        call()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def ours(runtime: Runtime, folder: pathlib.Path, subject: Subject, x: torch.Tensor, labels: torch.Tensor | None,
         seconds: float) -> float:
    network = Network(runtime, folder / f"lib{subject.library}.so", subject.library)
    model = Model(network, "cuda")
    kind = TrainingContext if labels is not None else Context
    context = kind(model, subject.batch, list(subject.lengths))
    arguments = subject.arguments(x, labels)
    ragged = [None] * len(subject.lengths)
    if labels is None:
        call = lambda: context.run(0, subject.batch, list(subject.lengths), ragged, arguments)
    else:
        call = lambda: context.step(subject.batch, list(subject.lengths), ragged, arguments)
    taken = fastest(call, seconds)
    context.close()
    model.close()
    return taken


def eager(subject: Subject, x: torch.Tensor, labels: torch.Tensor | None, seconds: float) -> float:
    module, step = make_step(subject, x, labels)
    return fastest(step, seconds)


def make_step(subject: Subject, x: torch.Tensor, labels: torch.Tensor | None) -> tuple[nn.Module, Callable]:
    torch.manual_seed(0)
    module = subject.module().cuda()
    pinned, device = x.pin_memory(), x.cuda()
    if labels is None:
        module.eval()

        def infer() -> None:
            with torch.no_grad():
                device.copy_(pinned, non_blocking=True)
                module(device).cpu()
        return module, infer
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    answers = labels.cuda()

    def step() -> None:
        device.copy_(pinned, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        loss = subject.loss(module(device), answers)
        loss.backward()
        optimizer.step()
        loss.item()
    return module, step


def graphed(subject: Subject, x: torch.Tensor, labels: torch.Tensor | None, seconds: float) -> float:
    """The whole step recorded once and replayed."""
    torch.manual_seed(0)
    module = subject.module().cuda()
    pinned, device = x.pin_memory(), x.cuda()
    answers = labels.cuda() if labels is not None else None
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    if labels is None:
        module.eval()

    def body() -> torch.Tensor:
        if answers is None:
            with torch.no_grad():
                return module(device)
        optimizer.zero_grad(set_to_none=True)
        loss = subject.loss(module(device), answers)
        loss.backward()
        optimizer.step()
        return loss.detach()

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            body()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = body()

    def replay() -> None:
        device.copy_(pinned, non_blocking=True)
        graph.replay()
        result.cpu()
    return fastest(replay, seconds)


def describe_launches(folder: pathlib.Path, subject: Subject) -> str:
    """How many kernels a call launches, of a library that was compiled with this."""
    functions = json.loads((folder / "launches.json").read_text())[subject.library]
    names = ("train_gradients", "train_update") if subject.labels else ("infer",)
    launches, in_row = (sum(functions[name][i] for name in names) for i in (0, 1))
    return f"{launches} launches" + (f", {in_row} one after the other" if in_row < launches else "")


def time_elsewhere(folder: pathlib.Path, name: str, seconds: float) -> float:
    """Ours, of libraries whose runtime is another one than this process's."""
    with tempfile.NamedTemporaryFile(suffix=".json") as results:
        subprocess.run([sys.executable, __file__, "--libraries", folder, "--seconds", str(seconds), "--only-ours", "--json",
                        results.name, name], check=True, stdout=subprocess.DEVNULL)
        return json.loads(pathlib.Path(results.name).read_text())[name]["ours"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SUBJECTS)}; all when none is named")
    parser.add_argument("--libraries", type=pathlib.Path, required=True)
    parser.add_argument("--against", type=pathlib.Path, help="the same of another nnc, to compare with")
    parser.add_argument("--only-ours", action="store_true", help="without PyTorch's")
    parser.add_argument("--build", type=pathlib.Path, help="the build folder whose nnc compiles them")
    parser.add_argument("--runtime", type=pathlib.Path, help="libnnc_runtime.so (among the libraries)")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if options.build:
        compile_libraries(options.build / "bin/nnc", options.libraries, [])
        options.runtime = options.runtime or runtime_library(options.build / "bin/nnc", None, options.libraries)
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no device of CUDA's here; ./dev gpu-bundle makes a folder for a machine that has one")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    runtime = Runtime(options.runtime or options.libraries / "libnnc_runtime.so")
    results = {}
    peers = ["against"] * bool(options.against) + ["eager", "graph"] * (not options.only_ours)
    titles = {"against": "another nnc's", "eager": "PyTorch eager", "graph": "with CUDA graphs"}
    print(f"{torch.cuda.get_device_name()}; microseconds: {', '.join(['ours', *(titles[peer] for peer in peers)])}")
    for name in options.names or SUBJECTS:
        subject = SUBJECTS[name]()
        x, labels = subject.inputs(), subject.labels() if subject.labels else None
        row = {}
        calls = {"ours": lambda: ours(runtime, options.libraries, subject, x, labels, options.seconds),
                 "against": lambda: time_elsewhere(options.against, name, options.seconds),
                 "eager": lambda: eager(subject, x, labels, options.seconds),
                 "graph": lambda: graphed(subject, x, labels, options.seconds)}
        for who in ("ours", *peers):
            try:
                row[who] = calls[who]()
            except Exception as error:  # one that cannot be taken does not hide the others
                print(f"{name}: {who}: {type(error).__name__}: {str(error).splitlines()[0]}")
        results[name] = row
        shown = "  ".join(f"{row[who] * 1e6:9.1f}" if who in row else "        -" for who in ("ours", *peers))
        ratios = "  ".join(f"{row[who] / row['ours']:5.2f}x" for who in peers if who in row and "ours" in row)
        print(f"{name:18} {shown}   {ratios}   {describe_launches(options.libraries, subject)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
