"""Time loops: recurrences written as equations, maps, nesting, and the recurrent layers of the standard library."""

from case import EMPTY, SEQUENCES, Call, Family, Tensor, weight
from cases.torch_layers import conv

FAMILY = Family("each")

ALL = SEQUENCES + (EMPTY,)
FEW = (Call(1, {"T": 1}), Call(3, {"T": 6}), Call(3, {"T": 6}, {"T": (2, 6, 3)}))


def scan(t, steps, state, function):
    """Runs state, output = function(state, step) over the steps; gives the stacked outputs and the last state."""
    outputs = []
    for step in steps:
        state, output = function(state, step)
        outputs.append(output)
    return outputs, state


def stack(t, outputs, like):
    """Outputs [batch, steps, ...]; no step at all gives the shape of `like` [batch, ...] with 0 steps."""
    return t.stack(outputs, 1) if outputs else like[:, None][:, :0]


def zeros(x, n: int):
    return x.new_zeros(x.shape[0], n)


def rnn(t, x, W, U, b=None, start=None):
    """h_t = tanh(W h_{t-1} + U x_t + b): all h, and the last."""
    start = zeros(x, W.shape[0]) if start is None else start

    def step(h, now):
        h = t.tanh(h @ W.T + now @ U.T + (0 if b is None else b))
        return h, h
    hs, last = scan(t, x.unbind(1), start, step)
    return stack(t, hs, start), last


# --- Equations ---------------------------------------------------------------------------------------------------

for inputs, hidden, outputs in ((1, 1, 1), (8, 64, 10), (13, 37, 5), (100, 128, 17)):
    FAMILY.add(
        f"tagger_{inputs}_{hidden}_{outputs}",
        f"weight W[{hidden}, {hidden}], U[{hidden}, {inputs}], S[{outputs}, {hidden}]\n"
        f"each t in T from h[{hidden}] = 0 {{\n  h[t] = tanh(W * h[t-1] + U * x[t])\n  y[t] = softmax(S * h[t])\n}}",
        {"x": ("T", inputs)}, lambda t, x, w: t.softmax(rnn(t, x["x"], w["W"], w["U"])[0] @ w["S"].T, -1),
        {"W": (hidden, hidden), "U": (hidden, inputs), "S": (outputs, hidden)}, calls=ALL, step=True)

RNN = {"W": (19, 19), "U": (19, 7), "b": (19,)}
RNN_BODY = ("weight W[19, 19], U[19, 7], b[19]\n"
            "each t in T from h[19] = {start} {{ h[t] = tanh(W * h[t-1] + U * x[t] + b) }}\n")
FAMILY.add("states", RNN_BODY.format(start=0) + "y = h", {"x": ("T", 7)},
           lambda t, x, w: rnn(t, x["x"], w["W"], w["U"], w["b"])[0], RNN, calls=ALL, step=True)
FAMILY.add("sequence_to_one", RNN_BODY.format(start=0) + "weight S[4, 19]\ny = softmax(S * h[T])", {"x": ("T", 7)},
           lambda t, x, w: t.softmax(rnn(t, x["x"], w["W"], w["U"], w["b"])[1] @ w["S"].T, -1),
           {**RNN, "S": (4, 19)}, calls=ALL)
FAMILY.add("states_and_last", RNN_BODY.format(start=0) + "y = h\nz = last(h)\nu = h[T]", {"x": ("T", 7)},
           lambda t, x, w: (lambda hs, last: (hs, last, last))(*rnn(t, x["x"], w["W"], w["U"], w["b"])), RNN,
           outputs=("y", "z", "u"), calls=SEQUENCES)
FAMILY.add("start_constant", RNN_BODY.format(start=0.5) + "y = h[T]", {"x": ("T", 7)},
           lambda t, x, w: rnn(t, x["x"], w["W"], w["U"], w["b"], zeros(x["x"], 19) + 0.5)[1], RNN, calls=ALL)
FAMILY.add("start_weight", "weight h0[19]\n" + RNN_BODY.format(start="h0") + "y = h[T]", {"x": ("T", 7)},
           lambda t, x, w: rnn(t, x["x"], w["W"], w["U"], w["b"], zeros(x["x"], 19) + w["h0"])[1],
           {**RNN, "h0": (19,)}, calls=ALL)
FAMILY.add("start_input", RNN_BODY.format(start="tanh(s)") + "y = h[T]", {"s": (19,), "x": ("T", 7)},
           lambda t, x, w: rnn(t, x["x"], w["W"], w["U"], w["b"], t.tanh(x["s"]))[1], RNN, calls=ALL)

FAMILY.add("running_sum", "each t in T from s[5] = 0 { s[t] = s[t-1] + x[t] }\ny = s", {"x": ("T", 5)},
           lambda t, x, w: x["x"].cumsum(1), calls=ALL, step=True)
FAMILY.add("running_max", "each t in T from s[5] = -10 { s[t] = max(s[t-1], x[t]) }\ny = s", {"x": ("T", 5)},
           lambda t, x, w: x["x"].cummax(1).values if x["x"].shape[1] else x["x"], calls=ALL)
FAMILY.add("previous_state", "each t in T from s[5] = 1 {\n  y[t] = 2 * s[t-1]\n  s[t] = 0.5 * s[t-1] + x[t]\n}",
           {"x": ("T", 5)},
           lambda t, x, w: stack(t, scan(t, x["x"].unbind(1), zeros(x["x"], 5) + 1,
                                         lambda s, now: (0.5 * s + now, 2 * s))[0], zeros(x["x"], 5)),
           calls=ALL, step=True)
FAMILY.add("scalar_state", "each t in T from s = 0 { s[t] = 0.9 * s[t-1] + x[t] }\ny = s", {"x": ("T",)},
           lambda t, x, w: stack(t, scan(t, x["x"].unbind(1), x["x"].new_zeros(x["x"].shape[0]),
                                         lambda s, now: (0.9 * s + now,) * 2)[0], x["x"].new_zeros(x["x"].shape[0])),
           calls=ALL)
FAMILY.add("matrix_state", "each t in T from s[3, 4] = 0 { s[t] = tanh(0.5 * s[t-1] + x[t]) }\ny = s",
           {"x": ("T", 3, 4)},
           lambda t, x, w: stack(t, scan(t, x["x"].unbind(1), x["x"].new_zeros(x["x"].shape[0], 3, 4),
                                         lambda s, now: (t.tanh(0.5 * s + now),) * 2)[0],
                                 x["x"].new_zeros(x["x"].shape[0], 3, 4)), calls=ALL)


def two_states(t, x, w):
    def step(state, now):
        h, g = state
        new = t.tanh(h @ w["W"].T + now @ w["U"].T), t.sigmoid(g @ w["V"].T + h @ w["W"].T)
        return new, new[0] + new[1]
    return stack(t, scan(t, x["x"].unbind(1), (zeros(x["x"], 9),) * 2, step)[0], zeros(x["x"], 9))


FAMILY.add("two_states",
           "weight W[9, 9], V[9, 9], U[9, 4]\neach t in T from h[9] = 0, g[9] = 0 {\n"
           "  h[t] = tanh(W * h[t-1] + U * x[t])\n  g[t] = sigmoid(V * g[t-1] + W * h[t-1])\n  y[t] = h[t] + g[t]\n}",
           {"x": ("T", 4)}, two_states, {"W": (9, 9), "V": (9, 9), "U": (9, 4)}, calls=ALL, step=True)


def lag_two(t, x, w):
    def step(state, now):
        one, two = state
        h = t.tanh(one @ w["W"].T + two @ w["V"].T + now @ w["U"].T)
        return (h, one), h
    return stack(t, scan(t, x["x"].unbind(1), (zeros(x["x"], 11),) * 2, step)[0], zeros(x["x"], 11))


FAMILY.add("lag_two",
           "weight W[11, 11], V[11, 11], U[11, 4]\neach t in T from h[11] = 0 {\n"
           "  h[t] = tanh(W * h[t-1] + V * h[t-2] + U * x[t])\n}\ny = h",
           {"x": ("T", 4)}, lag_two, {"W": (11, 11), "V": (11, 11), "U": (11, 4)}, calls=ALL, step=True)


def two_loops(t, x, w):
    first, last = rnn(t, x["x"], w["W"], w["U"])
    return rnn(t, first, w["V"], w["Z"], start=last)[0]


FAMILY.add("two_loops",
           "weight W[8, 8], U[8, 5], V[8, 8], Z[8, 8]\neach t in T from h[8] = 0 { h[t] = tanh(W * h[t-1] + U * x[t]) }\n"
           "each t in T from g[8] = h[T] { g[t] = tanh(V * g[t-1] + Z * h[t]) }\ny = g",
           {"x": ("T", 5)}, two_loops, {"W": (8, 8), "U": (8, 5), "V": (8, 8), "Z": (8, 8)}, calls=ALL)


def feedback(t, x, w):
    def step(o, now):
        o = t.softmax(t.tanh(t.cat([now, o], -1) @ w["W"].T) @ w["S"].T, -1)
        return o, o
    return stack(t, scan(t, x["x"].unbind(1), zeros(x["x"], 3), step)[0], zeros(x["x"], 3))


# Jordan's network: what comes back is the output.
FAMILY.add("output_feedback",
           "weight W[12, 9], S[3, 12]\neach t in T from y[3] = 0 { y[t] = softmax(S * tanh(W * concat(x[t], y[t-1]))) }",
           {"x": ("T", 6)}, feedback, {"W": (12, 9), "S": (3, 12)}, calls=ALL, step=True)

# --- Maps --------------------------------------------------------------------------------------------------------

FAMILY.add("map", "weight W[6, 5]\neach t in T { y[t] = tanh(W * x[t]) }", {"x": ("T", 5)},
           lambda t, x, w: t.tanh(x["x"] @ w["W"].T), {"W": (6, 5)}, calls=ALL)
FAMILY.add("map_two_sequences", "each t in T { y[t] = a[t] .* b[t] }", {"a": ("T", 5), "b": ("T", 5)},
           lambda t, x, w: x["a"] * x["b"], calls=ALL)
FAMILY.add("map_context", "each t in T { y[t] = x[t] .* c }", {"c": (5,), "x": ("T", 5)},
           lambda t, x, w: x["x"] * x["c"][:, None], calls=ALL)


def frames(t, x, w):
    """A convolution and a global average of every frame: [batch, T, 8]."""
    flat = x["frame"].flatten(0, 1)
    if not len(flat):
        return x["frame"].new_zeros(*x["frame"].shape[:2], 8)
    features = t.relu(conv(t, flat, w["conv1.kernel"], w["conv1.bias"], stride=2)).flatten(1, 2).mean(1)
    return features.unflatten(0, x["frame"].shape[:2])


FRAME_WEIGHTS = {"conv1.kernel": weight(3, 3, 3, 8), "conv1.bias": weight(8)}
FAMILY.add("map_frames",
           "each t in T { y[t] = frame[t] |> conv(8, 3, stride = 2) |> relu |> global_avg_pool }",
           {"frame": ("T", 9, 11, 3)}, frames, FRAME_WEIGHTS, calls=FEW)
FAMILY.add("map_frames_then_states",
           "weight W[6, 6], U[6, 8]\neach t in T { f[t] = frame[t] |> conv(8, 3, stride = 2) |> relu |> global_avg_pool }\n"
           "each t in T from h[6] = 0 { h[t] = tanh(W * h[t-1] + U * f[t]) }\ny = h[T]",
           {"frame": ("T", 9, 11, 3)}, lambda t, x, w: rnn(t, frames(t, x, w), w["W"], w["U"])[1],
           {**FRAME_WEIGHTS, "W": (6, 6), "U": (6, 8)}, calls=FEW)
FAMILY.add("conv_then_states",
           "weight W[6, 6], U[6, 8]\nf = x |> conv(8, kernel = 3, padding = same) |> relu\n"
           "each t in T from h[6] = 0 { h[t] = tanh(W * h[t-1] + U * f[t]) }\ny = h",
           {"x": ("T", 5)},
           lambda t, x, w: rnn(t, t.relu(conv(t, x["x"], w["conv1.kernel"], w["conv1.bias"], padding="same")), w["W"],
                               w["U"])[0],
           {"W": (6, 6), "U": (6, 8), "conv1.kernel": weight(3, 5, 8), "conv1.bias": weight(8)}, calls=ALL)


# A convolution whose state is an image (a convolutional recurrence).
def image_state(t, x, w):
    def step(h, now):
        h = t.tanh(conv(t, h, w["conv1.kernel"], w["conv1.bias"], padding="same") + now)
        return h, h
    return scan(t, x["x"].unbind(1), x["x"].new_zeros(x["x"].shape[0], 5, 6, 2), step)[1]


FAMILY.add("image_state",
           "each t in T from h[5, 6, 2] = 0 { h[t] = tanh((h[t-1] |> conv(2, 3, padding = same)) + x[t]) }\ny = h[T]",
           {"x": ("T", 5, 6, 2)}, image_state, {"conv1.kernel": weight(3, 3, 2, 2), "conv1.bias": weight(2)},
           calls=FEW)

# --- A loop in a loop: words of letters --------------------------------------------------------------------------


def words(t, x, w):
    def word(h, letters):
        inner = rnn(t, letters, w["A"], w["B"])[1]
        h = t.tanh(h @ w["C"].T + inner @ w["D"].T)
        return h, h
    return stack(t, scan(t, x["x"].unbind(1), zeros(x["x"], 7), word)[0], zeros(x["x"], 7))


FAMILY.add("nested",
           "weight A[5, 5], B[5, 4], C[7, 7], D[7, 5]\neach s in S from h[7] = 0 {\n"
           "  each l in L from g[5] = 0 { g[l] = tanh(A * g[l-1] + B * x[s, l]) }\n"
           "  h[s] = tanh(C * h[s-1] + D * g[L])\n}\ny = h",
           {"x": ("S", "L", 4)}, words, {"A": (5, 5), "B": (5, 4), "C": (7, 7), "D": (7, 5)},
           calls=(Call(1, {"S": 1, "L": 1}), Call(3, {"S": 4, "L": 3}), Call(2, {"S": 3, "L": 17}),
                  Call(3, {"S": 4, "L": 5}, {"S": (4, 1, 2), "L": (2, 5, 1)})))

# --- The standard library ----------------------------------------------------------------------------------------

GATES = "ifog"


def lstm_weights(layer: str, inputs: int, hidden: int) -> dict:
    """The weights of the library's lstm, by name."""
    weights = {}
    for gate in GATES:
        weights |= {f"{layer}.W{gate}": weight(hidden, inputs), f"{layer}.R{gate}": weight(hidden, hidden),
                    f"{layer}.b{gate}": weight(hidden)}
    return weights


def lstm(t, x, w, layer: str):
    """PyTorch's own LSTM with these weights: all h, and the last h and c. PyTorch's order of gates is i, f, g, o."""
    hidden = w[f"{layer}.bi"].shape[0]
    module = t.nn.LSTM(x.shape[-1], hidden, batch_first=True).to(x.dtype)
    weights = {"weight_ih_l0": t.cat([w[f"{layer}.W{gate}"] for gate in "ifgo"]),
               "weight_hh_l0": t.cat([w[f"{layer}.R{gate}"] for gate in "ifgo"]),
               "bias_ih_l0": t.cat([w[f"{layer}.b{gate}"] for gate in "ifgo"]),
               "bias_hh_l0": x.new_zeros(4 * hidden)}
    hs, (h, c) = t.func.functional_call(module, weights, (x,))
    return hs, h[0], c[0]


for inputs, hidden in ((1, 1), (6, 13), (32, 64)):
    FAMILY.add(f"lstm_{inputs}_{hidden}", f"y, c = x |> lstm({hidden})\nz = c[T]", {"x": ("T", inputs)},
               lambda t, x, w: (lambda hs, h, c: (hs, c))(*lstm(t, x["x"], w, "lstm1")),
               lstm_weights("lstm1", inputs, hidden), outputs=("y", "z"), calls=SEQUENCES)
FAMILY.add("lstm_step", "h, c = x |> lstm(9)\ny = h", {"x": ("T", 6)},
           lambda t, x, w: lstm(t, x["x"], w, "lstm1")[0], lstm_weights("lstm1", 6, 9), calls=SEQUENCES, step=True)
FAMILY.add("lstm_stacked", "a, ca = x |> lstm(9)\nb, cb = a |> lstm(7)\ny = softmax(dense(4)(b[T]))", {"x": ("T", 6)},
           lambda t, x, w: t.softmax(lstm(t, lstm(t, x["x"], w, "lstm1")[0], w, "lstm2")[1] @ w["dense1.kernel"].T
                                     + w["dense1.bias"], -1),
           {**lstm_weights("lstm1", 6, 9), **lstm_weights("lstm2", 9, 7), "dense1.kernel": (4, 7), "dense1.bias": (4,)},
           calls=SEQUENCES)
FAMILY.add("lstm_both_ways",
           "f, cf = x |> lstm(5)\nr, cr = reverse(x) |> lstm(5)\ny = concat(f, reverse(r))", {"x": ("T", 6)},
           lambda t, x, w: t.cat([lstm(t, x["x"], w, "lstm1")[0], lstm(t, x["x"].flip(1), w, "lstm2")[0].flip(1)], -1),
           {**lstm_weights("lstm1", 6, 5), **lstm_weights("lstm2", 6, 5)}, calls=SEQUENCES)


def layer_norm_lstm_weights(layer: str, inputs: int, hidden: int) -> dict:
    """The weights of the library's layer_norm_lstm, by name; norms are numbered as the equations have them."""
    return {**{f"{layer}.W{gate}": weight(hidden, inputs) for gate in "ifog"},
            **{f"{layer}.R{gate}": weight(hidden, hidden) for gate in "ifog"},
            **{f"{layer}.p{gate}": weight(hidden) for gate in "ifo"},
            **{f"{layer}.layer_norm{i}.scale": weight(hidden, shift=1, scale=0.3) for i in range(1, 6)},
            **{f"{layer}.layer_norm{i}.shift": weight(hidden) for i in range(1, 6)}}


def layer_norm_lstm(t, x, w, layer: str):
    """An LSTM with layer norm and peepholes, which PyTorch does not have: all h, and the last h and c."""
    hidden = w[f"{layer}.pi"].shape[0]

    def norm(value, number: int):
        return t.nn.functional.layer_norm(value, (hidden,), w[f"{layer}.layer_norm{number}.scale"],
                                          w[f"{layer}.layer_norm{number}.shift"])

    def step(state, now):
        h, c = state
        i, f, g, o = (norm(now @ w[f"{layer}.W{gate}"].T + h @ w[f"{layer}.R{gate}"].T, number)
                      for number, gate in enumerate("ifgo", 1))
        i, f = t.sigmoid(i + w[f"{layer}.pi"] * c), t.sigmoid(f + w[f"{layer}.pf"] * c + 1)
        c = f * c + i * t.tanh(g)
        h = t.sigmoid(o + w[f"{layer}.po"] * c) * t.tanh(norm(c, 5))
        return (h, c), h
    start = zeros(x, hidden)
    hs, (h, c) = scan(t, x.unbind(1), (start, start), step)
    return stack(t, hs, start), h, c


FAMILY.add("layer_norm_lstm", "y, c = x |> layer_norm_lstm(19)\nz = c[T]", {"x": ("T", 7)},
           lambda t, x, w: (lambda hs, h, c: (hs, c))(*layer_norm_lstm(t, x["x"], w, "layer_norm_lstm1")),
           layer_norm_lstm_weights("layer_norm_lstm1", 7, 19), outputs=("y", "z"), calls=SEQUENCES)
FAMILY.add("layer_norm_lstm_cell", "each t in T from h[9] = 0, c[9] = 0 {\n"
           "  h[t], c[t] = layer_norm_lstm_cell(9)(x[t], h[t-1], c[t-1])\n}\ny = h", {"x": ("T", 6)},
           lambda t, x, w: layer_norm_lstm(t, x["x"], w, "layer_norm_lstm_cell1")[0],
           layer_norm_lstm_weights("layer_norm_lstm_cell1", 6, 9), calls=ALL, step=True)
