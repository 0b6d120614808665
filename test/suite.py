"""A suite of its own: a program whose last line is `N passed, N failed`."""

from __future__ import annotations

import re
import subprocess


def run_script(command: list[object]) -> tuple[int, int]:
    """Shows what the program prints; gives what passed and what failed. One that does not say it has failed."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line
    status = process.wait()
    match = re.fullmatch(r"(\d+) passed, (\d+) failed\s*", last)
    if not match:
        return 0, 1
    passed, failed = map(int, match.groups())
    return passed, failed or int(status != 0)
