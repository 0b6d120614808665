"""Layers in PyTorch, told in its own words: batch in front, channels last outside and first inside.

`t` is the torch module, so that this file can be imported without it.
"""

from __future__ import annotations

import math


def channels_first(x):
    return x.movedim(-1, 1)


def channels_last(x):
    return x.movedim(1, -1)


def _tuple(value, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def sides(padding, kernel, dilation) -> list[tuple[int, int]]:
    """Padding before and after of each dimension; "same" puts the smaller half before."""
    rank = len(kernel)
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, _tuple(dilation, rank))]
        return [(total // 2, total - total // 2) for total in totals]
    if isinstance(padding, int):
        return [(padding, padding)] * rank
    return [(side, side) if isinstance(side, int) else tuple(side) for side in padding]


def pad(t, x, padding: list[tuple[int, int]], value: float = 0.0):
    """Pads the dimensions behind the first two (batch, channels)."""
    flat = [side for both in reversed(padding) for side in both]
    return t.nn.functional.pad(x, flat, value=value)


def conv(t, x, kernel, bias=None, stride=1, dilation=1, padding=0, groups=1, flip=False):
    """x [batch, spatial..., channels], kernel [spatial..., in / groups, out]."""
    if not x.numel():  # a sequence of length 0, padded to keep its length
        return x.new_zeros(*x.shape[:-1], kernel.shape[-1])
    rank = kernel.dim() - 2
    weight = kernel.movedim(-1, 0).movedim(-1, 1).contiguous()
    if flip:
        weight = weight.flip(list(range(2, 2 + rank)))
    x = pad(t, channels_first(x), sides(padding, kernel.shape[:rank], dilation))
    function = (t.nn.functional.conv1d, t.nn.functional.conv2d, t.nn.functional.conv3d)[rank - 1]
    return channels_last(function(x, weight, bias, stride=_tuple(stride, rank), dilation=_tuple(dilation, rank),
                                  groups=groups))


def max_pool(t, x, window, stride=None, padding=0, ceil=False):
    """x [batch, spatial..., channels]; padding counts as minus infinity."""
    rank = x.dim() - 2
    function = (t.nn.functional.max_pool1d, t.nn.functional.max_pool2d, t.nn.functional.max_pool3d)[rank - 1]
    window = _tuple(window, rank)
    if ceil:  # PyTorch's own padding, whose last window must begin inside
        return channels_last(function(channels_first(x), window, stride or window, padding, ceil_mode=True))
    x = pad(t, channels_first(x), sides(padding, window, 1), -math.inf)
    return channels_last(function(x, window, stride or window))


def avg_pool(t, x, window, stride=None, padding=0, ceil=False, count_padding=False):
    """x [batch, spatial..., channels]."""
    rank = x.dim() - 2
    function = (t.nn.functional.avg_pool1d, t.nn.functional.avg_pool2d, t.nn.functional.avg_pool3d)[rank - 1]
    window = _tuple(window, rank)
    x = channels_first(x)
    if ceil:
        return channels_last(function(x, window, stride or window, padding, ceil_mode=True,
                                      count_include_pad=count_padding))
    ones = t.ones_like(x)
    both = sides(padding, window, 1)
    total = function(pad(t, x, both), window, stride or window)
    share = function(pad(t, ones, both, 1.0 if count_padding else 0.0), window, stride or window)
    return channels_last(total / share)


def adaptive_avg_pool(t, x, n):
    """x [batch, spatial..., channels]."""
    rank = x.dim() - 2
    functional = t.nn.functional
    function = (functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d, functional.adaptive_avg_pool3d)[rank - 1]
    return channels_last(function(channels_first(x), _tuple(n, rank)))
