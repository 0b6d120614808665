#!/usr/bin/env python3
"""Sends mutated programs through the whole compiler.

usage: mutations.py --build DIR [--count N]

Each is one of the examples or tests with tokens deleted, doubled, swapped or
replaced. A result or a diagnostic is right (exit status 0 or 1); a crash, an
internal error, more than 10 seconds or more than 2 GiB is not. The same seed
gives the same programs. The last line is `N passed, N failed`.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 10
BYTES = 2 << 30
TOKEN = re.compile(r"\s+|//[^\n]*|\d+(?:\.\d+)?|\w+|\|>|[<>=!.]=?|.", re.DOTALL)


def mutate(text, words, generator):
    """A program with one to four changes of its tokens."""
    tokens = TOKEN.findall(text)
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
                tokens[generator.choice(numbers)] = str(generator.choice([0, 1, 2, 3, 7, 64, 1000, 10**6, 2**31, 2**63]))
        if len(tokens) < 2:
            break
    return "".join(tokens)


def compile_program(nnc, text, folder, cache):
    """What went wrong, or ''."""
    source = folder / "program.nn"
    source.write_text(text, errors="replace")
    command = [nnc, source, "-o", folder, f"-cache-dir={cache}", "-j", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        message = process.communicate(timeout=SECONDS)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"took more than {SECONDS} s"
    if process.returncode not in (0, 1):
        return f"exit status {process.returncode}: {message.decode(errors='replace')[:300]}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    seeds = sorted([*ROOT.glob("examples/*/*.nn"), *ROOT.glob("test/import/*.nn"), *ROOT.glob("test/dsl/*.nn")])
    texts = [seed.read_text(errors="replace") for seed in seeds]
    words = sorted({token for text in texts for token in TOKEN.findall(text) if not token.isspace()})
    generator = random.Random(1)
    programs = [mutate(generator.choice(texts), words, generator) for _ in range(arguments.count)]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def run(item):
            number, text = item
            own = pathlib.Path(folder) / str(number)
            own.mkdir()
            return compile_program(arguments.build / "bin" / "nnc", text, own, pathlib.Path(folder) / "cache")

        for number, problem in enumerate(pool.map(run, enumerate(programs))):
            if problem:
                failed += 1
                print(f"FAIL program {number}: {problem}\n{programs[number]}")
    # The most that any of them used.
    if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 > BYTES:
        failed += 1
        print(f"FAIL a program took more than {BYTES >> 30} GiB")
    print(f"{len(programs) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
