"""Dropout, counts, and updates of long vectors in place."""

import numpy as np

from kernel import Case, function, randoms, tensor


def philox2x32(counter, high, key, rounds):
    """Philox 2x32 of Salmon et al. 2011."""
    low, high = np.asarray(counter, np.uint64), np.asarray(high, np.uint64)
    for number in range(rounds):
        product = low * np.uint64(0xD256D193)
        turned = np.uint64((key + number * 0x9E3779B9) & 0xFFFFFFFF)
        low, high = (product >> np.uint64(32)) ^ turned ^ high, product & np.uint64(0xFFFFFFFF)
    return low, high


def philox4x32(counter, key, rounds=10):
    """Philox 4x32."""
    words = list(counter)
    for number in range(rounds):
        left, right = words[0] * 0xD2511F53, words[2] * 0xCD9E8D57
        turned = [(key[0] + number * 0x9E3779B9) & 0xFFFFFFFF, (key[1] + number * 0xBB67AE85) & 0xFFFFFFFF]
        words = [(right >> 32) ^ words[1] ^ turned[0], right & 0xFFFFFFFF, (left >> 32) ^ words[3] ^ turned[1],
                 left & 0xFFFFFFFF]
    return words


# The known answers that come with the authors' Random123.
assert philox4x32([0, 0, 0, 0], [0, 0]) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert [int(word) for word in philox2x32(0, 0, 0, 10)] == [0xFF1DAE59, 0x6CD10DF2]
assert [int(word) for word in philox2x32(0, 0, 0, 7)] == [0x257A3673, 0xCD26BE2A]


def dropout(name, shape, dims, rate, site, step=None):
    x, seed = randoms(1, *shape), np.array([-5, 77], np.int32)
    key, high, *_ = philox4x32([site, step or 0, 0, 0], [int(word) & 0xFFFFFFFF for word in seed])
    word, _ = philox2x32(np.arange(x.size), high, key, 7)
    stays = (word >> np.uint64(8)).reshape(shape) < round((1 - rate) * (1 << 24))
    assert abs(stays.mean() - (1 - rate)) < 0.05
    kind, words, number = tensor(*dims), tensor(2, element="i32"), tensor(element="i32")
    operands, types = "%x, %seed", f"{kind}, {words}"
    given, arguments = {"x": kind, "seed": words}, [x, seed]
    if step is not None:
        operands, types = operands + ", %step", f"{types}, {number}"
        given["step"], arguments = number, [*arguments, np.array(step, np.int32)]
    body = f"%y = nn.dropout {operands} {{rate = {rate}, site = {site}}} : ({types}) -> {kind}"
    timed = "T" in dims
    text = function(given, body, {"y": kind}, lengths={"n": "T"} if timed else None)
    want = np.where(stays, x.astype(np.float64) / (1 - rate if rate < 1 else 1), 0)
    return Case(name, text, arguments, [want], batch=shape[dims.index("batch")], lengths={"T": shape[0]} if timed else {},
                tolerance=1e-6)


def count():
    x, y = randoms(1, 6, 5, 4, 3), randoms(2, 5, 3)
    kind, result = tensor("T", "batch", 4, 3), tensor("batch", 3)
    body = (f"%c = nn.count %x {{axes = array<i64: 0, 1, 2>}} : ({kind}) -> tensor<f32>\n"
            f"%z = nn.mul %y, %c : ({result}, tensor<f32>) -> {result}")
    text = function({"x": kind, "y": result}, body, {"z": result}, lengths={"n": "T"})
    return Case("count", text, [x, y], [y.astype(np.float64) * 6 * 5 * 4], batch=5, lengths={"T": 6})




def adam(name, size, decay, in_place):
    """Kingma & Ba 2015, with weight decay, so that every new value reads old ones that others replace."""
    w, g, m, v = randoms(1, size), randoms(2, size), randoms(3, size), np.square(randoms(4, size))
    rate = np.array(1e-2, np.float32)
    wide = [array.astype(np.float64) for array in (w, g, m, v)]
    gradient = wide[1] + decay * wide[0]
    mean, square = 0.9 * wide[2] + 0.1 * gradient, 0.999 * wide[3] + 0.001 * gradient * gradient
    weights = wide[0] - 1e-2 * mean / (np.sqrt(square) + 1e-8)
    kind, number = tensor(size), "tensor<f32>"
    lines = [f"%{key} = nn.constant {value:e} : f32 : {number}" for key, value in
             [("decay", decay), ("b", 0.9), ("b1", 0.1), ("c", 0.999), ("c1", 0.001), ("e", 1e-8)]]

    def op(result, name, *operands):
        types = ", ".join(number if key in ("decay", "b", "b1", "c", "c1", "e", "rate") else kind for key in operands)
        lines.append(f"%{result} = nn.{name} {', '.join('%' + key for key in operands)} : ({types}) -> {kind}")

    op("wd", "mul", "w", "decay")
    op("gd", "add", "g", "wd")
    op("m0", "mul", "m", "b")
    op("m1", "mul", "gd", "b1")
    op("mn", "add", "m0", "m1")
    op("g2", "square", "gd")
    op("v0", "mul", "v", "c")
    op("v1", "mul", "g2", "c1")
    op("vn", "add", "v0", "v1")
    op("root", "sqrt", "vn")
    op("deviation", "add", "root", "e")
    op("direction", "div", "mn", "deviation")
    op("step", "mul", "direction", "rate")
    op("wn", "sub", "w", "step")
    text = function({"w": kind, "g": kind, "m": kind, "v": kind, "rate": number}, "\n".join(lines),
                    {"wn": kind, "mn": kind, "vn": kind})
    return Case(name, text, [w, g, m, v, rate], [weights, mean, square],
                in_place={0: 0, 1: 2, 2: 3} if in_place else {})


CASES = [
    dropout("dropout_rows", (40, 33), ["batch", 33], 0.5, 0),
    dropout("dropout_vectors", (40, 64), ["batch", 64], 0.2, 3),
    dropout("dropout_images", (6, 9, 7, 5), ["batch", 9, 7, 5], 0.1, 1),
    dropout("dropout_steps", (7, 40, 10), ["T", "batch", 10], 0.5, 2),
    dropout("dropout_in_a_loop", (40, 33), ["batch", 33], 0.5, 2, step=12),
    dropout("dropout_nothing", (40, 10), ["batch", 10], 0.0, 2),
    count(),
    adam("update", 16 * 37, 0.0, False),
    adam("update_in_place", 16 * 37, 0.1, True),
    adam("update_long_in_place", 16 * 5003, 0.1, True),
]
