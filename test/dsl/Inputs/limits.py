"""Prints a program that exceeds the limit of this name."""

import sys


def network(body, inputs="x[2]", before=""):
    return f"{before}\nnetwork wrong {{\n  input {inputs}\n  output y[2]\n  y = x\n{body}\n}}\n"


PROGRAMS = {
    "bytes": lambda: "//" + "x" * (1 << 20),
    "name": lambda: network(f"  {'n' * 129} = x"),
    "nesting": lambda: network(f"  z = {'(' * 300}x{')' * 300}"),
    "operators": lambda: network("  z = x" + " + x" * 2000),
    "many-operators": lambda: network("  z = x" + " + x" * 200000),
    "declarations": lambda: "\n".join(f"network n{i} {{ input x[2] output x[2] }}" for i in range(300)),
    "errors": lambda: network("\n".join(f"  z{i} = x + missing{i}" for i in range(200))),
    "steps": lambda: network(
        "  z = x |> repeat(10000, many)", before="layer many(x) -> y { y = x |> repeat(200, identity) }"
    ),
    "operations": lambda: network("  z = x |> repeat(10000, many)", before="layer many(x) -> y { y = relu(tanh(relu(x))) }"),
    "dimensions": lambda: network("", inputs="x[2], z[" + ", ".join(["1"] * 17) + "]"),
    "elements": lambda: network("", inputs="x[2], z[65536, 65536]"),
    "lengths": lambda: network("", inputs="x[2], " + ", ".join(f"z{i}[T{i}]" for i in range(70))),
    "calls": lambda: network("  z = calls(x)", before="layer calls(x) -> y { y = calls(x) }"),
    "path": lambda: network(
        f"  z = {'l' * 120}0(x)",
        before="".join(f"layer {'l' * 120}{i}(x) -> y {{ y = {'l' * 120}{i + 1}(x) }}\n" for i in range(9))
        + f"layer {'l' * 120}9(x) -> y {{ y = x }}",
    ),
    "definitions": lambda: network("\n".join(f"  d{i} = d{i + 1} + 1" for i in range(2000)) + "\n  d2000 = 1"),
    "parts": lambda: network(f"  z = ({', '.join(['x'] * 300)})"),
    "layers": lambda: network("  l0 = repeat(2, relu)\n" + "\n".join(f"  l{i} = repeat(1, l{i - 1})" for i in range(1, 70))),
    "handed": lambda: network(
        "  l0 = hand(relu)\n" + "\n".join(f"  l{i} = hand(l{i - 1})" for i in range(1, 70)),
        before="layer hand(inner)(x) -> y { y = inner(x) }",
    ),
    "imports": lambda: "\n".join(f'import "{i}.nn"' for i in range(300)) + network(""),
}

sys.stdout.write(PROGRAMS[sys.argv[1]]())
