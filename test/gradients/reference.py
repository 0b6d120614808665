"""What the gradient ops of the dialect mean, in float64.

Arrays lie as in a network: rows (time, batch) first, then space, then channels. Kernels are [k…, ci / groups, co].
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """A convolution's attributes; each list has one number for each spatial dimension, padding two."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: tuple[int, ...]
    groups: int = 1
    flip: bool = False


def pack(array: np.ndarray, dim: int, width: int) -> np.ndarray:
    """The elements in panels: [extent(dim) / width][other dimensions…][width], padded with zeros."""
    moved = np.moveaxis(array, dim, -1)
    extent = moved.shape[-1]
    panels = -(-extent // width)
    padded = np.zeros((*moved.shape[:-1], panels * width), array.dtype)
    padded[..., :extent] = moved
    return np.ascontiguousarray(np.moveaxis(padded.reshape(*moved.shape[:-1], panels, width), -2, 0))


def dense_input_gradient(dy: np.ndarray, w: np.ndarray) -> np.ndarray:
    return dy @ w


def dense_weight_gradient(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    return dy.reshape(-1, dy.shape[-1]).T @ x.reshape(-1, x.shape[-1])


def output_size(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> int:
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def _taps(kernel: np.ndarray, spatial: tuple[int, ...], window: Window, dy: np.ndarray):
    """For each tap of a kernel: its index in the kernel's array, and what of the padded image it meets."""
    rank = len(spatial)
    for tap in itertools.product(*map(range, kernel.shape[:rank])):
        place = [slice(None)] * dy.ndim
        for i, dim in enumerate(spatial):
            start = tap[i] * window.dilations[i]
            place[dim] = slice(start, start + (dy.shape[dim] - 1) * window.strides[i] + 1, window.strides[i])
        index = tuple(size - 1 - k for k, size in zip(tap, kernel.shape)) if window.flip else tap
        yield index, tuple(place)


def _padding(ndim: int, spatial: tuple[int, ...], window: Window) -> list[tuple[int, int]]:
    padding = [(0, 0)] * ndim
    for i, dim in enumerate(spatial):
        padding[dim] = (window.padding[2 * i], window.padding[2 * i + 1])
    return padding


def conv_input_gradient(dy: np.ndarray, kernel: np.ndarray, image: tuple[int, ...], spatial: tuple[int, ...],
                        window: Window) -> np.ndarray:
    """The cotangent of an image of this shape, whose dimensions `spatial` the window slides over."""
    padding = _padding(len(image), spatial, window)
    padded = np.zeros([size + before + after for size, (before, after) in zip(image, padding)])
    groups = window.groups
    ci, co = kernel.shape[-2], kernel.shape[-1] // groups
    for index, place in _taps(kernel, spatial, window, dy):
        for g in range(groups):
            weights = kernel[index][:, g * co:(g + 1) * co]
            padded[place][..., g * ci:(g + 1) * ci] += dy[..., g * co:(g + 1) * co] @ weights.T
    return padded[tuple(slice(before, before + size) for size, (before, _) in zip(image, padding))]


def conv_kernel_gradient(x: np.ndarray, dy: np.ndarray, shape: tuple[int, ...], spatial: tuple[int, ...],
                         window: Window) -> np.ndarray:
    """The cotangent of a kernel of this shape."""
    padded = np.pad(x, _padding(x.ndim, spatial, window))
    result = np.zeros(shape)
    groups = window.groups
    ci, co = shape[-2], shape[-1] // groups
    for index, place in _taps(result, spatial, window, dy):
        part = padded[place]
        for g in range(groups):
            left = part[..., g * ci:(g + 1) * ci].reshape(-1, ci)
            result[index][:, g * co:(g + 1) * co] = left.T @ dy[..., g * co:(g + 1) * co].reshape(-1, co)
    return result
