"""Dense layers and matrix products: sizes that no tile divides, 1, and large ones."""

from case import BATCHES, SEQUENCES, Call, Family

FAMILY = Family("dense")


def dense(inputs: int, outputs: int, calls=BATCHES) -> None:
    """A dense layer with bias."""
    FAMILY.add(
        f"dense_{inputs}_{outputs}", f"y = x |> dense({outputs})", {"x": (inputs,)},
        lambda t, x, w: t.nn.functional.linear(x["x"], w["dense1.kernel"], w["dense1.bias"]),
        {"dense1.kernel": (outputs, inputs), "dense1.bias": (outputs,)}, calls=calls)


for inputs, outputs in [(1, 1), (1, 17), (17, 1), (3, 5), (7, 8), (16, 16), (31, 33), (64, 10), (100, 257), (129, 64),
                        (400, 120), (1000, 31), (1023, 129)]:
    dense(inputs, outputs)
dense(512, 512, (Call(1), Call(8), Call(33)))
dense(1024, 1024, (Call(1), Call(64)))
# Every number of rows that a tile of rows may leave over.
dense(37, 45, tuple(Call(batch) for batch in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 31, 32, 33, 65)))

FAMILY.add("dense_no_bias", "y = x |> dense(19, bias = false)", {"x": (23,)},
           lambda t, x, w: x["x"] @ w["dense1.kernel"].T, {"dense1.kernel": (19, 23)})
FAMILY.add("dense_rank2", "y = x |> dense(9)", {"x": (5, 13)},
           lambda t, x, w: x["x"] @ w["dense1.kernel"].T + w["dense1.bias"],
           {"dense1.kernel": (9, 13), "dense1.bias": (9,)})
FAMILY.add("dense_rank3", "y = x |> dense(33)", {"x": (3, 7, 18)},
           lambda t, x, w: x["x"] @ w["dense1.kernel"].T + w["dense1.bias"],
           {"dense1.kernel": (33, 18), "dense1.bias": (33,)}, calls=(Call(1), Call(3)))
FAMILY.add("dense_chain", "y = x |> dense(30) |> tanh |> dense(20) |> relu |> dense(10)", {"x": (40,)},
           lambda t, x, w: t.relu(t.tanh(x["x"] @ w["dense1.kernel"].T + w["dense1.bias"]) @ w["dense2.kernel"].T
                                  + w["dense2.bias"]) @ w["dense3.kernel"].T + w["dense3.bias"],
           {"dense1.kernel": (30, 40), "dense1.bias": (30,), "dense2.kernel": (20, 30), "dense2.bias": (20,),
            "dense3.kernel": (10, 20), "dense3.bias": (10,)})
FAMILY.add("dense_over_time", "y = x |> dense(11)", {"x": ("T", 21)},
           lambda t, x, w: x["x"] @ w["dense1.kernel"].T + w["dense1.bias"],
           {"dense1.kernel": (11, 21), "dense1.bias": (11,)}, calls=SEQUENCES)

# The products written out.
FAMILY.add("product_matrix_vector", "weight W[6, 11]\ny = W * x", {"x": (11,)}, lambda t, x, w: x["x"] @ w["W"].T,
           {"W": (6, 11)})
FAMILY.add("product_affine", "weight W[27, 50], b[27]\ny = tanh(W * x + b)", {"x": (50,)},
           lambda t, x, w: t.tanh(x["x"] @ w["W"].T + w["b"]), {"W": (27, 50), "b": (27,)})
FAMILY.add("product_two_inputs", "weight W[18, 12], U[18, 7], b[18]\ny = W * h + U * x + b", {"h": (12,), "x": (7,)},
           lambda t, x, w: x["h"] @ w["W"].T + x["x"] @ w["U"].T + w["b"], {"W": (18, 12), "U": (18, 7), "b": (18,)})
FAMILY.add("product_shared_weight", "weight W[15, 15]\ny = W * tanh(W * x)", {"x": (15,)},
           lambda t, x, w: t.tanh(x["x"] @ w["W"].T) @ w["W"].T, {"W": (15, 15)})


def matmul(m: int, k: int, n: int, calls=BATCHES, **more) -> None:
    """The product of two values, both of which differ from example to example."""
    FAMILY.add(f"matmul_{m}_{k}_{n}", "y = a * b", {"a": (m, k), "b": (k, n)}, lambda t, x, w: x["a"] @ x["b"],
               calls=calls, **more)


for m, k, n in [(1, 1, 1), (1, 9, 1), (3, 5, 7), (8, 1, 8), (17, 33, 65)]:
    matmul(m, k, n)
# Thousands of products that cancel each other are summed to a loss.
matmul(64, 64, 64, (Call(1), Call(3)), tolerance=2e-5)
matmul(100, 130, 70, (Call(1), Call(3)))
FAMILY.add("matmul_attention", "y = softmax(q * transpose(k) / 4) * v", {"q": (12, 16), "k": (20, 16), "v": (20, 9)},
           lambda t, x, w: t.softmax(x["q"] @ x["k"].mT / 4, -1) @ x["v"], calls=(Call(1), Call(3)))
