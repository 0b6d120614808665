"""What moves values about: concat, slices, transpose, reshape, flatten, reverse, last; and what looks values up."""

from case import SEQUENCES, EMPTY, Call, Family, Tensor, weight
from cases.torch_layers import conv

FAMILY = Family("reshape")

FEW = (Call(1), Call(3))

# Concatenation along the channels (the default) and along other dimensions.
FAMILY.add("concat_channels", "y = concat(a, b, c)", {"a": (4, 5, 3), "b": (4, 5, 8), "c": (4, 5, 1)},
           lambda t, x, w: t.cat([x["a"], x["b"], x["c"]], -1))
FAMILY.add("concat_vectors", "y = concat(a, b)", {"a": (7,), "b": (10,)}, lambda t, x, w: t.cat([x["a"], x["b"]], -1))
FAMILY.add("concat_rows", "y = concat(a, b, axis = 0)", {"a": (2, 6), "b": (5, 6)},
           lambda t, x, w: t.cat([x["a"], x["b"]], 1))
FAMILY.add("concat_same", "y = concat(x, x, tanh(x))", {"x": (3, 5)},
           lambda t, x, w: t.cat([x["x"], x["x"], t.tanh(x["x"])], -1))
# Parts of whole vectors, and of halves.
FAMILY.add("concat_in_vectors", "y = tanh(concat(a, b, c, d))", {"a": (3, 32), "b": (3, 16), "c": (3, 64), "d": (3, 8)},
           lambda t, x, w: t.tanh(t.cat([x["a"], x["b"], x["c"], x["d"]], -1)))
FAMILY.add("concat_rows_in_vectors", "y = concat(a, b, axis = 0)", {"a": (2, 16), "b": (4, 16)},
           lambda t, x, w: t.cat([x["a"], x["b"]], 1))
FAMILY.add("concat_over_time", "y = concat(a, b)", {"a": ("T", 3), "b": ("T", 4)},
           lambda t, x, w: t.cat([x["a"], x["b"]], -1), calls=SEQUENCES)
FAMILY.add("concat_of_convs",
           "y = concat(x |> conv(5, 1) |> relu, x |> conv(3, 1) |> relu |> conv(7, 3, padding = same) |> relu,"
           " x |> max_pool(3, stride = 1, padding = same) |> conv(4, 1) |> relu)", {"x": (7, 7, 6)},
           lambda t, x, w: t.cat([
               t.relu(conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"])),
               t.relu(conv(t, t.relu(conv(t, x["x"], w["conv2.kernel"], w["conv2.bias"])), w["conv3.kernel"],
                           w["conv3.bias"], padding="same")),
               t.relu(conv(t, t.nn.functional.max_pool2d(x["x"].movedim(-1, 1), 3, 1, 1).movedim(1, -1),
                           w["conv4.kernel"], w["conv4.bias"]))], -1),
           {"conv1.kernel": weight(1, 1, 6, 5), "conv1.bias": weight(5), "conv2.kernel": weight(1, 1, 6, 3),
            "conv2.bias": weight(3), "conv3.kernel": weight(3, 3, 3, 7), "conv3.bias": weight(7),
            "conv4.kernel": weight(1, 1, 6, 4), "conv4.bias": weight(4)}, calls=FEW)

# Slices.
FAMILY.add("slice_range", "y = x[2:5]", {"x": (9,)}, lambda t, x, w: x["x"][:, 2:5])
FAMILY.add("slice_open", "y = x[:4]\nz = x[4:]", {"x": (9,)}, lambda t, x, w: (x["x"][:, :4], x["x"][:, 4:]),
           outputs=("y", "z"))
FAMILY.add("slice_two", "y = x[1:3, 0:4]", {"x": (5, 7)}, lambda t, x, w: x["x"][:, 1:3, :4])
FAMILY.add("slice_middle_of_three", "y = x[:, 2:4, :]", {"x": (3, 5, 6)}, lambda t, x, w: x["x"][:, :, 2:4])
FAMILY.add("slice_index", "y = x[2, :]", {"x": (5, 7)}, lambda t, x, w: x["x"][:, 2])
FAMILY.add("slice_gates", "y = sigmoid(x[0:8]) .* tanh(x[8:16]) + x[16:24]", {"x": (24,)},
           lambda t, x, w: t.sigmoid(x["x"][:, :8]) * t.tanh(x["x"][:, 8:16]) + x["x"][:, 16:])

# Transposition and other shapes of the same elements.
FAMILY.add("transpose_matrix", "y = transpose(x)", {"x": (5, 9)}, lambda t, x, w: x["x"].mT)
FAMILY.add("transpose_large", "y = transpose(x)", {"x": (67, 130)}, lambda t, x, w: x["x"].mT, calls=FEW)
FAMILY.add("transpose_201", "y = transpose(x, order = (2, 0, 1))", {"x": (3, 4, 5)}, lambda t, x, w: x["x"].permute(0, 3, 1, 2))
FAMILY.add("transpose_021", "y = transpose(x, order = (0, 2, 1))", {"x": (3, 4, 5)}, lambda t, x, w: x["x"].permute(0, 1, 3, 2))
FAMILY.add("transpose_102", "y = transpose(x, order = (1, 0, 2))", {"x": (8, 7, 16)}, lambda t, x, w: x["x"].permute(0, 2, 1, 3))
FAMILY.add("flatten", "y = flatten(x)", {"x": (3, 4, 5)}, lambda t, x, w: x["x"].flatten(1))
FAMILY.add("flatten_dense", "y = x |> flatten |> dense(7)", {"x": (4, 5, 6)},
           lambda t, x, w: x["x"].flatten(1) @ w["dense1.kernel"].T + w["dense1.bias"],
           {"dense1.kernel": (7, 120), "dense1.bias": (7,)})
FAMILY.add("reshape", "y = x |> reshape((4, 15))", {"x": (3, 4, 5)}, lambda t, x, w: x["x"].reshape(-1, 4, 15))
FAMILY.add("reshape_to_image", "y = x |> reshape((6, 4, 1))", {"x": (24,)}, lambda t, x, w: x["x"].reshape(-1, 6, 4, 1))
FAMILY.add("reshape_of_transposed", "y = transpose(x) |> reshape(15)", {"x": (3, 5)},
           lambda t, x, w: x["x"].mT.reshape(-1, 15))
FAMILY.add("reshape_flatten_time", "y = flatten(x)", {"x": ("T", 3, 4)}, lambda t, x, w: x["x"].flatten(2),
           calls=SEQUENCES)

# Order in time. Each example turns within its own length.
FAMILY.add("reverse_fixed", "y = reverse(x)", {"x": (7, 5)}, lambda t, x, w: x["x"].flip(1))
FAMILY.add("reverse_time", "y = reverse(x)", {"x": ("T", 5)}, lambda t, x, w: x["x"].flip(1),
           calls=SEQUENCES + (EMPTY,))
FAMILY.add("reverse_twice", "y = reverse(tanh(reverse(x)))", {"x": ("T", 5)}, lambda t, x, w: t.tanh(x["x"]),
           calls=SEQUENCES)
FAMILY.add("last_time", "y = last(x)", {"x": ("T", 5)}, lambda t, x, w: x["x"][:, -1], calls=SEQUENCES)
FAMILY.add("last_fixed", "y = last(x)", {"x": (4, 5)}, lambda t, x, w: x["x"][:, -1])
FAMILY.add("last_dense", "y = x |> last |> dense(3)", {"x": ("T", 5)},
           lambda t, x, w: x["x"][:, -1] @ w["dense1.kernel"].T + w["dense1.bias"],
           {"dense1.kernel": (3, 5), "dense1.bias": (3,)}, calls=SEQUENCES)

# Looking up.
FAMILY.add("embed_one", "y = embed(9)(ids)", {"ids": Tensor((), classes=20)},
           lambda t, x, w: w["embed1.table"][x["ids"]], {"embed1.table": weight(20, 9)})
FAMILY.add("embed_rows", "y = ids |> embed(16)", {"ids": Tensor((6,), classes=50)},
           lambda t, x, w: w["embed1.table"][x["ids"]], {"embed1.table": weight(50, 16)})
FAMILY.add("embed_time", "y = ids |> embed(33)", {"ids": Tensor(("T",), classes=1000)},
           lambda t, x, w: w["embed1.table"][x["ids"]], {"embed1.table": weight(1000, 33)}, calls=SEQUENCES + (EMPTY,))
FAMILY.add("one_hot", "y = one_hot(ids)", {"ids": Tensor((4,), classes=11)},
           lambda t, x, w: t.nn.functional.one_hot(x["ids"], 11) * 1.0)
FAMILY.add("one_hot_time", "y = one_hot(ids)", {"ids": Tensor(("T",), classes=7)},
           lambda t, x, w: t.nn.functional.one_hot(x["ids"], 7) * 1.0, calls=SEQUENCES)
FAMILY.add("one_hot_dense", "y = ids |> one_hot |> dense(5)", {"ids": Tensor((), classes=8)},
           lambda t, x, w: w["dense1.kernel"].T[x["ids"]] + w["dense1.bias"],
           {"dense1.kernel": (5, 8), "dense1.bias": (5,)})
FAMILY.add("class_passes", "y = ids", {"ids": Tensor((5,), classes=9)}, lambda t, x, w: x["ids"], integers=("y",))

# Bags: the mean of the items' vectors.
BAGS = (Call(1, {"N": 1}), Call(3, {"N": 7}), Call(2, {"N": 77}), Call(5, {"N": 9}, {"N": (9, 1, 4, 7, 2)}))
FAMILY.add("bag", "y = ids |> bag(12)", {"ids": Tensor(("N",), classes=40)},
           lambda t, x, w: w["bag1.embed1.table"][x["ids"]].mean(1), {"bag1.embed1.table": weight(40, 12)}, calls=BAGS)
FAMILY.add("bag_dense", "y = ids |> bag(12) |> relu |> dense(6) |> softmax", {"ids": Tensor(("N",), classes=40)},
           lambda t, x, w: t.softmax(t.relu(w["bag1.embed1.table"][x["ids"]].mean(1)) @ w["dense1.kernel"].T
                                     + w["dense1.bias"], -1),
           {"bag1.embed1.table": weight(40, 12), "dense1.kernel": (6, 12), "dense1.bias": (6,)}, calls=BAGS)
