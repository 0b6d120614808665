"""The networks that gpu.py times, compiled for CUDA as shared libraries, with what they launch."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORKS = "test/bench/networks"
CELLS = ("rnn", "lstm", "gru")
HIDDEN = (128, 256, 512, 1024)
NAME_LETTERS = 7  # of a name that char_rnn is trained on

# The library's name, its source, and what nnc is told besides.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "lenet5": ("examples/lenet5/lenet5.nn", "-no-train"),
    "lenet5_sgd": (f"{NETWORKS}/lenet5_sgd.nn",),
    "char_rnn": ("examples/char-rnn/char_rnn.nn",),
    "alexnet_train": ("examples/alexnet/alexnet.nn",),
    **{name: (f"examples/{name}/{name}.nn", "-no-train") for name in ("alexnet", "vgg16", "resnet152")},
    **{f"{cell}{hidden}": (f"{NETWORKS}/{cell}.nn", f"-set=hidden={hidden}") for cell in CELLS for hidden in HIDDEN},
}

LAUNCHES = re.compile(r"^(\w+) of .*?, (\d+) launch(?:es)?,(?: (\d+) one after the other)?", re.MULTILINE)


def count_launches(nnc: pathlib.Path, source: str, options: list[str]) -> dict[str, list[int]]:
    """For each function, its launches, and how many of these are one after the other."""
    lengths = [f"-lengths=T={NAME_LETTERS}"] if "char_rnn" in source else []
    said = subprocess.run([nnc, ROOT / source, "-target=cuda", "-explain", *lengths, *options], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return {match[1]: [int(match[2]), int(match[3] or match[2])] for match in LAUNCHES.finditer(said)}


def compile_libraries(nnc: pathlib.Path, folder: pathlib.Path, options: list[str]) -> None:
    """Libraries, and launches.json. Raises CalledProcessError where nnc fails."""
    folder.mkdir(parents=True, exist_ok=True)
    launches = {}
    for name, (source, *own) in LIBRARIES.items():
        subprocess.run([nnc, ROOT / source, "-target=cuda", "-shared", f"-name={name}", "-o", folder, *own, *options],
                       check=True)
        launches[name] = count_launches(nnc, source, own)
    (folder / "launches.json").write_text(json.dumps(launches, indent=1))
