"""Loops that feed back what they give and end by `until`: each example takes as many steps as it needs, at most as many
as the call asks for, and says how many those were."""

from case import Call, Family, Tensor, weight

FAMILY = Family("decode")

L = (Call(1, {"L": 1}), Call(3, {"L": 7}), Call(33, {"L": 20}), Call(4, {"L": 9}, {"L": (9, 2, 0, 5)}))
S_AND_L = (Call(1, {"S": 1, "L": 1}), Call(5, {"S": 7, "L": 12}), Call(21, {"S": 4, "L": 30}),
           Call(5, {"S": 9, "L": 11}, {"S": (9, 3, 1, 4, 9)}),
           Call(5, {"S": 6, "L": 8}, {"S": (6, 2, 1, 4, 6), "L": (8, 3, 0, 1, 8)}))


def decode(t, steps: int, state, function):
    """One example after the other: state, outputs, ends = function(state) until it ends, at most so many steps. Gives
    each output stacked over the steps, 0 past the end, each example's number of steps, and its last state."""
    rows, lengths, finals = [], [], []
    for example in range(state[0].shape[0]):
        now, outputs, ends = [part[example:example + 1] for part in state], [], False
        like = function(now)[1]
        while len(outputs) < steps and not ends:
            now, given, ends = function(now)
            outputs.append(given)
        padding = [[t.zeros_like(part) for part in like]] * (steps - len(outputs))
        columns = zip(*outputs, *padding) if outputs or padding else [[] for _ in like]
        rows.append([t.cat(column) if column else part[:0] for column, part in zip(columns, like)])
        lengths.append(len(outputs))
        finals.append(now)
    stacked = tuple(t.stack(column) for column in zip(*rows))
    return (*stacked, t.tensor(lengths)), tuple(t.cat(column) for column in zip(*finals))


def hits(word, end: int) -> bool:
    return bool((word == end).all())


# --- Encoder and decoder -------------------------------------------------------------------------------------------

GRU = {f"{side}.{name}": weight(8, 8, scale=1) if name[0] in "WR" else weight(8)
       for side in ("gru1", "gru_cell1") for name in ("Wr", "Wz", "Wn", "Rr", "Rz", "Rn", "br", "bz", "bn", "cn")}
TRANSLATOR = {"embed1.table": weight(6, 8, scale=2), **{k: v for k, v in GRU.items() if k.startswith("gru1")},
              "embed2.table": weight(9, 8, scale=2), **{k: v for k, v in GRU.items() if k.startswith("gru_cell1")},
              "dense1.kernel": weight(9, 8, scale=2), "dense1.bias": weight(9)}
TRANSLATE = ("code = source |> embed(8) |> gru(8) |> last\n"
             "each t in L from h = code, target = 0 until target[t] == 1 {\n"
             "  h[t] = gru_cell(8)(embed(8)(target[t-1]), h[t-1])\n"
             "  p[t] = softmax(dense(9)(h[t]))\n"
             "  target[t] = predict(p[t])\n}\n")


def gru_cell(t, w, path, x, h):
    def gate(name, own):
        return x @ w[f"{path}.W{name}"].T + own + w[f"{path}.b{name}"]
    r = t.sigmoid(gate("r", h @ w[f"{path}.Rr"].T))
    z = t.sigmoid(gate("z", h @ w[f"{path}.Rz"].T))
    new = t.tanh(gate("n", r * (h @ w[f"{path}.Rn"].T + w[f"{path}.cn"])))
    return new + z * (h - new)


def encode(t, x, w):
    h = w["dense1.kernel"].new_zeros(x["source"].shape[0], 8)
    for word in x["source"].unbind(1):
        h = gru_cell(t, w, "gru1", w["embed1.table"][word], h)
    return h


def say(t, w, h, word):
    h = gru_cell(t, w, "gru_cell1", w["embed2.table"][word], h)
    return h, h @ w["dense1.kernel"].T + w["dense1.bias"]


def translate(t, x, w):
    def step(state):
        h, scores = say(t, w, *state)
        word = scores.argmax(-1)
        return [h, word], [word], hits(word, 1)
    code = encode(t, x, w)
    return decode(t, x["L"], [code, t.zeros(code.shape[0], dtype=t.int64)], step)[0]


SOURCE = {"source": Tensor(("S",), classes=6)}
TARGET = dict(outputs=("target", "target.lengths"), ports="target[L <= 60] : class[9]", dimensions=("L",),
              integers=("target", "target.lengths"), calls=S_AND_L)
FAMILY.add("translate", TRANSLATE, SOURCE, translate, TRANSLATOR, **TARGET)

# --- One to many -------------------------------------------------------------------------------------------------

WORDS, WIDTH = 7, 12
SPEAKER = {"E": weight(WIDTH, WORDS, scale=2), "W": weight(WIDTH, WIDTH, scale=0.7), "S": weight(WORDS, WIDTH, scale=1)}
SPEAK = (f"weight E[{WIDTH}, {WORDS}], W[{WIDTH}, {WIDTH}], S[{WORDS}, {WIDTH}]\n"
         "each t in L from h[12] = code, word = 0 until word[t] == 1 {\n"
         "  h[t] = tanh(W * h[t-1] + E * one_hot(word[t-1]))\n"
         "  p[t] = softmax(S * h[t])\n"
         "  word[t] = argmax(p[t])\n}\n")


def speak(t, x, w):
    def step(state):
        h, word = state
        h = t.tanh(h @ w["W"].T + w["E"].T[word])
        p = t.softmax(h @ w["S"].T, -1)
        word = p.argmax(-1)
        return [h, word], [word, p, h], hits(word, 1)
    code = x["code"]
    return decode(t, x["L"], [code, t.zeros(code.shape[0], dtype=t.int64)], step)


CODE = {"code": Tensor((WIDTH,), scale=2)}
WORD = f"word[L <= 60] : class[{WORDS}]"
FAMILY.add("words", SPEAK, CODE, lambda t, x, w: tuple(speak(t, x, w)[0][i] for i in (0, 3)), SPEAKER,
           outputs=("word", "word.lengths"), ports=WORD, dimensions=("L",), integers=("word", "word.lengths"), calls=L)
FAMILY.add("words_and_scores", SPEAK, CODE, lambda t, x, w: tuple(speak(t, x, w)[0][i] for i in (1, 0, 3)), SPEAKER,
           outputs=("p", "word", "p.lengths"), ports=f"p[L <= 60, {WORDS}], word[L] : class[{WORDS}]",
           dimensions=("L",), integers=("word", "p.lengths"), calls=L)


def after(t, x, w):
    """What reads the loop's sequences sees each example's own steps."""
    (word, p, h, lengths), (last, _) = speak(t, x, w)
    count = lengths.clamp(min=1)[:, None]
    steps = t.arange(word.shape[1])[None, :, None] < lengths[:, None, None]
    back = t.zeros_like(h)
    for example, length in enumerate(lengths):
        back[example, :length] = h[example, :length].flip(0)
    scored = (h @ w["V"].T) * steps
    return (word, p.sum(1) / count, last, last @ w["V"].T, back, scored, w["F"][word] * steps, lengths)


FAMILY.add("after_the_end", "weight V[3, 12], F[7, 2]\n" + SPEAK +
           "mean_p = mean(t in L, p[t])\nend = h[L]\nz = V * last(h)\nback = reverse(h)\n"
           "each t in L { scored[t] = V * h[t] }\neach t in L { shown[t] = transpose(F) * one_hot(word[t]) }",
           CODE, after, {**SPEAKER, "V": weight(3, 12), "F": weight(7, 2)},
           outputs=("word", "mean_p", "end", "z", "back", "scored", "shown", "word.lengths"),
           ports=f"{WORD}, mean_p, end, z, back, scored, shown", dimensions=("L",),
           integers=("word", "word.lengths"), calls=L[:3])


def fixed(t, x, w):
    word, _, _, lengths = speak(t, x | {"L": 9}, w)[0]
    return word, lengths


FAMILY.add("at_most_nine", SPEAK.replace("in L", "in 9"), CODE, fixed, SPEAKER, outputs=("word", "word.lengths"),
           ports=f"word[9] : class[{WORDS}]", integers=("word", "word.lengths"), calls=(Call(1), Call(3), Call(64)))


# --- A sequence in each step of another ----------------------------------------------------------------------------

TELLER = {"E": SPEAKER["E"], "W": SPEAKER["W"], "Z": SPEAKER["S"]}
TELL = (f"weight E[{WIDTH}, {WORDS}], W[{WIDTH}, {WIDTH}], Z[{WORDS}, {WIDTH}]\n"
        "each s in S{memory} {{\n"
        f"  each t in L from h[{WIDTH}] = {{start}}, word : class[{WORDS}] = 0 until word[t] == 1 {{{{\n"
        "    h[t] = tanh(W * h[t-1] + E * one_hot(word[t-1]))\n"
        "    p[t] = softmax(Z * h[t])\n"
        "    word[t] = argmax(p[t])\n  }}\n"
        "  {more}\n}}\n")
PLOT = {"plot": Tensor(("S", WIDTH), scale=2)}
TOLD = f"told[S, L <= 60] : class[{WORDS}]"


def tell(remembers: bool):
    def reference(t, x, w):
        steps, before = [], w["W"].new_zeros(x["plot"].shape[0], WIDTH)
        for plot in x["plot"].unbind(1):
            code = t.tanh(plot + before) if remembers else plot
            (word, p, _, lengths), (before, _) = speak(t, {"code": code, "L": x["L"]}, w | {"S": w["Z"]})
            steps.append((word, p.sum(1) / lengths.clamp(min=1)[:, None], before, lengths))
        return tuple(t.stack(part, 1) for part in zip(*steps))
    return reference


TOLD_OUTPUTS = dict(outputs=("told", "mean_p", "ends", "told.lengths"), ports=f"{TOLD}, mean_p, ends", dimensions=("L",),
                    integers=("told", "told.lengths"), calls=S_AND_L)
FAMILY.add("words_of_each_step", TELL.format(memory="", start="plot[s]", more="told[s] = word\n  "
                                             "mean_p[s] = mean(t in L, p[t])\n  ends[s] = h[L]"),
           PLOT, tell(remembers=False), TELLER, **TOLD_OUTPUTS)
FAMILY.add("words_of_steps_that_remember",
           TELL.format(memory=f" from ends[{WIDTH}] = 0", start="tanh(plot[s] + ends[s-1])",
                       more="told[s] = word\n  mean_p[s] = mean(t in L, p[t])\n  ends[s] = h[L]"),
           PLOT, tell(remembers=True), TELLER, **TOLD_OUTPUTS)

# --- Sequences that end before their input does --------------------------------------------------------------------

def sum_until_full(t, x, w):
    """Sums until the largest is over 2; the last of each example, and how many it took."""
    if x["x"].shape[1] == 0:
        return x["x"], x["x"].new_zeros(x["x"].shape[0], 5), t.zeros(x["x"].shape[0], dtype=t.int64)
    values = x["x"]
    rows = [row_until_full(t, values[i:i + 1]) for i in range(values.shape[0])]
    return tuple(t.cat(column) for column in zip(*rows))


def row_until_full(t, values):
    s, total, count = t.zeros_like(values), values.new_zeros(1, 5), 0
    for step in range(values.shape[1]):
        total = total + values[:, step]
        s[:, step], count = total, step + 1
        if bool(total.max() > 2):
            break
    return s, total, t.tensor([count])


FAMILY.add("sum_until_full", "each t in T from s[5] = 0 until max(s[t]) > 2 { s[t] = s[t-1] + x[t] }\nend = s[T]",
           {"x": ("T", 5)}, sum_until_full, outputs=("s", "end", "s.lengths"), ports="s, end", integers=("s.lengths",),
           calls=(Call(1, {"T": 1}), Call(3, {"T": 40}), Call(16, {"T": 9}), Call(4, {"T": 30}, {"T": (30, 2, 0, 17)})))

# --- Beams ---------------------------------------------------------------------------------------------------------


def search(t, width: int, steps: int, state, function, choose):
    """The likeliest sequence that `width` beams find, one example after the other. log_p, more = function(state);
    state, outputs, ends = choose(state, more, word). Gives what decode gives."""
    rows, lengths, finals = [], [], []
    for example in range(state[0].shape[0]):
        # score, state, outputs, whether it has ended
        beams = [(0.0, [part[example:example + 1] for part in state], [], False)]
        for _ in range(steps):
            if beams[0][3]:
                break
            candidates = []
            for parent, (score, now, outputs, ended) in enumerate(beams):
                if ended:
                    candidates.append((score, parent, 0))
                else:
                    log_p, _ = function(now)
                    candidates += [(score + float(p), parent, word) for word, p in enumerate(log_p[0])]
            candidates.sort(key=lambda candidate: (-candidate[0], *candidate[1:]))
            following = []
            for score, parent, word in candidates[:width]:
                _, now, outputs, ended = beams[parent]
                if not ended:
                    now, given, ended = choose(now, function(now)[1], t.tensor([word]))
                    outputs = [*outputs, given]
                following.append((score, now, outputs, ended))
            beams = following
        _, now, outputs, _ = beams[0]
        start = [part[example:example + 1] for part in state]
        like = choose(start, function(start)[1], t.tensor([0]))[1]
        padding = [[t.zeros_like(part) for part in like]] * (steps - len(outputs))
        columns = zip(*outputs, *padding) if steps else [[] for _ in like]
        rows.append([t.cat(column) if column else part[:0] for column, part in zip(columns, like)])
        lengths.append(len(outputs))
        finals.append(now)
    stacked = tuple(t.stack(column) for column in zip(*rows))
    return (*stacked, t.tensor(lengths)), tuple(t.cat(column) for column in zip(*finals))


def speak_likely(width: int, end: int = 1, steps: int = 0):
    def reference(t, x, w):
        def listen(state):
            h, word = state
            h = t.tanh(h @ w["W"].T + w["E"].T[word])
            logits = h @ w["S"].T
            return t.log_softmax(logits, -1), (h, t.softmax(logits, -1))

        def say_word(state, more, word):
            h, p = more
            return [h, word], [word, p, h], hits(word, end)
        code = x["code"]
        start = [code, t.zeros(code.shape[0], dtype=t.int64)]
        (word, p, h, lengths), (last, _) = search(t, width, steps or x["L"], start, listen, say_word)
        return word, p, last, lengths
    return reference



def likely(width: int) -> str:
    return SPEAK.replace("argmax(p[t])", f"predict(p[t], beam = {width})")


FAMILY.add("three_beams", likely(3) + "last_h = h[L]", CODE, speak_likely(3), SPEAKER,
           outputs=("word", "p", "last_h", "word.lengths"), ports=f"{WORD}, p, last_h", dimensions=("L",),
           integers=("word", "word.lengths"), calls=L)
FAMILY.add("more_beams_than_words", likely(9), CODE,
           lambda t, x, w: tuple(speak_likely(9)(t, x, w)[i] for i in (0, 3)), SPEAKER,
           outputs=("word", "word.lengths"), ports=WORD, dimensions=("L",), integers=("word", "word.lengths"),
           calls=L[:3])
FAMILY.add("beams_without_end", likely(4).replace("in L", "in 6").replace(" until word[t] == 1", ""), CODE,
           lambda t, x, w: speak_likely(4, end=-1, steps=6)(t, x, w)[:2], SPEAKER, outputs=("word", "p"),
           ports=f"word[6] : class[{WORDS}], p", integers=("word",), calls=(Call(1), Call(3), Call(64)))


def tell_likely(width: int, remembers: bool):
    """Each step of the loop around searches for a sequence of its own."""
    def reference(t, x, w):
        steps, before = [], w["W"].new_zeros(x["plot"].shape[0], WIDTH)
        for plot in x["plot"].unbind(1):
            code = t.tanh(plot + before) if remembers else plot
            word, p, before, lengths = speak_likely(width)(t, {"code": code, "L": x["L"]}, w | {"S": w["Z"]})
            steps.append((word, p.sum(1) / lengths.clamp(min=1)[:, None], before, lengths))
        return tuple(t.stack(part, 1) for part in zip(*steps))
    return reference


FAMILY.add("three_beams_of_each_step",
           TELL.format(memory="", start="plot[s]", more="told[s] = word\n  mean_p[s] = mean(t in L, p[t])\n  ends[s] = h[L]")
           .replace("argmax(p[t])", "predict(p[t], beam = 3)"), PLOT, tell_likely(3, remembers=False), TELLER, **TOLD_OUTPUTS)
FAMILY.add("two_beams_of_steps_that_remember",
           TELL.format(memory=f" from ends[{WIDTH}] = 0", start="tanh(plot[s] + ends[s-1])",
                       more="told[s] = word\n  mean_p[s] = mean(t in L, p[t])\n  ends[s] = h[L]")
           .replace("argmax(p[t])", "predict(p[t], beam = 2)"), PLOT, tell_likely(2, remembers=True), TELLER, **TOLD_OUTPUTS)


def translate_likely(t, x, w):
    def listen(state):
        h, scores = say(t, w, *state)
        return t.log_softmax(scores, -1), h
    code = encode(t, x, w)
    start = [code, t.zeros(code.shape[0], dtype=t.int64)]
    return search(t, 4, x["L"], start, listen, lambda state, h, word: ([h, word], [word], hits(word, 1)))[0]


FAMILY.add("translate_beams", TRANSLATE.replace("predict(p[t])", "predict(p[t], beam = 4)"), SOURCE, translate_likely,
           TRANSLATOR, **TARGET)


def remembering(t, x, w):
    """What is read after the choice, and from two steps before."""
    def listen(state):
        h, one, two = state
        new = t.tanh(h @ w["W"].T + w["E"].T[one] + 0.5 * w["E"].T[two])
        logits = new @ w["S"].T
        return t.log_softmax(logits, -1), (new, logits)

    def choose(state, more, word):
        h, logits = more
        g = t.tanh(h + w["E"].T[word])
        return [g, word, state[1]], [word, g, logits], hits(word, 1) or bool(g[0, 0] > 0.95)
    code = x["code"]
    nothing = t.zeros(code.shape[0], dtype=t.int64)
    (word, g, z, lengths), _ = search(t, 5, x["L"], [code, nothing, nothing], listen, choose)
    return word, g, z, lengths


FAMILY.add("beams_remember",
           "weight E[12, 7], W[12, 12], S[7, 12]\n"
           "each t in L from g[12] = code, word = 0 until word[t] == 1 or mean(g[t, 0:1]) > 0.95 {\n"
           "  h = tanh(W * g[t-1] + E * one_hot(word[t-1]) + 0.5 * (E * one_hot(word[t-2])))\n"
           "  z[t] = S * h\n"
           "  word[t] = predict(softmax(z[t]), beam = 5)\n"
           "  g[t] = tanh(h + E * one_hot(word[t]))\n}\n", CODE, remembering, SPEAKER,
           outputs=("word", "g", "z", "word.lengths"), ports=f"{WORD}, g, z", dimensions=("L",),
           integers=("word", "word.lengths"), calls=L)
