"""The networks that gpu.py times, compiled for CUDA as shared libraries."""

from __future__ import annotations

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORKS = "test/bench/networks"

# The library's name, its source, and what nnc is told besides.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "lenet5": ("examples/lenet5/lenet5.nn", "-no-train"),
    "lenet5_sgd": (f"{NETWORKS}/lenet5_sgd.nn",),
    "char_rnn": ("examples/char-rnn/char_rnn.nn",),
    "alexnet_train": ("examples/alexnet/alexnet.nn",),
    **{name: (f"examples/{name}/{name}.nn", "-no-train") for name in ("alexnet", "vgg16", "resnet152")},
    **{name: (f"{NETWORKS}/{name}.nn",) for name in ("rnn", "lstm", "gru")},
}


def compile_libraries(nnc: pathlib.Path, folder: pathlib.Path, options: list[str]) -> None:
    """Raises CalledProcessError where nnc fails."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (source, *own) in LIBRARIES.items():
        subprocess.run([nnc, ROOT / source, "-target=cuda", "-shared", f"-name={name}", "-o", folder, *own, *options],
                       check=True)
