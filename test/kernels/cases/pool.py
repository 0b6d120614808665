"""Gradients of pooling: numpy gives each window's cotangent to its elements."""

import itertools

import numpy as np

from kernel import Case, classes, function, randoms, tensor


def regions(extents, window, strides, padding, overhang):
    """For each place of the window, what of it lies in the image: lists of places along each dimension."""
    counts = [(extent + padding[2 * i] + padding[2 * i + 1] + overhang[i] - window[i]) // strides[i] + 1
              for i, extent in enumerate(extents)]
    for place in np.ndindex(*counts):
        inside = []
        for i, number in enumerate(place):
            first = number * strides[i] - padding[2 * i]
            inside.append([first + k for k in range(window[i]) if 0 <= first + k < extents[i]])
        yield place, list(itertools.product(*inside))


def counts_of(extents, window, strides, padding, overhang):
    return tuple(np.max([place for place, _ in regions(extents, window, strides, padding, overhang)], axis=0) + 1)


def whole(extents, window, strides, padding):
    """How many elements each window has with its padding, its overhang left out."""
    sizes = {}
    for place in np.ndindex(*[(e + padding[2 * i] + padding[2 * i + 1]) for i, e in enumerate(extents)]):
        size = 1
        for i, number in enumerate(place):
            first = number * strides[i] - padding[2 * i]
            size *= max(0, min(first + window[i], extents[i] + padding[2 * i + 1]) - first)
        sizes[place] = size
    return sizes


def case(name, kind, shape, spatial, window, strides, padding=None, overhang=None, count_padding=None, dims=None,
         pooled_dims=None, lengths=None, batch=2, ties=False):
    """A gradient over the axes `spatial` of an image of this shape."""
    rank = len(window)
    padding, overhang = padding or [0] * 2 * rank, overhang or [0] * rank
    x = classes(1, 3, *shape).astype(np.float32) if ties else randoms(1, *shape)
    extents = [shape[axis] for axis in spatial]
    pooled = list(shape)
    for axis, count in zip(spatial, counts_of(extents, window, strides, padding, overhang)):
        pooled[axis] = int(count)
    dy = randoms(2, *pooled)
    # Spatial axes first, whatever is left behind them.
    image = np.moveaxis(x.astype(np.float64), spatial, range(rank))
    cotangent = np.moveaxis(dy.astype(np.float64), spatial, range(rank))
    gradient = np.zeros_like(image)
    sizes = whole(extents, window, strides, padding) if kind == "avg" and count_padding else None
    for place, inside in regions(extents, window, strides, padding, overhang):
        if kind == "max":
            first = np.argmax(np.stack([image[at] for at in inside]), axis=0)
            for number, at in enumerate(inside):
                gradient[at] += np.where(first == number, cotangent[place], 0)
        else:
            for at in inside:
                gradient[at] += cotangent[place] / (sizes[place] if count_padding else len(inside))
    gradient = np.moveaxis(gradient, range(rank), spatial)

    listed = ", ".join(f"{key} = array<i64: {', '.join(map(str, values))}>" for key, values in
                       [("window", window), ("strides", strides), ("padding", padding), ("overhang", overhang)])
    image_type = tensor(*(dims or ["batch", *shape[1:]]))
    pooled_type = tensor(*(pooled_dims or ["batch", *pooled[1:]]))
    if kind == "max":
        body = (f"%y = nn.max_pool %x {{{listed}}} : ({image_type}) -> {pooled_type}\n"
                f"%dx = nn.max_pool_gradient %x, %y, %dy {{{listed}}} : "
                f"({image_type}, {pooled_type}, {pooled_type}) -> {image_type}")
        arguments, types = [x, dy], {"x": image_type, "dy": pooled_type}
    else:
        body = (f"%dx = nn.avg_pool_gradient %dy {{{listed}, count_padding = {str(count_padding).lower()}}} : "
                f"({pooled_type}) -> {image_type}")
        arguments, types = [dy], {"dy": pooled_type}
    text = function(types, body, {"dx": image_type}, lengths={"n": "T"} if lengths else None)
    return Case(name, text, arguments, [gradient], batch=batch, lengths=lengths or {})


CASES = [
    case("max_side_by_side", "max", (2, 8, 10, 16), (1, 2), [2, 2], [2, 2]),
    case("max_few_channels", "max", (2, 8, 10, 6), (1, 2), [2, 2], [2, 2]),
    case("max_ties", "max", (2, 9, 7, 20), (1, 2), [3, 3], [2, 2], ties=True),
    case("max_overlapping_padded", "max", (2, 13, 11, 20), (1, 2), [3, 3], [2, 2], padding=[1, 1, 1, 1], ties=True),
    case("max_every_pixel", "max", (2, 6, 7, 8), (1, 2), [3, 2], [1, 1], padding=[1, 1, 0, 1], ties=True),
    case("max_overhang", "max", (2, 9, 9, 5), (1, 2), [2, 2], [2, 2], overhang=[1, 1]),
    case("max_gaps", "max", (2, 11, 8, 16), (1, 2), [2, 2], [3, 4]),
    case("max_large", "max", (2, 57, 56, 64), (1, 2), [3, 3], [2, 2], padding=[1, 0, 1, 1]),
    case("max_1d", "max", (3, 17, 5), (1,), [3], [2], batch=3, ties=True),
    case("max_3d", "max", (2, 5, 6, 7, 8), (1, 2, 3), [2, 3, 2], [2, 2, 1], padding=[0, 0, 1, 1, 0, 0], ties=True),
    case("max_over_time", "max", (9, 2, 8), (0,), [3], [2], dims=["T", "batch", 8], pooled_dims=["(T-1)/2", "batch", 8],
         lengths={"T": 9}, ties=True),
    case("max_over_time_and_space", "max", (9, 2, 6, 12), (0, 2), [3, 2], [1, 2], dims=["T", "batch", 6, 12],
         pooled_dims=["(T-2)", "batch", 3, 12], lengths={"T": 9}, ties=True),
    case("avg_side_by_side", "avg", (2, 8, 10, 16), (1, 2), [2, 2], [2, 2], count_padding=True),
    case("avg_counts_padding", "avg", (2, 13, 11, 20), (1, 2), [3, 3], [2, 2], padding=[1, 1, 1, 1], count_padding=True),
    case("avg_without_padding", "avg", (2, 13, 11, 6), (1, 2), [3, 3], [2, 2], padding=[1, 1, 1, 1],
         count_padding=False),
    case("avg_overhang", "avg", (2, 9, 9, 5), (1, 2), [2, 2], [2, 2], overhang=[1, 1], count_padding=True),
    case("avg_global", "avg", (2, 7, 7, 24), (1, 2), [7, 7], [1, 1], count_padding=True),
    case("avg_1d", "avg", (3, 17, 5), (1,), [3], [2], batch=3, count_padding=False),
    case("avg_3d", "avg", (2, 5, 6, 7, 8), (1, 2, 3), [2, 3, 2], [2, 2, 1], padding=[0, 0, 1, 1, 0, 0],
         count_padding=False),
    case("avg_over_time", "avg", (9, 2, 8), (0,), [3], [2], dims=["T", "batch", 8], pooled_dims=["(T-1)/2", "batch", 8],
         lengths={"T": 9}, count_padding=True),
]
