"""Interrupts nnc-train in every way: interrupt.py FOLDER nnc-train ARGUMENTS…"""

import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

FOLDER, COMMAND = pathlib.Path(sys.argv[1]), sys.argv[2:]
KILLS = 3


def command(run: pathlib.Path, *more: str) -> list[str]:
    return [*COMMAND, "-o", str(run), *more]


def checkpoints(run: pathlib.Path) -> int:
    """How many checkpoints the history says there were."""
    history = run / "history.jsonl"
    return history.read_text().count('"checkpoint"') if history.exists() else 0


def interrupt(run: pathlib.Path, kind: signal.Signals, *more: str) -> int:
    """Trains until some more checkpoints were made, sends a signal, and gives the exit status."""
    before = checkpoints(run)
    process = subprocess.Popen(command(run, "-checkpoint-every=0", *more), stdout=subprocess.DEVNULL)
    while process.poll() is None and (checkpoints(run) < before + 8 or not (run / "checkpoint.safetensors").exists()):
        time.sleep(0.002)
    process.send_signal(kind)
    return process.wait()


def finish(run: pathlib.Path) -> None:
    subprocess.run(command(run, "-resume"), stdout=subprocess.DEVNULL, check=True)


def same(run: pathlib.Path, other: pathlib.Path) -> bool:
    return all((run / file).read_bytes() == (other / file).read_bytes()
               for file in ("weights.safetensors", "best.safetensors"))


def main() -> None:
    whole, killed, stopped = FOLDER / "whole", FOLDER / "killed", FOLDER / "stopped"
    subprocess.run(command(whole), stdout=subprocess.DEVNULL, check=True)

    kills = [interrupt(killed, signal.SIGKILL, *(["-resume"] if i else [])) for i in range(KILLS)]
    finish(killed)
    if kills == [-signal.SIGKILL] * KILLS and same(whole, killed):
        print(f"killed {KILLS} times; the weights are the same")

    status = interrupt(stopped, signal.SIGINT)
    shutil.copytree(stopped, FOLDER / "full")
    finish(stopped)
    if status == 128 + signal.SIGINT and same(whole, stopped):
        print("stopped by SIGINT, then resumed; the weights are the same")

    # A limit on the size of files stands for the full disk: history and checkpoint no longer fit.
    full = FOLDER / "full"
    before = (full / "checkpoint.safetensors").read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    result = subprocess.run(
        command(full, "-resume"), capture_output=True, text=True, restore_signals=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2)), check=False)
    after = (full / "checkpoint.safetensors").read_bytes()
    if result.returncode == 1 and "warning: " in result.stdout and before == after:
        print("with a full disk it ends with 1; the checkpoint is as it was")
    finish(full)
    if not same(whole, full):
        print("after it the weights differ")


if __name__ == "__main__":
    main()
