#!/usr/bin/env python3
"""Sends mutated programs through the whole compiler.

usage: mutations.py --build DIR [--programs N]

Each is one of the examples or tests with tokens deleted, doubled, swapped or
replaced. A result or a diagnostic is right (exit status 0 or 1); a crash, an
internal error, more than 40 seconds of the processor or more than 2 GiB is not.
The same seed gives the same texts. The last line is `N passed, N failed`. Many
more go through the front end and the passes in process: test/unit/dsl and
test/unit/passes.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 40  # of the processor, whatever else it does; LeNet-5 with its training takes 8
HANGS = 1200  # seconds after which a program that does nothing is said to hang
BYTES = 2 << 30
PROGRAM = re.compile(r"\s+|//[^\n]*|\d+(?:\.\d+)?|\w+|\|>|[<>=!.]=?|.", re.DOTALL)


def mutate(text, token, words, generator):
    """A text with one to four changes of its tokens."""
    tokens = token.findall(text)
    for _ in range(generator.randint(1, 4)):
        at, other = generator.randrange(len(tokens)), generator.randrange(len(tokens))
        change = generator.randrange(5)
        if change == 0:
            del tokens[at]
        elif change == 1:
            tokens.insert(at, tokens[other])
        elif change == 2:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif change == 3:
            tokens[at] = generator.choice(words)
        else:
            numbers = [i for i, token in enumerate(tokens) if token.isdigit()]
            if numbers:
                tokens[generator.choice(numbers)] = str(generator.choice([0, 1, 2, 3, 7, 64, 1000, 10**6, 2**31, 2**62]))
        if len(tokens) < 2:
            break
    return "".join(tokens)


def mutations(texts, token, count):
    """`count` mutated texts, the same at every call."""
    words = sorted({word for text in texts for word in token.findall(text) if not word.isspace()})
    generator = random.Random(1)
    return [mutate(generator.choice(texts), token, words, generator) for _ in range(count)]


def run(command):
    """What went wrong, or ''."""
    process = subprocess.Popen(["prlimit", f"--cpu={SECONDS}", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        message = process.communicate(timeout=HANGS)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "hangs"
    if process.returncode == -signal.SIGXCPU:
        return f"took more than {SECONDS} s"
    if process.returncode not in (0, 1):
        return f"exit status {process.returncode}: {message.decode(errors='replace')[:300]}"
    return ""


def compile_program(build, text, folder):
    """Runs nnc, whose cache the programs share."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        source = pathlib.Path(own) / "program.nn"
        source.write_text(text, errors="replace")
        return run([build / "bin" / "nnc", source, "-o", own, f"-cache-dir={folder / 'cache'}", "-j", "1"])


def check(build, texts, folder):
    """How many went wrong."""
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for text, problem in zip(texts, pool.map(lambda text: compile_program(build, text, folder), texts)):
            if problem:
                failed += 1
                print(f"FAIL {problem}\n{text}")
    return failed


def read(*patterns):
    return [path.read_text(errors="replace") for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--programs", type=int, default=200)
    arguments = parser.parse_args()
    seeds = read("examples/*/*.nn", "dsl/std/*.nn", "test/import/*.nn", "test/dsl/*.nn")
    programs = mutations(seeds, PROGRAM, arguments.programs)
    with tempfile.TemporaryDirectory() as folder:
        failed = check(arguments.build, programs, pathlib.Path(folder))
    # The most that any of them used.
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 > BYTES:
        failed += 1
        print(f"FAIL one took more than {BYTES >> 30} GiB")
    print(f"{len(programs) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
