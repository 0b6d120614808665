#!/usr/bin/env python3
"""Compute with torchvision, in float64 and in float32, what every network is expected to give, and write it to expected/.

    make_expected.py [--nnc NNC] [--seed N] [VARIANT...]

Needs PyTorch, torchvision and scikit-learn (whose two photographs are written to photos.npz where it is not there).
"""

from __future__ import annotations

import argparse
import copy
import pathlib

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.googlenet import BasicConv2d, Inception
from torchvision.models.resnet import Bottleneck

import networks
from networks import EXPECTED, PHOTOS, VARIANTS, Expected, Statistics, Variant
import from_torch
import gradients
from harness import find_nnc

NOISE = 5e-7  # what the image is changed by, to see whether gradients change much


# --- Models ------------------------------------------------------------------------------------------------------


def divide(model: nn.Module, by: int, classes: int) -> None:
    """Makes every layer narrower but for the image and the classes."""
    def fewer(count: int) -> int:
        return count if count in (3, classes) else count // by

    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Conv2d):
                narrow = nn.Conv2d(fewer(layer.in_channels), fewer(layer.out_channels), layer.kernel_size, layer.stride,
                                   layer.padding, layer.dilation, layer.groups, layer.bias is not None)
            elif isinstance(layer, nn.Linear):
                narrow = nn.Linear(fewer(layer.in_features), fewer(layer.out_features))
            elif isinstance(layer, nn.BatchNorm2d):
                narrow = nn.BatchNorm2d(fewer(layer.num_features), layer.eps, layer.momentum)
            else:
                continue
            setattr(module, name, narrow)


def as_published(model: nn.Module, name: str) -> None:
    """Turns torchvision's model into the paper's."""
    if name == "alexnet":
        for place, channels in ((0, (3, 96, 1)), (3, (96, 256, 2)), (6, (256, 384, 1)), (8, (384, 384, 2)),
                                (10, (384, 256, 2))):
            old = model.features[place]
            model.features[place] = nn.Conv2d(*channels[:2], old.kernel_size, old.stride, old.padding, groups=channels[2])
        for place in (1, 4):
            model.features[place] = nn.Sequential(nn.ReLU(), nn.LocalResponseNorm(5, 5e-4, 0.75, 2))
    elif name == "googlenet":
        for module in list(model.modules()):
            if isinstance(module, Inception):
                old = module.branch3[1].conv
                module.branch3[1].conv = nn.Conv2d(old.in_channels, old.out_channels, 5, padding=2)
        for module in model.modules():
            if isinstance(module, BasicConv2d):
                old, module.bn = module.conv, nn.Identity()
                module.conv = nn.Conv2d(old.in_channels, old.out_channels, old.kernel_size, old.stride, old.padding)
        model.maxpool1 = nn.Sequential(model.maxpool1, nn.LocalResponseNorm(5))
        model.maxpool2 = nn.Sequential(nn.LocalResponseNorm(5), model.maxpool2)
        model.maxpool4 = nn.MaxPool2d(3, 2, ceil_mode=True)
    else:
        for module in model.modules():
            if isinstance(module, Bottleneck):
                module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride


def make_model(variant: Variant) -> nn.Module:
    more = {"init_weights": False, "aux_logits": variant.trains} if variant.torchvision == "googlenet" else {}
    model = getattr(torchvision.models, variant.torchvision)(num_classes=variant.classes, **more)
    if variant.paper:
        as_published(model, variant.torchvision)
    if variant.narrow > 1:
        divide(model, variant.narrow, variant.classes)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def parts_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in model.state_dict().items()
            if not name.endswith("num_batches_tracked")}


def images(variant: Variant) -> torch.Tensor:
    return torch.from_numpy(networks.photographs(variant.size)).permute(0, 3, 1, 2).contiguous()


def calibrate(model: nn.Module, x: torch.Tensor) -> Statistics:
    """The mean and the variance of what each batch norm is given, each layer after those before it."""
    statistics: Statistics = {}

    def measure(name: str, norm: nn.BatchNorm2d):
        def hook(_, inputs):
            value = inputs[0].detach()
            variance, mean = torch.var_mean(value, (0, 2, 3), correction=0)
            statistics[name] = tuple(float(np.float32(number)) for number in (mean.mean(), variance.mean()))
            for leaf in ("running_mean", "running_var"):
                values = networks.running(f"{name}.{leaf}", tuple(mean.shape), statistics)
                getattr(norm, leaf).copy_(torch.from_numpy(values))
        return norm.register_forward_pre_hook(hook)

    norms = {name: module for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    hooks = [measure(name, norm) for name, norm in norms.items()]
    for name in norms:
        if name.startswith("aux"):
            statistics[name] = (0.0, 1.0)
    with torch.inference_mode():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    return statistics


# --- Values ------------------------------------------------------------------------------------------------------


def gradients_of(variant: Variant, model: nn.Module, x: torch.Tensor) -> dict[str, np.ndarray]:
    """The loss, the gradients and the new running statistics by torchvision's names."""
    model.train()
    wanted = torch.from_numpy(networks.labels(variant)).long()
    outputs = model(x)
    heads = (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)  # the classifier first
    losses = [nn.functional.cross_entropy(head, wanted) for head in heads]
    loss = losses[0] + 0.3 * sum(losses[1:])
    loss.backward()
    found = {name: value.grad for name, value in model.named_parameters()}
    found |= {name: value for name, value in model.named_buffers() if "running" in name}
    return {"loss": loss.detach().numpy(), **{name: value.detach().numpy() for name, value in found.items()}}


def with_state(model: nn.Module, state: dict[str, np.ndarray]) -> nn.Module:
    model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()}, strict=False)
    return model


def make_logits(variant: Variant, seed: int) -> Expected:
    """What is expected in inference with the weights of a seed."""
    model, x = make_model(variant), images(variant)
    shapes = parts_of(model)
    start = networks.make_state(shapes, {name.rpartition(".")[0]: (0.0, 1.0) for name in shapes}, seed)
    exact = with_state(copy.deepcopy(model).double(), start)
    expected = Expected(shapes, calibrate(exact, x.double()), np.empty(0), 0, seed)
    state = expected.state()
    with torch.inference_mode():
        expected.logits = with_state(exact, state).eval()(x.double()).numpy()
        single = with_state(model, state).eval()(x).numpy()
    largest = np.abs(expected.logits).max()
    expected.float32 = float(np.abs(single - expected.logits).max() / largest)
    print(f"{variant.name}, seed {seed}: {len(shapes)} tensors, logits up to {largest:.3g}, "
          f"float32 is {expected.float32:.1e} off", flush=True)
    return expected


def changed(x: torch.Tensor, by: float, attempt: int) -> torch.Tensor:
    """An image, every number of it changed by about that share."""
    torch.manual_seed(attempt)
    return x * (1 + by * torch.randn_like(x))


def is_steady(variant: Variant, state: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> bool:
    """Whether rounding errors leave the gradients near to what they are. Where an activation is all but 0, or two of a
    window are all but equal, they decide which way its gradient goes, and there is nothing to compare."""
    for attempt in range(5):
        x = changed(images(variant).double(), NOISE, attempt)
        found = gradients_of(variant, with_state(make_model(variant).double(), state), x)
        if any(np.linalg.norm(found[name] - value) > variant.steady * np.linalg.norm(value) + 1e-9
               for name, value in exact.items()):
            return False
    return True


def make_gradients(variant: Variant, state: dict[str, np.ndarray], weights: from_torch.Weights) -> bool:
    """Writes down the gradients; gives whether they are fit to be compared. Of a network so large that they never are,
    float32 counts with the farthest of several draws: what rounding errors may decide there is what they decided once."""
    rules = from_torch.read_rules(variant.names)

    def in_our_names(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        loss = found.pop("loss")
        converted, wrong = from_torch.convert(found, weights, rules)
        assert not wrong, wrong
        return {"loss": loss, **converted}

    exact = gradients_of(variant, with_state(make_model(variant).double(), state), images(variant).double())
    if not variant.draws and not is_steady(variant, state, exact):
        return False
    key = f"{variant.name}/"
    exact = in_our_names(exact)
    singles = [in_our_names(gradients_of(variant, with_state(make_model(variant), state),
                                         changed(images(variant), NOISE if attempt else 0, attempt)))
               for attempt in range(variant.draws + 1)]
    expected = {}
    for name, values in exact.items():
        farthest = max((single[name] for single in singles), key=lambda single: np.linalg.norm(single - values))
        expected[key + name] = gradients.summarize(key + name, values, farthest)
    gradients.save(f"{variant.name}_gradients", expected)
    return True


def make(variant: Variant, nnc: pathlib.Path, first: int) -> None:
    """Takes the first seed whose gradients are fit to be compared."""
    weights = from_torch.list_weights(nnc, variant.source, variant.options)
    for seed in range(first, first + 50):
        expected = make_logits(variant, seed)
        if not variant.trains or make_gradients(variant, expected.state(), weights):
            expected.save(EXPECTED / f"{variant.name}.npz")
            return
    raise SystemExit(f"{variant.name}: no seed gives steady gradients")


def cut_squares() -> np.ndarray:
    """The middle of each photograph, 224 by 224."""
    from sklearn.datasets import load_sample_images
    pixels = [torch.tensor(image).permute(2, 0, 1)[None].float() for image in load_sample_images().images]
    cut = []
    for image in pixels:
        height, width = image.shape[2:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = image[:, :, top:top + side, left:left + side]
        small = nn.functional.interpolate(square, (224, 224), mode="bilinear", antialias=True, align_corners=False)
        cut.append(small[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy())
    return np.stack(cut)


def transform() -> np.ndarray:
    """What torchvision's transforms, those of its networks, make of each file, before it is normalized."""
    from PIL import Image
    from torchvision import transforms
    prepare = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(networks.SIZE)])
    return np.stack([np.asarray(prepare(Image.open(path).convert("RGB"))) for path in networks.FILES])


def make_photos() -> None:
    np.savez_compressed(PHOTOS, pixels=cut_squares(), transformed=transform())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*")
    parser.add_argument("--nnc", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0, help="of the weights: the first that is tried (0)")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        make_photos()
    gradients.FOLDER = EXPECTED
    EXPECTED.mkdir(exist_ok=True)
    for variant in VARIANTS:
        if not arguments.variants or variant.name in arguments.variants:
            make(variant, arguments.nnc or find_nnc(), arguments.seed)


if __name__ == "__main__":
    main()
