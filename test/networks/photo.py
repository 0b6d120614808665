#!/usr/bin/env python3
"""Hold examples/photo against torchvision: the pixels that it makes of photographs, and what five networks say of them.

    photo.py --build DIR [-k TEXT]

Weights are those of networks.py, through the files that from_torch.py writes. What the program gives a network must be
torchvision's transforms of the file, bit by bit; logits pass at the bar of run.py, and the five names it prints must be
those of the largest logits, in their order. What is no picture, and what are no weights, must be refused with a word.

Prints one line a check and, last, "N passed, N failed"; fails when one did.
"""

from __future__ import annotations

import argparse
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import replace

import numpy as np

import networks
from networks import BAR, FILES, ROOT, SHARE, VARIANTS, Expected, Variant
import from_torch

# As the program has them: without what only training needs.
NETWORKS = {variant.network: replace(variant, trains=False) for variant in VARIANTS
            if variant.full and variant.torchvision == variant.network}
NAMES = (ROOT / "examples/photo/imagenet.names").read_text().splitlines()
DIGIT = ROOT / "examples/photo/seven.png"
SECONDS = 120


class Program:
    """The program, and a folder for what it writes."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path):
        self.build, self.folder = build, folder

    def run(self, *arguments) -> subprocess.CompletedProcess:
        command = [self.build / "bin/photo-demo", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


def names_of(text: str) -> list[list[str]]:
    """The names under each photograph's."""
    said: list[list[str]] = []
    for line in text.splitlines()[1:]:
        if line.startswith("  "):
            said[-1].append(line.split("%  ")[1])
        else:
            said.append([])
    return said


def write_weights(program: Program, variant: Variant, expected: Expected) -> pathlib.Path:
    path = program.folder / f"{variant.network}.safetensors"
    shapes = from_torch.list_weights(program.build / "bin/nnc", variant.source, variant.options)
    weights, wrong = from_torch.convert(expected.state(), shapes, from_torch.read_rules(variant.names))
    assert not wrong, wrong
    from_torch.write_safetensors(path, weights, f"seed {expected.seed}")
    return path


def look(program: Program, variant: Variant) -> tuple[str, str]:
    """What is wrong with what the program says of both photographs, '' where nothing is; how far its logits are off."""
    expected = networks.load_expected(variant)
    weights = write_weights(program, variant, expected)
    given, answered = program.folder / "input", program.folder / "logits"
    done = program.run(variant.network, "-weights", weights, "-input", given, "-logits", answered, *FILES)
    weights.unlink()
    if done.returncode or done.stderr:
        return f"gave {done.returncode}: {done.stderr}", ""
    if f"{variant.network} with weights of {weights}, from seed {expected.seed}" not in done.stdout:
        return f"does not say whose weights it has: {done.stdout.splitlines()[0]}", ""
    if given.read_bytes() != networks.photographs(variant.size).tobytes():
        return "the network is given other pixels than torchvision's", ""
    logits = np.fromfile(answered, "<f4").reshape(2, variant.classes).astype(np.float64)
    distance = np.abs(logits - expected.logits).max() / np.abs(expected.logits).max()
    bar = SHARE * expected.float32 + BAR
    if not distance <= bar:
        return f"logits are {distance:.1e} off ({bar:.1e} is allowed)", ""
    best = [[NAMES[c] for c in row[:5]] for row in np.argsort(-expected.logits, axis=1, kind="stable")]
    complaint = "" if names_of(done.stdout) == best else f"it says {names_of(done.stdout)}, not {best}"
    return complaint, f"{distance:.0e} (float32's logits {expected.float32:.0e})"


def resized(png: bytes, width: int, height: int) -> bytes:
    """The file with another size in its header."""
    header = png[12:16] + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def refusals(program: Program):
    """What must be refused: a name, the arguments, and what must be said."""
    photo, folder = FILES[0], program.folder
    jpeg, png = photo.read_bytes(), DIGIT.read_bytes()
    weights = (ROOT / "examples/lenet5/lenet5.safetensors").read_bytes()
    files = {"nothing": b"", "text": b"a picture of a cat\n", "half.jpg": jpeg[:len(jpeg) // 2],
             "half.png": png[:len(png) // 2], "head.jpg": jpeg[:2], "no.jpg": jpeg[:2] + bytes(range(256)) * 40,
             "changed.png": png[:60] + b"\0" * 30 + png[90:],
             "huge.png": resized(png, 10_000, 10_000), "half.safetensors": weights[:len(weights) // 2],
             "names": b"cat\ndog\n"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for name, says in (("nothing", "is no JPEG or PNG"), ("text", "is no JPEG or PNG"), ("half.jpg", "Premature end"),
                       ("half.png", "read beyond"), ("head.jpg", "has no picture"), ("no.jpg", "has no picture"),
                       ("changed.png", ""), ("huge.png", "10000 by 10000 pixels"),
                       ("missing.jpg", "No such file"), (".", "Is a directory")):
        yield f"refuses {name} as a picture", ("lenet5", folder / name), f"{folder / name}: {says}"
    yield "refuses half a file of weights", ("lenet5", "-weights", folder / "half.safetensors", DIGIT), "half.safetensors"
    yield "refuses a picture as weights", ("lenet5", "-weights", photo, DIGIT), "loading the weights: "
    yield ("refuses another network's weights",
           ("lenet5", "-weights", ROOT / "examples/mlp/mlp.safetensors", DIGIT), "network lenet5 has no weight B")
    yield "refuses too few names", ("googlenet", "-names", folder / "names", photo), "2 names; the network has 1000 classes"
    yield "refuses too small a size", ("googlenet", "-resize", "200", photo), "224 by 224 pixels: -resize 200 is less"
    yield "refuses other networks", ("lenet6", photo), "there is no network lenet6"
    yield "refuses other options", ("lenet5", "-wieghts", "x", photo), "there is no option -wieghts"


def checks(program: Program, text: str):
    """A name, what is wrong, '' where nothing is, and a remark for each check."""
    for name, variant in NETWORKS.items():
        if text in name:
            yield name, *look(program, variant)
    done = program.run("lenet5", DIGIT)
    if text in "lenet5":
        is_right = not done.returncode and names_of(done.stdout)[0][0] == "7"
        yield "lenet5", "" if is_right else done.stdout + done.stderr, "reads a seven"
    for name, arguments, says in refusals(program):
        if text in name:
            done = program.run(*arguments)
            ok = done.returncode == 1 and says in done.stderr
            said = done.stderr.strip()
            yield name, "" if ok else f"gave {done.returncode}: {said}", said.partition("\n")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("-k", metavar="TEXT", default="", help="only checks whose name contains this")
    arguments = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="nnc-photo-") as folder:
        for name, complaint, remark in checks(Program(arguments.build.resolve(), pathlib.Path(folder)), arguments.k):
            print(f"FAIL {name}: {complaint}" if complaint else f"pass {name}: {remark}", flush=True)
            passed, failed = passed + (not complaint), failed + bool(complaint)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
