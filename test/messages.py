#!/usr/bin/env python3
"""Holds docs/errors.md against the tests and the sources.

usage: messages.py [--list]

Every message of the document has a test that expects it, and every message that
the sources can give is in the document; `…` stands for what differs. Prints what
is missing and fails where something is. --list prints the sources' messages.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "errors.md"

# ---------------------------------------------------------------------------
# The document: a message is an item of a list; what follows ` — ` explains it.


def read_document():
    lines = DOCUMENT.read_text().splitlines()
    return [line[2:].split(" — ")[0].strip() for line in lines if line.startswith("* ")]


def to_pattern(message):
    """A message as a regular expression."""
    return ".+?".join(re.escape(part) for part in message.split("…"))


# ---------------------------------------------------------------------------
# The tests: what -verify-diagnostics and FileCheck expect, and what GoogleTest
# compares with.


def read_expected():
    """Texts that are compared whole, and lines that a message is a part of."""
    whole, lines = [], []
    for pattern in ("dsl/*.nn", "dsl/*.test", "driver/*.nn", "driver/*.mlir", "driver/*.test", "emit/*.test", "dialect/*.mlir",
                    "passes/*.mlir", "unit/runtime/*.cpp"):
        for path in (ROOT / "test").glob(pattern):
            text = path.read_text()
            whole += re.findall(r"expected-(?:error|warning)[^{\n]*\{\{(.*?)\}\}", text)
            lines += [line for line in text.splitlines() if re.match(r"\W*[A-Z0-9_]+(-[A-Z]+)?: |.*\bEXPECT_", line)]
    return whole, lines


def is_tested(message, whole, lines):
    pattern = re.compile(to_pattern(message))
    return any(pattern.fullmatch(text) for text in whole) or any(pattern.search(line) for line in lines)


# ---------------------------------------------------------------------------
# The sources: the calls that say something, and the argument that is the message.

CALLS = {
    "dsl/*.cpp": {"error": 1, "exhaust": 1, "addError": 2},
    "compiler/driver/Options.cpp": {"complain": 0},
    "compiler/driver/Compile.cpp": {"createStringError": 0},
    "compiler/driver/Frontend.cpp": {"createStringError": 0},
    "compiler/driver/Reports.cpp": {"createStringError": 0},
    "compiler/explain/*.cpp": {"createStringError": 0},
    "compiler/emit/Embed.cpp": {"complain": 1},
    "compiler/emit/Library.cpp": {"createStringError": -1},
}
# Files whose diagnostics are written as streams: emitError("…") << what << "…".
STREAMS = ("compiler/driver/Backend.cpp", "compiler/passes/Differentiate.cpp", "compiler/passes/InferShapes.cpp",
           "compiler/autodiff/Adjoints.cpp")
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|//[^\n]*|\w+|->|::|<<|\s+|.', re.DOTALL)
OPEN, CLOSE = "([{", ")]}"


def split(tokens, separator):
    """Parts between separators that stand in no bracket."""
    parts, depth = [[]], 0
    for token in tokens:
        depth += (token in OPEN) - (token in CLOSE)
        if token == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def take_brackets(tokens, at):
    """What stands in the bracket that opens at `at`."""
    depth, start = 0, at + 1
    while True:
        depth += (tokens[at] in OPEN) - (tokens[at] in CLOSE)
        if depth == 0:
            return tokens[start:at]
        at += 1


def evaluate(tokens):
    """The messages that an expression of strings can be."""
    condition = split(tokens, "?")
    if len(condition) > 1:
        rest = tokens[len(condition[0]) + 1 :]
        # The first colon that belongs to no condition within.
        nested = 0
        for at, token in enumerate(rest):
            depth = sum((t in OPEN) - (t in CLOSE) for t in rest[:at])
            nested += depth == 0 and token == "?"
            if depth == 0 and token == ":":
                if nested == 0:
                    return evaluate(rest[:at]) + evaluate(rest[at + 1 :])
                nested -= 1
    terms = split(tokens, "+")
    if len(terms) > 1:
        messages = [""]
        for term in terms:
            messages = [message + more for message in messages for more in evaluate(term)]
        return messages
    if tokens and tokens[0] == "(" and len(take_brackets(tokens, 0)) == len(tokens) - 2:
        return evaluate(tokens[1:-1])
    if len(tokens) > 2 and tokens[-1] == ")" and tokens[1:2] == ["("] and tokens[0] in ("Twine", "string"):
        return evaluate(tokens[2:-1])
    if tokens and all(token.startswith('"') for token in tokens):
        return ["".join(token[1:-1] for token in tokens).replace('\\"', '"').replace("\\n", "\n")]
    return ["…"]


def find_messages(path, calls):
    tokens = [token for token in TOKEN.findall(path.read_text()) if not token.isspace() and not token.startswith("//")]
    for at, token in enumerate(tokens[:-1]):
        if token in calls and tokens[at + 1] == "(":
            arguments = split(take_brackets(tokens, at + 1), ",")
            if len(arguments) > calls[token]:
                yield from evaluate(arguments[calls[token]])
        # dsl::Diagnostic written out: severity, location, message, notes.
        if tokens[at : at + 3] == ["Severity", "::", "Error"] or tokens[at : at + 3] == ["Severity", "::", "Warning"]:
            start = at
            while tokens[start] != "{":
                start -= 1
            arguments = split(take_brackets(tokens, start), ",")
            if len(arguments) >= 3:
                yield from evaluate(arguments[2])


def find_streams(path):
    """What is streamed into each emitError and emitWarning."""
    tokens = [token for token in TOKEN.findall(path.read_text()) if not token.isspace() and not token.startswith("//")]
    for at, token in enumerate(tokens):
        if token in ("emitError", "emitWarning"):
            statement = tokens[at : tokens.index(";", at)]
            parts = [split(take_brackets(statement, 1), ",")[-1]] + split(statement, "<<")[1:]
            yield "".join(evaluate(part)[0] for part in parts)


def read_sources():
    messages = {}
    for path in STREAMS:
        for message in find_streams(ROOT / path):
            messages.setdefault(re.sub("…+", "…", message), path)
    for pattern, calls in CALLS.items():
        for path in sorted(ROOT.glob(pattern)):
            for message in find_messages(path, calls):
                message = re.sub("…+", "…", message)
                if message != "…" and re.search("[a-z]{2}", message):
                    messages.setdefault(message, path.relative_to(ROOT))
    return messages


def main():
    sources = read_sources()
    if "--list" in sys.argv[1:]:
        for message, path in sources.items():
            print(f"{path}: {message}")
        return 0
    document = read_document()
    whole, lines = read_expected()
    missing = [f"no test expects `{message}`" for message in document if not is_tested(message, whole, lines)]
    patterns = [re.compile(to_pattern(message), re.DOTALL) for message in document]
    missing += [
        f"docs/errors.md lacks `{message}` of {path}"
        for message, path in sources.items()
        if not any(pattern.fullmatch(message) for pattern in patterns)
    ]
    for problem in missing:
        print(problem)
    print(f"{len(document)} messages, {len(missing)} problems")
    return missing != []


if __name__ == "__main__":
    sys.exit(main())
