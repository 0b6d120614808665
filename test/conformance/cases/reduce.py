"""Reductions: sums, means, extremes, softmax and the largest."""

import math

from case import SEQUENCES, Call, Family, Tensor

FAMILY = Family("reduce")

for name, options, axes in (("all", "", (1, 2, 3)), ("first", ", axis = 0", (1,)), ("middle", ", axis = 1", (2,)),
                            ("last", ", axis = 2", (3,)), ("two", ", axis = (0, 1)", (1, 2))):
    FAMILY.add(f"sum_{name}", f"y = sum(x{options})", {"x": (5, 7, 9)}, lambda t, x, w, a=axes: x["x"].sum(a))
    FAMILY.add(f"mean_{name}", f"y = mean(x{options})", {"x": (5, 7, 9)}, lambda t, x, w, a=axes: x["x"].mean(a))
    FAMILY.add(f"max_{name}", f"y = max(x{options})", {"x": (5, 7, 9)}, lambda t, x, w, a=axes: x["x"].amax(a))
    FAMILY.add(f"min_{name}", f"y = min(x{options})", {"x": (5, 7, 9)}, lambda t, x, w, a=axes: x["x"].amin(a))
FAMILY.add("sum_large", "y = sum(x, axis = 0)", {"x": (1003, 33)}, lambda t, x, w: x["x"].sum(1),
           calls=(Call(1), Call(3)))
FAMILY.add("sum_one", "y = sum(x, axis = 0)", {"x": (1, 5)}, lambda t, x, w: x["x"].sum(1))
FAMILY.add("mean_of_square", "y = mean(square(x - mean(x)))", {"x": (77,)},
           lambda t, x, w: ((x["x"] - x["x"].mean(1, keepdim=True)) ** 2).mean(1))
FAMILY.add("below_the_largest", "y = x - max(x)", {"x": (77,)}, lambda t, x, w: x["x"] - x["x"].amax(1, keepdim=True))
for name, method in (("sum", "sum"), ("mean", "mean"), ("max", "amax"), ("min", "amin")):
    FAMILY.add(f"{name}_time", f"y = {name}(x, axis = 0)", {"x": ("T", 6)},
               lambda t, x, w, method=method: getattr(x["x"], method)(1), calls=SEQUENCES)

for size in (1, 2, 10, 17, 1000):
    FAMILY.add(f"softmax_{size}", "y = softmax(x)", {"x": Tensor((size,), scale=4)},
               lambda t, x, w: t.softmax(x["x"], -1))
    FAMILY.add(f"log_softmax_{size}", "y = log_softmax(x)", {"x": Tensor((size,), scale=4)},
               lambda t, x, w: t.log_softmax(x["x"], -1))
for name, tensor in (("far", Tensor((12,), scale=500)), ("offset", Tensor((12,), scale=1, shift=300)),
                     ("minus_infinity", Tensor((12,), values=(0.5, -math.inf, 1.0, 2.0, -math.inf, 0.0, -1.0))),
                     ("nan", Tensor((5,), values=(0.5, 1.0, math.nan, 0.0, -1.0, 2.0))),
                     ("infinity", Tensor((5,), values=(0.5, 1.0, math.inf, 0.0, -1.0, 2.0)))):
    FAMILY.add(f"softmax_{name}", "y = softmax(x)", {"x": tensor}, lambda t, x, w: t.softmax(x["x"], -1),
               calls=(Call(1), Call(7)))
    FAMILY.add(f"log_softmax_{name}", "y = log_softmax(x)", {"x": tensor}, lambda t, x, w: t.log_softmax(x["x"], -1),
               calls=(Call(1), Call(7)))
FAMILY.add("softmax_rank3", "y = softmax(x)", {"x": Tensor((3, 5, 13), scale=4)},
           lambda t, x, w: t.softmax(x["x"], -1))
FAMILY.add("softmax_time", "y = softmax(x)", {"x": Tensor(("T", 13), scale=4)},
           lambda t, x, w: t.softmax(x["x"], -1), calls=SEQUENCES)
FAMILY.add("log_softmax_time", "y = log_softmax(x)", {"x": Tensor(("T", 13), scale=4)},
           lambda t, x, w: t.log_softmax(x["x"], -1), calls=SEQUENCES)

for size in (1, 2, 10, 1000):
    FAMILY.add(f"argmax_{size}", "y = argmax(x)", {"x": (size,)}, lambda t, x, w: x["x"].argmax(-1), integers=("y",))
FAMILY.add("argmax_rank2", "y = argmax(x)", {"x": (6, 33)}, lambda t, x, w: x["x"].argmax(-1), integers=("y",))
# Of several largest the first counts.
FAMILY.add("argmax_ties", "y = argmax(x)", {"x": Tensor((33,), values=(1, 0, 3, 2, 3, 3, 1))},
           lambda t, x, w: x["x"].eq(x["x"].amax(-1, keepdim=True)).to(t.uint8).argmax(-1), integers=("y",))
FAMILY.add("argmax_time", "y = argmax(x)", {"x": ("T", 17)}, lambda t, x, w: x["x"].argmax(-1), integers=("y",),
           calls=SEQUENCES)
