"""Random time loops: their body is a random network of vectors, told step by step."""

from __future__ import annotations

from random_networks import Builder, Scope, Value


def _start(builder: Builder, n: int):
    """What is read before the first step: its text, and start(torch, values, weights) [batch or 1, n]."""
    draws = builder.draws
    computed = [value for value in builder.outer.values if value.shape == (n,)]
    if computed and draws.chance(60):
        value = draws.choice(computed)
        return value.text, lambda t, x, w: x[value.key]
    if draws.chance(40):
        name = builder.new_weight(n)
        return name, lambda t, x, w: w[name][None]
    number = draws.choice((0, 0, 0.5, -0.3))
    return str(number), lambda t, x, w: next(iter(w.values())).new_full((1, n), number)


def add_loop(builder: Builder, a: Value) -> Value:
    """A loop over the steps of `a`: gives its output, a sequence. What it computes on the way are values, too."""
    draws, outer = builder.draws, builder.outer
    n = draws.choice((1, 3, 4, 6))
    states = [builder.name("h") for _ in range(1 + draws.chance(35))]
    lags = 1 + draws.chance(30)
    starts = {state: _start(builder, n) for state in states}
    other = draws.choice([value for value in outer.values if value.shape[0] == a.shape[0] and len(value.shape) == 2])
    scope = builder.scope = Scope("[t]")
    read = {value.key: value for value in (a, other)}
    scope.values += [Value(f"{value.text}[t]", value.shape[1:], value.key) for value in read.values()]
    context = [value for value in outer.values if len(value.shape) == 1]
    scope.values += [draws.choice(context)] if context and draws.chance(50) else []
    scope.values += [Value(f"{state}[t-{lag}]", (n,), f"{state}-{lag}") for state in states
                     for lag in range(1, lags + 1)]
    builder.grow(1 + draws.below(3))
    for state in states:
        _new_state(builder, state, n)
    builder.grow(draws.below(2))
    inner = [value for value in scope.values if value.text.endswith("[t]") and value.key not in read]
    builder.scope = outer
    header = ", ".join(f"{state}[{n}] = {starts[state][0]}" for state in states)
    outer.lines.append("\n".join([f"each t in {a.shape[0]} from {header} {{", *(f"  {line}" for line in scope.lines), "}"]))
    outer.program.append(lambda t, x, w: _run(t, x, w, scope, list(read), starts, lags, inner))
    outer.values += [Value(value.key, (a.shape[0], *value.shape), value.key) for value in inner]
    return outer.values[-1]


def _new_state(builder: Builder, state: str, n: int) -> None:
    """h[t] = tanh(W * h[t-1] + U * v), where v is a random value of the step."""
    scope = builder.scope
    value = builder.pick(lambda shape: len(shape) == 1)
    own, read = builder.matrix(n, n), builder.matrix(n, value.shape[0])
    scope.lines.append(f"{state}[t] = tanh({own} * {state}[t-1] + {read} * {value.text})")
    scope.program.append(lambda t, x, w: x.__setitem__(
        state, t.tanh(x[f"{state}-1"] @ w[own].T + x[value.key] @ w[read].T)))
    scope.values.append(Value(f"{state}[t]", (n,), state))


def _run(t, x, w, scope: Scope, read: list[str], starts: dict, lags: int, inner: list[Value]) -> None:
    """Runs a loop's body over all steps and puts its stacked values into x."""
    batch, steps = x[read[0]].shape[:2]
    past = {state: [start(t, x, w).expand(batch, -1)] * lags for state, (_, start) in starts.items()}
    stacked = {value.key: [] for value in inner}
    for step in range(steps):
        now = dict(x)
        now |= {key: x[key][:, step] for key in read}
        now |= {f"{state}-{lag}": values[-lag] for state, values in past.items() for lag in range(1, lags + 1)}
        for evaluate in scope.program:
            evaluate(t, now, w)
        for state, values in past.items():
            values.append(now[state])
        for key, values in stacked.items():
            values.append(now[key])
    x |= {key: t.stack(values, 1) for key, values in stacked.items()}
