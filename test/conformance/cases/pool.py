"""Pools of one, two and three dimensions: maximum and average, padding that counts or does not, ceil, global."""

from case import SEQUENCES, Call, Family
from cases.conv import _text
from cases.torch_layers import adaptive_avg_pool, avg_pool, max_pool

FAMILY = Family("pool")

FEW = (Call(1), Call(3))


def add(kind: str, name: str, shape: tuple, window, calls=FEW, **options) -> None:
    """A pool. window and options as in the program."""
    arguments = [_text(window)] + [f"{key} = {_text(value)}" for key, value in options.items()]
    function = {"max": max_pool, "avg": avg_pool}[kind]
    FAMILY.add(f"{kind}_pool{len(shape) - 1}d_{name}", f"y = x |> {kind}_pool({', '.join(arguments)})", {"x": shape},
               lambda t, x, w: function(t, x["x"], window, **options), calls=calls)


def add_both(name: str, shape: tuple, window, calls=FEW, **options) -> None:
    """The same pool as a maximum and, with padding counted and not, as an average."""
    add("max", name, shape, window, calls, **options)
    if "padding" in options:
        add("avg", f"{name}_counted", shape, window, calls, **options, count_padding=True)
        add("avg", f"{name}_not_counted", shape, window, calls, **options, count_padding=False)
    else:
        add("avg", name, shape, window, calls, **options)


add_both("w2", (8, 10, 6), 2, (Call(1), Call(3), Call(64)))
add_both("w2_odd", (9, 7, 17), 2)
add_both("w3", (10, 10, 3), 3)
add_both("w2x3", (8, 9, 5), (2, 3))
add_both("w3_s1", (7, 8, 4), 3, stride=1)
add_both("w3_s2", (11, 12, 33), 3, stride=2)
add_both("w2_s3", (11, 12, 3), 2, stride=3)
add_both("w3_s1x2", (9, 9, 3), 3, stride=(1, 2))
add_both("w1", (4, 5, 3), 1)
add_both("w3_s2_p1", (10, 11, 8), 3, stride=2, padding=1)
add_both("w3_s1_same", (7, 7, 16), 3, stride=1, padding="same")
add_both("w2_s1_same", (7, 6, 5), 2, stride=1, padding="same")
add_both("w3_s2_same", (14, 13, 5), 3, stride=2, padding="same")
add_both("one_sided", (6, 7, 3), 3, stride=2, padding=((1, 0), (0, 2)))
add_both("ceil", (8, 9, 5), 3, stride=2, ceil=True)
add_both("ceil_s3", (10, 11, 5), 2, stride=3, ceil=True)
add_both("ceil_p1", (8, 7, 5), 3, stride=2, padding=1, ceil=True)
add_both("w2", (9, 4), 2)
add_both("w3_s2_p1", (12, 4), 3, stride=2, padding=1)
add_both("w2", (4, 6, 5, 3), 2)
add_both("w3_s2_p1", (7, 6, 5, 3), 3, stride=2, padding=1)
add_both("time", ("T", 6), 3, SEQUENCES, stride=1, padding="same")
add_both("time_s2", ("T", 6), 2, (Call(1, {"T": 2}), Call(2, {"T": 77}), Call(3, {"T": 9}, {"T": (9, 2, 7)})),
         stride=2)
# Every value below zero: padding must not win a maximum.
FAMILY.add("max_pool2d_negative", "y = -exp(x) |> max_pool(3, stride = 2, padding = 1)", {"x": (5, 5, 3)},
           lambda t, x, w: max_pool(t, -t.exp(x["x"]), 3, stride=2, padding=1), calls=FEW)

# Extents that n divides, that it does not, that are fewer than n, and both in one.
for name, shape, n in (("divides", (12, 8, 5), 4), ("overlaps", (14, 14, 9), 4), ("few", (2, 3, 4), 6),
                       ("both", (10, 9, 3), (5, 4)), ("same", (6, 6, 7), 6), ("line", (11, 6), 3),
                       ("space", (5, 4, 7, 3), 2)):
    FAMILY.add(f"adaptive_avg_pool_{name}", f"y = x |> adaptive_avg_pool({_text(n)})", {"x": shape},
               lambda t, x, w, n=n: adaptive_avg_pool(t, x["x"], n), calls=FEW)

for rank, shape in ((1, (13, 5)), (2, (7, 7, 33)), (3, (3, 4, 5, 6))):
    FAMILY.add(f"global_avg_pool{rank}d", "y = x |> global_avg_pool", {"x": shape},
               lambda t, x, w: x["x"].flatten(1, -2).mean(1))
    FAMILY.add(f"global_max_pool{rank}d", "y = x |> global_max_pool", {"x": shape},
               lambda t, x, w: x["x"].flatten(1, -2).amax(1))
FAMILY.add("global_avg_pool_time", "y = x |> global_avg_pool", {"x": ("T", 6)}, lambda t, x, w: x["x"].mean(1),
           calls=SEQUENCES)
FAMILY.add("global_max_pool_time", "y = x |> global_max_pool", {"x": ("T", 6)}, lambda t, x, w: x["x"].amax(1),
           calls=SEQUENCES)
