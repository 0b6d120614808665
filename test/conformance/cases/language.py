"""Whole networks, as a user writes them: layers of one's own, repetition, sharing, several paths and outputs."""

from case import Call, Family, Tensor, weight
from cases.norm import batch_norm, batch_norm_weights
from cases.torch_layers import avg_pool, conv, max_pool

FAMILY = Family("language")

FEW = (Call(1), Call(3))


def dense(t, x, w, layer: str):
    return x @ w[f"{layer}.kernel"].T + w[f"{layer}.bias"]


def dense_weights(layer: str, inputs: int, outputs: int) -> dict:
    return {f"{layer}.kernel": weight(outputs, inputs), f"{layer}.bias": weight(outputs)}


def conv_weights(layer: str, *shape: int, bias: bool = True) -> dict:
    weights = {f"{layer}.kernel": weight(*shape)}
    return weights | ({f"{layer}.bias": weight(shape[-1])} if bias else {})


# --- LeNet-5 -----------------------------------------------------------------------------------------------------


def lenet(t, x, w):
    y = avg_pool(t, t.tanh(conv(t, x["image"], w["conv1.kernel"], w["conv1.bias"])), 2)
    y = avg_pool(t, t.tanh(conv(t, y, w["conv2.kernel"], w["conv2.bias"])), 2)
    y = t.tanh(dense(t, y.flatten(1), w, "dense1"))
    return t.softmax(dense(t, t.tanh(dense(t, y, w, "dense2")), w, "dense3"), -1)


FAMILY.add("lenet",
           "digit = image |> conv(6, kernel = 5) |> tanh |> avg_pool(2) |> conv(16, kernel = 5) |> tanh |> avg_pool(2)\n"
           "  |> flatten |> dense(120) |> tanh |> dense(84) |> tanh |> dense(10) |> softmax", {"image": (32, 32, 1)},
           lenet, {**conv_weights("conv1", 5, 5, 1, 6), **conv_weights("conv2", 5, 5, 6, 16),
                   **dense_weights("dense1", 400, 120), **dense_weights("dense2", 120, 84),
                   **dense_weights("dense3", 84, 10)}, outputs=("digit",),
           calls=(Call(1), Call(2), Call(3), Call(64)))

# --- A residual network ------------------------------------------------------------------------------------------

RESNET_LAYERS = """layer conv_bn(n, kernel, stride = 1)(x) -> y {
  y = x |> conv(n, kernel = kernel, stride = stride, padding = same, bias = false) |> batch_norm
}

layer bottleneck(n, stride = 1)(x) -> y {
  shortcut = if stride == 1 and channels(x) == 4 * n then x else x |> conv_bn(4 * n, 1, stride)
  y = relu(shortcut + (x |> conv_bn(n, 1) |> relu |> conv_bn(n, 3, stride) |> relu |> conv_bn(4 * n, 1)))
}

layer stage(n, blocks, stride)(x) -> y {
  y = x |> bottleneck(n, stride) |> repeat(blocks - 1, bottleneck(n))
}
"""


def conv_bn_weights(layer: str, *shape: int) -> dict:
    return {**conv_weights(f"{layer}.conv1", *shape, bias=False),
            **batch_norm_weights(shape[-1], f"{layer}.batch_norm1")}


def conv_bn(t, x, w, layer: str, stride: int = 1):
    return batch_norm(t, conv(t, x, w[f"{layer}.conv1.kernel"], stride=stride, padding="same"), w,
                      f"{layer}.batch_norm1")


def bottleneck_weights(layer: str, inputs: int, n: int, projected: bool) -> dict:
    """The projection, where there is one, is the first conv_bn."""
    first = 2 if projected else 1
    weights = conv_bn_weights(f"{layer}.conv_bn1", 1, 1, inputs, 4 * n) if projected else {}
    return {**weights, **conv_bn_weights(f"{layer}.conv_bn{first}", 1, 1, inputs, n),
            **conv_bn_weights(f"{layer}.conv_bn{first + 1}", 3, 3, n, n),
            **conv_bn_weights(f"{layer}.conv_bn{first + 2}", 1, 1, n, 4 * n)}


def bottleneck(t, x, w, layer: str, stride: int, projected: bool):
    first = 2 if projected else 1
    shortcut = conv_bn(t, x, w, f"{layer}.conv_bn1", stride) if projected else x
    y = t.relu(conv_bn(t, x, w, f"{layer}.conv_bn{first}"))
    y = t.relu(conv_bn(t, y, w, f"{layer}.conv_bn{first + 1}", stride))
    return t.relu(shortcut + conv_bn(t, y, w, f"{layer}.conv_bn{first + 2}"))


def resnet(t, x, w):
    y = max_pool(t, t.relu(conv_bn(t, x["image"], w, "conv_bn1", 2)), 3, stride=2, padding="same")
    for stage, blocks, stride in ((1, 3, 1), (2, 2, 2)):
        for block in range(1, blocks + 1):
            y = bottleneck(t, y, w, f"stage{stage}.bottleneck{block}", stride if block == 1 else 1, block == 1)
    return t.softmax(dense(t, y.flatten(1, 2).mean(1), w, "dense1"), -1)


FAMILY.add("small_resnet",
           "y = image |> conv_bn(8, 7, 2) |> relu |> max_pool(3, stride = 2, padding = same)\n"
           "          |> stage(4, 3, 1) |> stage(6, 2, 2) |> global_avg_pool |> dense(10) |> softmax",
           {"image": (33, 30, 3)}, resnet,
           {**conv_bn_weights("conv_bn1", 7, 7, 3, 8), **bottleneck_weights("stage1.bottleneck1", 8, 4, True),
            **bottleneck_weights("stage1.bottleneck2", 16, 4, False),
            **bottleneck_weights("stage1.bottleneck3", 16, 4, False),
            **bottleneck_weights("stage2.bottleneck1", 16, 6, True),
            **bottleneck_weights("stage2.bottleneck2", 24, 6, False), **dense_weights("dense1", 24, 10)},
           layers=RESNET_LAYERS, calls=FEW)

# --- Several paths, several inputs and outputs, sharing ----------------------------------------------------------

INCEPTION_LAYERS = """layer inception(n1, r3, n3, r5, n5, pool)(x) -> y {
  y = concat(x |> conv(n1, 1) |> relu,
             x |> conv(r3, 1) |> relu |> conv(n3, 3, padding = same) |> relu,
             x |> conv(r5, 1) |> relu |> conv(n5, 5, padding = same) |> relu,
             x |> max_pool(3, stride = 1, padding = same) |> conv(pool, 1) |> relu)
}
"""


def inception(t, x, w, layer: str):
    def path(x, number: int, padding=0):
        name = f"{layer}.conv{number}"
        return t.relu(conv(t, x, w[f"{name}.kernel"], w[f"{name}.bias"], padding=padding))
    return t.cat([path(x, 1), path(path(x, 2), 3, "same"), path(path(x, 4), 5, "same"),
                  path(max_pool(t, x, 3, stride=1, padding="same"), 6)], -1)


def inception_weights(layer: str, inputs: int, n1: int, r3: int, n3: int, r5: int, n5: int, pool: int) -> dict:
    shapes = ((1, 1, inputs, n1), (1, 1, inputs, r3), (3, 3, r3, n3), (1, 1, inputs, r5), (5, 5, r5, n5),
              (1, 1, inputs, pool))
    weights = {}
    for number, shape in enumerate(shapes, 1):
        weights |= conv_weights(f"{layer}.conv{number}", *shape)
    return weights


FAMILY.add("two_inceptions", "y = x |> inception(8, 5, 9, 3, 4, 6) |> inception(6, 4, 8, 2, 4, 4)", {"x": (9, 8, 10)},
           lambda t, x, w: inception(t, inception(t, x["x"], w, "inception1"), w, "inception2"),
           {**inception_weights("inception1", 10, 8, 5, 9, 3, 4, 6),
            **inception_weights("inception2", 27, 6, 4, 8, 2, 4, 4)}, layers=INCEPTION_LAYERS, calls=FEW)
FAMILY.add("shared_instance", "enc = dense(6)\nleft = tanh(enc(a))\nright = tanh(enc(b))\ny = left .* right",
           {"a": (9,), "b": (9,)},
           lambda t, x, w: t.tanh(dense(t, x["a"], w, "enc")) * t.tanh(dense(t, x["b"], w, "enc")),
           dense_weights("enc", 9, 6))
FAMILY.add("repeat_own_weights", "y = x |> repeat(3, block(7))", {"x": (7,)},
           lambda t, x, w: (lambda f: f(f(f(x["x"], 1), 2), 3))(
               lambda v, i: t.tanh(dense(t, v, w, f"block{i}.dense1"))),
           {name: tensor for i in (1, 2, 3) for name, tensor in dense_weights(f"block{i}.dense1", 7, 7).items()},
           layers="layer block(n)(x) -> y { y = x |> dense(n) |> tanh }\n")
FAMILY.add("repeat_shared_weights", "b = dense(7)\ny = x |> repeat(3, b)", {"x": (7,)},
           lambda t, x, w: dense(t, dense(t, dense(t, x["x"], w, "b"), w, "b"), w, "b"), dense_weights("b", 7, 7))
FAMILY.add("unused_values", "dead = x |> dense(100) |> tanh\ny = x + 1", {"x": (5,)}, lambda t, x, w: x["x"] + 1)
FAMILY.add("dropout_at_inference", "y = x |> dense(6) |> dropout(0.5) |> relu", {"x": (5,)},
           lambda t, x, w: t.relu(dense(t, x["x"], w, "dense1")), dense_weights("dense1", 5, 6))
FAMILY.add("parameters", "hidden = 3 * 4\ny = x |> dense(if hidden > 10 then hidden else 2)", {"x": (5,)},
           lambda t, x, w: dense(t, x["x"], w, "dense1"), dense_weights("dense1", 5, 12))
FAMILY.add("mixed_inputs", "f = image |> conv(4, 3) |> relu |> global_avg_pool\ny = concat(f, ids |> embed(5), x)\n"
           "best = argmax(y)", {"image": (8, 8, 2), "ids": Tensor((), classes=9), "x": (3,)},
           lambda t, x, w: (lambda y: (y, y.argmax(-1)))(t.cat([
               t.relu(conv(t, x["image"], w["conv1.kernel"], w["conv1.bias"])).flatten(1, 2).mean(1),
               w["embed1.table"][x["ids"]], x["x"]], -1)),
           {**conv_weights("conv1", 3, 3, 2, 4), "embed1.table": weight(9, 5)}, outputs=("y", "best"),
           integers=("best",))
FAMILY.add("deep", "y = x |> repeat(40, residual_block(12))", {"x": (12,)},
           lambda t, x, w: deep(t, x["x"], w, 40),
           {name: tensor for i in range(1, 41) for name, tensor in dense_weights(f"residual_block{i}.dense1", 12, 12).items()},
           layers="layer residual_block(n)(x) -> y { y = x + tanh(x |> dense(n)) }\n")


def deep(t, x, w, depth: int):
    for block in range(1, depth + 1):
        x = x + t.tanh(dense(t, x, w, f"residual_block{block}.dense1"))
    return x
