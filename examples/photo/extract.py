#!/usr/bin/env python3
"""Write china.jpg, flower.jpg, seven.png and imagenet.names.

The photographs are those that scikit-learn ships (CC BY 2.0, Flickr: danielbuechele, vultilion), byte by byte. seven.png
is a handwritten digit of ../digits that no network here was trained on, dark on light, with paper on both sides.
imagenet.names has the 1000 classes of ImageNet as torchvision names them. Needs scikit-learn, torchvision and Pillow.
"""

import argparse
import pathlib
import shutil
import sys

import numpy as np
import sklearn.datasets
from PIL import Image
from torchvision.models._meta import _IMAGENET_CATEGORIES

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "digits"))
import digits  # noqa: E402


def draw_digit(wanted: int) -> Image.Image:
    """The first held-out digit of that kind, 320 by 240 pixels."""
    _, held_out = digits.load()
    grey = 255 - digits.upsample(held_out.pixels[held_out.labels == wanted][:1])[0] * 255
    ink = Image.fromarray(grey.round().astype(np.uint8)).resize((240, 240), Image.Resampling.BICUBIC)
    paper = Image.new("RGB", (320, 240), (255, 255, 255))
    paper.paste(ink, (40, 0))
    return paper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, default=HERE, help="folder to write to")
    output = parser.parse_args().output
    photographs = pathlib.Path(sklearn.datasets.__file__).parent / "images"
    for name in ("china.jpg", "flower.jpg"):
        shutil.copyfile(photographs / name, output / name)
    draw_digit(7).save(output / "seven.png", optimize=True)
    (output / "imagenet.names").write_text("".join(f"{name}\n" for name in _IMAGENET_CATEGORIES))


if __name__ == "__main__":
    main()
