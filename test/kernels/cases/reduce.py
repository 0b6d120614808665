"""Sums of rows: the gradients of what serves every example, and numbers for a whole batch."""

import numpy as np

from kernel import Case, function, randoms, tensor


def reduce(name, shape, axes, dims, op="sum", prologue=None, lengths=None, batch=None, ragged=None):
    """`prologue` computes what is reduced: a text for %x, and what numpy does."""
    x = randoms(1, *shape)
    given = tensor(*dims)
    kept = [dim for axis, dim in enumerate(dims) if axis not in axes]
    result = tensor(*kept)
    wide = x.astype(np.float64)
    body, value = "", "%x"
    if prologue:
        body, value = f"%p = nn.{prologue} %x : ({given}) -> {given}\n", "%p"
        wide = {"square": np.square, "neg": np.negative}[prologue](wide)
    listed = ", ".join(map(str, axes))
    body += f"%y = nn.{op} {value} {{axes = array<i64: {listed}>}} : ({given}) -> {result}"
    want = np.asarray((np.sum if op == "sum" else np.mean)(wide, axis=tuple(axes)))
    text = function({"x": given}, body, {"y": result}, lengths={"n": "T"} if "T" in dims else None)
    return Case(name, text, [x], [want], batch=shape[dims.index("batch")] if "batch" in dims else 1,
                lengths={"T": shape[0]} if "T" in dims else {})


CASES = [
    *(reduce(f"columns_{n}", (37, n), [0], ["batch", n]) for n in (1, 3, 6, 10, 16, 33, 64, 130, 1024)),
    reduce("columns_many", (37, 1500), [0], ["batch", 1500]),
    reduce("columns_one_row", (1, 24), [0], ["batch", 24]),
    reduce("columns_of_steps", (23, 5, 20), [0, 1], ["T", "batch", 20]),
    reduce("columns_of_images", (19, 9, 7, 12), [0, 1, 2], ["batch", 9, 7, 12]),
    reduce("columns_squared", (300, 48), [0], ["batch", 48], prologue="square"),
    reduce("columns_mean", (300, 48), [0], ["batch", 48], op="mean"),
    reduce("tables", (37, 4, 40), [0], ["batch", 4, 40]),
    reduce("losses", (37,), [0], ["batch"], op="mean"),
    reduce("losses_of_steps", (9, 37), [0, 1], ["T", "batch"]),
    reduce("everything", (9, 37, 40), [0, 1, 2], ["T", "batch", 40]),
    reduce("norm_short", (48,), [0], [48], prologue="square"),
    reduce("norm_long", (16 * 5003,), [0], [16 * 5003], prologue="square"),
    reduce("norm_very_long", (16 * 200003,), [0], [16 * 200003], prologue="square"),
    reduce("rows_short", (7, 10), [1], ["batch", 10]),
    reduce("rows_long", (7, 1000), [1], ["batch", 1000], prologue="square"),
    reduce("rows_of_steps", (5, 7, 100), [2], ["T", "batch", 100]),
    reduce("rows_of_rows", (7, 20, 100), [2], ["batch", 20, 100]),
]
