"""Gradients through time: every kind of recurrence, and what meets it: several losses, weights that are shared, labels
in the place of predictions."""

from case import Call, Family, Tensor, weight
from cases.each import lstm, lstm_weights, rnn, scan, stack, zeros
from cases.losses import cross_entropy, dense, dense_weights
from cases.torch_layers import conv
from training import SEQUENCES, Training

FAMILY = Family("recurrence", Training)
TAGS = {"label": Tensor(("T",), classes=5)}
TAG_LOSS = "mean(t in T, cross_entropy(y[t], label[t]))"
TAG = {"label": Tensor((), classes=5)}


def tagged(t, logits, x):
    """The mean over the steps of the cross entropy of softmax(logits)."""
    return cross_entropy(t, t.softmax(logits, -1), x["label"]).mean(1)


def classified(t, logits, x):
    return cross_entropy(t, t.softmax(logits, -1), x["label"])


def steps_of(t, x, start, function):
    return stack(t, scan(t, x.unbind(1), start, function)[0], start)


# --- Written as equations ----------------------------------------------------------------------------------------

WUS = {"W": weight(8, 8), "U": weight(8, 4), "S": weight(5, 8)}
EQUATIONS = "weight W[8, 8], U[8, 4], S[5, 8]\neach t in T from h[8] = {start} {{\n  h[t] = tanh(W * h[t-1] + U * x[t])\n"
SIMPLE = EQUATIONS.format(start=0)
FAMILY.add("tags", SIMPLE + "  y[t] = softmax(S * h[t])\n}", {"x": ("T", 4)},
           lambda t, x, w: tagged(t, rnn(t, x["x"], w["W"], w["U"])[0] @ w["S"].T, x), WUS, labels=TAGS, loss=TAG_LOSS,
           calls=SEQUENCES)
FAMILY.add("tags_wide", "weight W[64, 64], U[64, 30], S[5, 64]\neach t in T from h[64] = 0 {\n"
           "  h[t] = tanh(W * h[t-1] + U * x[t])\n  y[t] = softmax(S * h[t])\n}", {"x": ("T", 30)},
           lambda t, x, w: tagged(t, rnn(t, x["x"], w["W"], w["U"])[0] @ w["S"].T, x),
           {"W": weight(64, 64), "U": weight(64, 30), "S": weight(5, 64)}, labels=TAGS, loss=TAG_LOSS,
           calls=(*SEQUENCES, Call(17, {"T": 3})))
FAMILY.add("one_class", SIMPLE + "}\ny = softmax(S * h[T])", {"x": ("T", 4)},
           lambda t, x, w: classified(t, rnn(t, x["x"], w["W"], w["U"])[1] @ w["S"].T, x), WUS, labels=TAG,
           loss="cross_entropy(y, label)", calls=SEQUENCES)
FAMILY.add("both_losses", SIMPLE + "  y[t] = softmax(S * h[t])\n}\nz = S * h[T]", {"x": ("T", 4)},
           lambda t, x, w: (lambda hs, last: tagged(t, hs @ w["S"].T, x)
                            + 0.2 * ((last @ w["S"].T - x["target"]) ** 2).mean(1))(*rnn(t, x["x"], w["W"], w["U"])),
           WUS, outputs=("y", "z"), labels={**TAGS, "target": Tensor((5,))}, loss=f"{TAG_LOSS} + 0.2 * mse(z, target)",
           calls=SEQUENCES)
FAMILY.add("penalty_of_states", SIMPLE + "  y[t] = softmax(S * h[t])\n}", {"x": ("T", 4)},
           lambda t, x, w: (lambda hs: tagged(t, hs @ w["S"].T, x) + 0.05 * (hs ** 2).sum((1, 2)))(
               rnn(t, x["x"], w["W"], w["U"])[0]), WUS, labels=TAGS,
           loss=f"{TAG_LOSS} + sum(t in T, 0.05 * sum(square(h[t])))", calls=SEQUENCES)
FAMILY.add("start_trained", "weight a[8]\n" + EQUATIONS.format(start="tanh(a)") + "  y[t] = softmax(S * h[t])\n}",
           {"x": ("T", 4)},
           lambda t, x, w: tagged(t, rnn(t, x["x"], w["W"], w["U"],
                                         start=zeros(x["x"], 8) + t.tanh(w["a"]))[0] @ w["S"].T, x),
           {"a": weight(8), **WUS}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)
FAMILY.add("start_computed", "weight A[8, 3]\n" + EQUATIONS.format(start="tanh(A * s)") + "}\ny = softmax(S * h[T])",
           {"s": (3,), "x": ("T", 4)},
           lambda t, x, w: classified(t, rnn(t, x["x"], w["W"], w["U"],
                                             start=t.tanh(x["s"] @ w["A"].T))[1] @ w["S"].T, x),
           {"A": weight(8, 3), **WUS}, labels=TAG, loss="cross_entropy(y, label)", calls=SEQUENCES)


def lags(t, x, w):
    def step(state, now):
        one, two = state
        h = t.tanh(one @ w["W"].T + two @ w["V"].T + now @ w["U"].T)
        return (h, one), h @ w["S"].T + two[:, :5]
    return tagged(t, steps_of(t, x["x"], (zeros(x["x"], 8),) * 2, step), x)


FAMILY.add("lag_of_two", "weight W[8, 8], V[8, 8], U[8, 4], S[5, 8]\neach t in T from h[8] = 0 {\n"
           "  h[t] = tanh(W * h[t-1] + V * h[t-2] + U * x[t])\n  y[t] = softmax(S * h[t] + h[t-2][0:5])\n}",
           {"x": ("T", 4)}, lags, {"W": weight(8, 8), "V": weight(8, 8), "U": weight(8, 4), "S": weight(5, 8)},
           labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)


def coupled(t, x, w):
    def step(state, now):
        h, g = state
        new = t.tanh(h @ w["W"].T + now @ w["U"].T + g), t.sigmoid(g * now.mean(1, keepdim=True) + h @ w["W"].T)
        return new, (new[0] * new[1]) @ w["S"].T
    return tagged(t, steps_of(t, x["x"], (zeros(x["x"], 8), zeros(x["x"], 8) + 0.5), step), x)


FAMILY.add("states_that_meet", "weight W[8, 8], U[8, 4], S[5, 8]\neach t in T from h[8] = 0, g[8] = 0.5 {\n"
           "  h[t] = tanh(W * h[t-1] + U * x[t] + g[t-1])\n  g[t] = sigmoid(g[t-1] .* mean(x[t]) + W * h[t-1])\n"
           "  y[t] = softmax(S * (h[t] .* g[t]))\n}", {"x": ("T", 4)}, coupled, WUS, labels=TAGS, loss=TAG_LOSS,
           calls=SEQUENCES)
FAMILY.add("state_without_loss", "weight W[8, 8], U[8, 4], S[5, 8]\neach t in T from h[8] = 0, g[8] = 0 {\n"
           "  h[t] = tanh(W * h[t-1] + U * x[t])\n  g[t] = tanh(W * g[t-1] + h[t])\n  y[t] = softmax(S * h[t])\n}",
           {"x": ("T", 4)}, lambda t, x, w: tagged(t, rnn(t, x["x"], w["W"], w["U"])[0] @ w["S"].T, x), WUS,
           labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)


def shared(t, x, w):
    first, last = rnn(t, x["x"], w["W"], w["W"])
    second = rnn(t, first, w["W"], w["W"], start=last)[0]
    return tagged(t, (second @ w["W"].T + first) @ w["S"].T, x)


FAMILY.add("weight_everywhere", "weight W[8, 8], S[5, 8]\neach t in T from h[8] = 0 { h[t] = tanh(W * h[t-1] + W * x[t]) }\n"
           "each t in T from g[8] = h[T] { g[t] = tanh(W * g[t-1] + W * h[t]) }\n"
           "each t in T { y[t] = softmax(S * (W * g[t] + h[t])) }", {"x": ("T", 8)}, shared,
           {"W": weight(8, 8), "S": weight(5, 8)}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)


def in_the_loop(t, x, w):
    def step(h, now):
        z = t.nn.functional.layer_norm(t.cat([h, now], -1), (12,), w["layer_norm1.scale"], w["layer_norm1.shift"])
        h = t.tanh(dense(z, w)) + 0.5 * h
        return h, h @ w["S"].T
    return tagged(t, steps_of(t, x["x"], zeros(x["x"], 8), step), x)


FAMILY.add("layers_in_the_loop", "weight S[5, 8]\neach t in T from h[8] = 0 {\n"
           "  h[t] = tanh(concat(h[t-1], x[t]) |> layer_norm |> dense(8)) + 0.5 * h[t-1]\n  y[t] = softmax(S * h[t])\n}",
           {"x": ("T", 4)}, in_the_loop,
           {"S": weight(5, 8), "layer_norm1.scale": weight(12), "layer_norm1.shift": weight(12), **dense_weights(12, 8)},
           labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)


def images(t, x, w):
    def step(h, now):
        h = t.tanh(conv(t, h, w["conv1.kernel"], w["conv1.bias"], padding="same") + now)
        return h, dense(h.flatten(1), w)
    return tagged(t, steps_of(t, x["x"], x["x"].new_zeros(x["x"].shape[0], 4, 5, 2), step), x)


FAMILY.add("image_states", "each t in T from h[4, 5, 2] = 0 {\n"
           "  h[t] = tanh((h[t-1] |> conv(2, 3, padding = same)) + x[t])\n  y[t] = h[t] |> flatten |> dense(5) |> softmax\n}",
           {"x": ("T", 4, 5, 2)}, images,
           {"conv1.kernel": weight(3, 3, 2, 2), "conv1.bias": weight(2), **dense_weights(40, 5)}, labels=TAGS,
           loss=TAG_LOSS, calls=SEQUENCES)
FAMILY.add("words_looked_up", SIMPLE.replace("U * x[t]", "U * (ids[t] |> embed(4))") + "  y[t] = softmax(S * h[t])\n}",
           {"ids": Tensor(("T",), classes=6)},
           lambda t, x, w: tagged(t, rnn(t, w["embed1.table"][x["ids"]], w["W"], w["U"])[0] @ w["S"].T, x),
           {**WUS, "embed1.table": weight(6, 4)}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)

# --- Loops in loops ----------------------------------------------------------------------------------------------


def nested(t, x, w):
    def word(h, letters):
        inner = rnn(t, letters, w["A"], w["B"], start=h[:, :6])[1]
        h = t.tanh(h @ w["C"].T + inner @ w["D"].T)
        return h, h @ w["O"].T
    return cross_entropy(t, t.softmax(steps_of(t, x["x"], zeros(x["x"], 7), word), -1), x["label"]).mean(1)


NESTED_CALLS = (Call(1, {"S": 1, "L": 1}), Call(3, {"S": 4, "L": 3}), Call(1, {"S": 2, "L": 23}),
                Call(3, {"S": 4, "L": 5}, {"S": (4, 1, 2), "L": (2, 5, 1)}))
FAMILY.add("words_of_letters", "weight A[6, 6], B[6, 4], C[7, 7], D[7, 6], O[5, 7]\neach s in S from h[7] = 0 {\n"
           "  each l in L from g[6] = h[s-1][0:6] { g[l] = tanh(A * g[l-1] + B * x[s, l]) }\n"
           "  h[s] = tanh(C * h[s-1] + D * g[L])\n  y[s] = softmax(O * h[s])\n}",
           {"x": ("S", "L", 4)}, nested,
           {"A": weight(6, 6), "B": weight(6, 4), "C": weight(7, 7), "D": weight(7, 6), "O": weight(5, 7)},
           labels={"label": Tensor(("S",), classes=5)}, loss="mean(s in S, cross_entropy(y[s], label[s]))",
           calls=NESTED_CALLS)

# --- The standard library ----------------------------------------------------------------------------------------


def gru_weights(layer: str, inputs: int, hidden: int) -> dict:
    """The weights of the library's gru, by name."""
    return {**{f"{layer}.W{gate}": weight(hidden, inputs) for gate in "rzn"},
            **{f"{layer}.R{gate}": weight(hidden, hidden) for gate in "rzn"},
            **{f"{layer}.{bias}": weight(hidden) for bias in ("br", "bz", "bn", "cn")}}


def gru(t, x, w, layer: str, start=None):
    """PyTorch's own GRU with these weights: all h, and the last."""
    hidden = w[f"{layer}.br"].shape[0]
    module = t.nn.GRU(x.shape[-1], hidden, batch_first=True).to(x.dtype)
    nothing = x.new_zeros(hidden)
    weights = {"weight_ih_l0": t.cat([w[f"{layer}.W{gate}"] for gate in "rzn"]),
               "weight_hh_l0": t.cat([w[f"{layer}.R{gate}"] for gate in "rzn"]),
               "bias_ih_l0": t.cat([w[f"{layer}.b{gate}"] for gate in "rzn"]),
               "bias_hh_l0": t.cat([nothing, nothing, w[f"{layer}.cn"]])}
    hs, h = t.func.functional_call(module, weights, (x,) if start is None else (x, start[None]))
    return hs, h[0]


HEAD = " |> dense(5) |> softmax"
FAMILY.add("gru_tags", "y = x |> gru(9)" + HEAD, {"x": ("T", 6)},
           lambda t, x, w: tagged(t, dense(gru(t, x["x"], w, "gru1")[0], w), x),
           {**gru_weights("gru1", 6, 9), **dense_weights(9, 5)}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)
FAMILY.add("lstm_tags", "h, c = x |> lstm(9)\ny = h" + HEAD, {"x": ("T", 6)},
           lambda t, x, w: tagged(t, dense(lstm(t, x["x"], w, "lstm1")[0], w), x),
           {**lstm_weights("lstm1", 6, 9), **dense_weights(9, 5)}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)
FAMILY.add("lstm_class", "h, c = x |> lstm(9)\ny = concat(h[T], c[T])" + HEAD, {"x": ("T", 6)},
           lambda t, x, w: classified(t, dense(t.cat(lstm(t, x["x"], w, "lstm1")[1:], -1), w), x),
           {**lstm_weights("lstm1", 6, 9), **dense_weights(18, 5)}, labels=TAG, loss="cross_entropy(y, label)",
           calls=SEQUENCES)
FAMILY.add("stacked_tags", "y = x |> gru(7) |> gru(6)" + HEAD, {"x": ("T", 6)},
           lambda t, x, w: tagged(t, dense(gru(t, gru(t, x["x"], w, "gru1")[0], w, "gru2")[0], w), x),
           {**gru_weights("gru1", 6, 7), **gru_weights("gru2", 7, 6), **dense_weights(6, 5)}, labels=TAGS,
           loss=TAG_LOSS, calls=SEQUENCES)
FAMILY.add("bidirectional_tags", "y = x |> bidirectional(gru(5), gru(4))" + HEAD, {"x": ("T", 6)},
           lambda t, x, w: tagged(t, dense(t.cat([
               gru(t, x["x"], w, "bidirectional1.gru1")[0],
               gru(t, x["x"].flip(1), w, "bidirectional1.gru2")[0].flip(1)], -1), w), x),
           {**gru_weights("bidirectional1.gru1", 6, 5), **gru_weights("bidirectional1.gru2", 6, 4),
            **dense_weights(9, 5)}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)
FAMILY.add("one_gru_twice", "enc = gru(6)\ny = x |> enc |> enc" + HEAD, {"x": ("T", 6)},
           lambda t, x, w: tagged(t, dense(gru(t, gru(t, x["x"], w, "enc")[0], w, "enc")[0], w), x),
           {**gru_weights("enc", 6, 6), **dense_weights(6, 5)}, labels=TAGS, loss=TAG_LOSS, calls=SEQUENCES)

# --- From one sequence to another --------------------------------------------------------------------------------


def delayed(t, x, w):
    """A decoder that starts from the encoder's last state and reads the word before, which the label gives."""
    state = gru(t, w["embed1.table"][x["source"]], w, "gru1")[1]
    before = t.cat([t.zeros_like(x["label"][:, :1]), x["label"][:, :-1]], 1)
    return tagged(t, dense(gru(t, w["embed2.table"][before], w, "gru_cell1", state)[0], w), x)


TWO_LENGTHS = (Call(1, {"S": 1, "L": 1}), Call(3, {"S": 2, "L": 5}), Call(1, {"S": 23, "L": 2}),
               Call(3, {"S": 7, "L": 6}, {"S": (7, 1, 3), "L": (2, 6, 1)}))
for name, end in (("translation", ""), ("translation_to_its_end", "until target[t] == 1 ")):
    FAMILY.add(name, "code = source |> embed(6) |> gru(8) |> last\neach t in L from h = code, target = 0 "
               f"{end}{{\n  h[t] = gru_cell(8)(embed(4)(target[t-1]), h[t-1])\n  p[t] = softmax(dense(5)(h[t]))\n"
               "  target[t] = predict(p[t])\n}", {"source": Tensor(("S",), classes=9)}, delayed,
               {**gru_weights("gru1", 6, 8), "embed1.table": weight(9, 6), "embed2.table": weight(5, 4),
                **gru_weights("gru_cell1", 4, 8), **dense_weights(8, 5)}, outputs=("target[L] : class[5]",),
               labels={"label": Tensor(("L",), classes=5)}, loss="mean(t in L, cross_entropy(p[t], label[t]))",
               settings=("given target = label", "optimizer = sgd(rate = 0)"), calls=TWO_LENGTHS)


def stories(t, x, w):
    """A decoder for each step, which reads the word before in that step's own label."""
    losses = []
    for plot, label in zip(x["plot"].unbind(1), x["label"].unbind(1)):
        before = t.cat([t.zeros_like(label[:, :1]), label[:, :-1]], 1)
        h = gru(t, w["embed1.table"][before], w, "gru_cell1", t.tanh(plot @ w["A"].T))[0]
        losses.append(tagged(t, dense(h, w), {"label": label}))
    return t.stack(losses, 1).mean(1)


FAMILY.add("stories", "weight A[8, 6]\neach s in S {\n  each t in L from h = tanh(A * plot[s]), word : class[5] = 0 "
           "until word[t] == 1 {\n    h[t] = gru_cell(8)(embed(4)(word[t-1]), h[t-1])\n    p[t] = softmax(dense(5)(h[t]))\n"
           "    word[t] = predict(p[t])\n  }\n  told[s] = word\n  chance[s] = p\n}", {"plot": ("S", 6)}, stories,
           {"A": weight(8, 6), "embed1.table": weight(5, 4), **gru_weights("gru_cell1", 4, 8), **dense_weights(8, 5)},
           outputs=("told[S, L] : class[5]",), labels={"label": Tensor(("S", "L"), classes=5)},
           loss="mean(s in S, mean(t in L, cross_entropy(chance[s, t], label[s, t])))",
           settings=("given word = label", "optimizer = sgd(rate = 0)"), calls=TWO_LENGTHS)
