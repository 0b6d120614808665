"""The networks of examples/ that are compared with torchvision's, in sizes that a test can afford and in their own.

Weights come from the counter-based generator of test/conformance, under torchvision's names and in its layouts, so that
the test makes the same ones without PyTorch and sends them through tools/weights/from_torch.py.
"""

from __future__ import annotations

import io
import json
import math
import pathlib
import re
import sys
import zipfile
from dataclasses import dataclass, field

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "conformance"), str(ROOT / "tools/weights")]

from case import hash_name, random_bits  # noqa: E402

EXPECTED = HERE / "expected"
PHOTOS = HERE / "photos.npz"
FILES = tuple(ROOT / "examples/photo" / name for name in ("china.jpg", "flower.jpg"))
SIZE = 224  # of the square that the networks read
CHUNK = 1 << 20  # elements that are drawn at once
BAR, SHARE = 1e-5, 2.0  # of the largest logit; of float32's own distance: how far logits may be off
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours, as torchvision has them


@dataclass(frozen=True)
class Variant:
    """A network with some of its parameters set, and what it is in torchvision."""

    name: str  # the library's
    network: str  # of examples/
    torchvision: str  # the function of torchvision.models
    settings: dict[str, str] = field(default_factory=dict)
    narrow: int = 1  # every width is divided by it
    paper: bool = False
    full: bool = False  # as large as the paper's: not in the regular suite
    trains: bool = True
    steady: float = 2e-3  # how far gradients may be moved by rounding errors: see make_expected.py
    draws: int = 0  # where they are moved farther: of so many draws float32's farthest counts
    strays: float = 0  # the share of the gradients that may be farther than the bar: see README.md
    classes: int = 1000
    size: int = 224

    @property
    def source(self) -> pathlib.Path:
        return ROOT / "examples" / self.network / f"{self.network}.nn"

    @property
    def names(self) -> pathlib.Path:
        return self.source.with_name("torchvision.names")

    @property
    def options(self) -> list[str]:
        """What nnc is told."""
        settings = {"classes": self.classes, "size": self.size, **self.settings}
        settings |= {"paper": "true"} if self.paper else {}
        return [f"-set={name}={value}" for name, value in settings.items()] + ["-no-train"] * (not self.trains)


def small(name: str, network: str, torchvision: str, size: int, narrow: int = 8, **more) -> Variant:
    settings = {key: str(value) for key, value in more.pop("settings", {}).items()}
    if narrow > 1:
        settings["width"] = str(64 // narrow)
    return Variant(name, network, torchvision, settings, narrow, classes=50, size=size, **more)


def full(name: str, network: str, settings: dict[str, str] | None = None, **more) -> Variant:
    return Variant(f"{name}_full", network, name, settings or {}, full=True, **more)


VARIANTS = (
    small("alexnet", "alexnet", "alexnet", 112, settings={"drop": 0}),
    small("alexnet_paper", "alexnet", "alexnet", 112, paper=True, settings={"drop": 0}),
    small("vgg16", "vgg16", "vgg16", 64, settings={"drop": 0}),
    small("vgg16_wide", "vgg16", "vgg16", 64, narrow=2, settings={"drop": 0}),  # tiles in most layers
    small("resnet18", "resnet152", "resnet18", 64, settings={"depth": 18}),
    small("resnet50", "resnet152", "resnet50", 64, trains=False, settings={"depth": 50}),
    small("resnet50_paper", "resnet152", "resnet50", 64, paper=True, trains=False, settings={"depth": 50}),
    small("resnet152", "resnet152", "resnet152", 64),
    small("googlenet", "googlenet", "googlenet", 128, settings={"drop": 0, "aux_drop": 0}),
    small("googlenet_paper", "googlenet", "googlenet", 128, paper=True, trains=False),
    full("alexnet", "alexnet", {"drop": "0"}),
    full("vgg16", "vgg16", {"drop": "0"}, draws=8),
    full("resnet18", "resnet152", {"depth": "18"}, trains=False),
    full("resnet50", "resnet152", {"depth": "50"}, trains=False),
    full("resnet152", "resnet152", draws=8, strays=0.05),
    full("googlenet", "googlenet", {"drop": "0", "aux_drop": "0"}, draws=8),
)


# --- Photographs -------------------------------------------------------------------------------------------------


def photographs(size: int) -> np.ndarray:
    """Two photographs as networks are given them: float32 [2, size, size, 3], height, width, channels. Of 224 pixels they
    are what torchvision's transforms make of the files, in single precision; smaller ones are points of a square."""
    with np.load(PHOTOS) as file:
        pixels, transformed = file["pixels"], file["transformed"]
    if size == SIZE:
        scaled = transformed.astype(np.float32) / np.float32(255)
        return np.ascontiguousarray((scaled - np.float32(MEAN)) / np.float32(DEVIATION))
    places = (np.arange(size) * pixels.shape[1]) // size
    pixels = pixels[:, places][:, :, places]
    return np.ascontiguousarray((pixels / 255 - MEAN) / DEVIATION, np.float32)


def labels(variant: Variant) -> np.ndarray:
    return (random_bits(hash_name(f"{variant.name}/label"), 2) % np.uint64(variant.classes)).astype(np.int32)


# --- Weights -----------------------------------------------------------------------------------------------------


def draw(name: str, shape: tuple[int, ...], scale: float, shift: float = 0) -> np.ndarray:
    """Uniform in shift ± scale, the numbers of that name: float32. What case.uniform draws, a stretch at a time."""
    count, seed = math.prod(shape), hash_name(name)
    values = np.empty(count, np.float32)
    for first in range(0, count, CHUNK):
        length = min(CHUNK, count - first)
        # SplitMix64 counts on from where the stretch begins.
        start = (seed + first * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        numbers = (random_bits(start, length) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1
        values[first:first + length] = shift + scale * numbers
    return values.reshape(shape)


Statistics = dict[str, tuple[float, float]]  # by batch norm: the mean and the variance of what it is given


def running(name: str, shape: tuple[int, ...], statistics: Statistics) -> np.ndarray:
    """A running mean or variance around the mean or the variance of all channels."""
    layer, _, leaf = name.rpartition(".")
    mean, variance = statistics[layer]
    if leaf == "running_mean":
        return draw(name, shape, 0.2 * math.sqrt(variance), mean)
    return draw(name, shape, 0.5 * variance, variance)


def last_norms(statistics: Statistics) -> set[str]:
    """The last batch norm of each residual block, such as `layer3.7.bn3`; none in other networks. So deep a network has
    gradients that float32 can tell where what a block adds is small, and where few activations are near to a ReLU's kink:
    in front of it the other norms shift by 2."""
    norms = [name for name in statistics if re.fullmatch(r"layer\d+\.\d+\.bn\d", name)]
    return {max(name for name in norms if name.split(".")[:2] == norm.split(".")[:2]) for norm in norms}


def make_state(shapes: dict[str, tuple[int, ...]], statistics: Statistics, seed: int) -> dict[str, np.ndarray]:
    """A state_dict of these shapes: kernels as He et al. scale them, batch norm near 1, the statistics given."""
    state = {}
    lasts = last_norms(statistics)
    for name, shape in shapes.items():
        layer, _, leaf = name.rpartition(".")
        if leaf.startswith("running"):
            state[name] = running(name, shape, statistics)
        elif len(shape) > 1:
            state[name] = draw(f"{seed}/{name}", shape, math.sqrt(6 / math.prod(shape[1:])))
        elif leaf == "weight":
            size = 0.25 if layer in lasts else 1
            state[name] = draw(f"{seed}/{name}", shape, 0.25 * size, size)
        else:
            state[name] = draw(f"{seed}/{name}", shape, 0.1, 2 if lasts and layer in statistics and layer not in lasts else 0)
    return state


# --- What is expected --------------------------------------------------------------------------------------------


@dataclass
class Expected:
    """What torchvision says of a variant."""

    shapes: dict[str, tuple[int, ...]]  # of the state_dict
    statistics: Statistics
    logits: np.ndarray  # float64's [2, classes]
    float32: float  # how far its float32 is from it, as a share of the largest logit
    seed: int  # of the weights

    def state(self) -> dict[str, np.ndarray]:
        """The weights."""
        return make_state(self.shapes, self.statistics, self.seed)

    def save(self, path: pathlib.Path) -> None:
        """The same bytes for the same values."""
        index = json.dumps([self.shapes, self.statistics, self.float32, self.seed], separators=(",", ":")).encode()
        members = {"index": np.frombuffer(index, np.uint8), "logits": self.logits.astype(np.float32)}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for member, array in members.items():
                stream = io.BytesIO()
                np.lib.format.write_array(stream, array)
                archive.writestr(zipfile.ZipInfo(f"{member}.npy"), stream.getvalue(), zipfile.ZIP_DEFLATED)


def load_expected(variant: Variant) -> Expected:
    with np.load(EXPECTED / f"{variant.name}.npz") as file:
        shapes, statistics, float32, seed = json.loads(file["index"].tobytes())
        logits = file["logits"].astype(np.float64)
    return Expected({name: tuple(shape) for name, shape in shapes.items()},
                    {name: tuple(pair) for name, pair in statistics.items()}, logits, float32, seed)
