"""What the programs of this folder share: compiling cases, running each apart, the command line."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import traceback
from collections.abc import Callable

import numpy as np

import sanitizer
from case import Case, program_of
from library import DEVICES, ISAS, UNSUPPORTED, Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILE_SECONDS, RUN_SECONDS = 600, 120
GUARD = 16


class Mismatch(Exception):
    """A wrong result."""


# --- Compiling ---------------------------------------------------------------------------------------------------


class Target:
    """What all cases of a run are compiled for."""

    name = "x86"
    options: list[str] = []  # of nnc

    @classmethod
    def isas(cls) -> list[str]:
        """What a case can be run with: the sets of instructions of the processor, or the device."""
        return list(ISAS) if cls.name == "x86" else [cls.name]


def compile_program(nnc: pathlib.Path, text: str, source: pathlib.Path, folder: pathlib.Path,
                    options: tuple[str, ...] = ()) -> str:
    """Compiles a program to shared libraries in `folder`; gives what nnc complained about, or ''."""
    source.write_text(text)
    command = [nnc, "-shared", f"-target={Target.name}", *Target.options, *options, *sanitizer.compiler_options(), source,
               "-o", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS,
                              env=sanitizer.environment_of_others())
    except subprocess.TimeoutExpired:
        return f"nnc took more than {COMPILE_SECONDS} s"
    if done.returncode == 0:
        return ""
    return f"nnc gave {done.returncode}: {(done.stderr or done.stdout).strip()}"


def compile_family(nnc: pathlib.Path, family: str, members: list[Case], folder: pathlib.Path) -> dict[str, str]:
    """Compiles all cases of a family in one run of nnc for the same options. Where that fails, each by itself, so that
    one bad case does not hide the others; gives the complaints by case."""
    complaints = {}
    for options in dict.fromkeys(case.options for case in members):
        together = [case for case in members if case.options == options]
        complaint = compile_program(nnc, program_of(together), folder / f"{family}.nn", folder, options)
        if complaint and len(together) > 1:
            complaints |= {case.name: compile_program(nnc, program_of([case]), folder / f"{case.name}.nn", folder, options)
                           for case in together}
        else:
            complaints[together[0].name] = complaint
    return {name: text for name, text in complaints.items() if text}


def runtime_library(nnc: pathlib.Path, given: pathlib.Path | None, folder: pathlib.Path) -> pathlib.Path:
    """The shared runtime: as given, beside nnc, or linked from the static one."""
    if given:
        return given
    build = nnc.resolve().parent.parent
    for pattern in ("**/libnnc_runtime.so", "**/libnnc_runtime.a"):
        for found in sorted(build.glob(pattern)):
            if found.suffix == ".so":
                return found
            shared = folder / "libnnc_runtime.so"
            subprocess.run(["cc", "-shared", "-o", shared, "-Wl,--whole-archive", found, "-Wl,--no-whole-archive",
                            "-lpthread", "-lm", "-ldl"], check=True, env=sanitizer.environment_of_others())
            return shared
    raise SystemExit(f"no libnnc_runtime in {build}; say where with --runtime")


# --- Running -----------------------------------------------------------------------------------------------------


def misaligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins 4 bytes after a multiple of 64."""
    raw = np.empty(array.nbytes + 128, np.uint8)
    start = -raw.ctypes.data % 64 + 4
    copy = raw[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def handed_over(array: np.ndarray) -> np.ndarray:
    """A copy as callers may hand it over: aligned no better than its elements; under AddressSanitizer with what is
    around it forbidden."""
    return sanitizer.on_heap(array) if sanitizer.is_loaded() else misaligned(array)


def guard_size() -> int:
    """Elements before and after what is written, where nothing else tells that they stay."""
    return 0 if sanitizer.is_loaded() else GUARD


def on_each_isa(isas: list[str], run_isa: Callable[[str], str]) -> str:
    """run_isa with each instruction set that the machine has; gives the remarks."""
    remarks = []
    for isa in isas:
        try:
            remarks.append(f"{isa} {run_isa(isa)}")
        except Failure as failure:
            if failure.status != UNSUPPORTED:
                raise Mismatch(f"{isa}: {failure}") from None
            remarks.append(f"no {isa}")
        except Mismatch as mismatch:
            raise Mismatch(f"{isa}: {mismatch}") from None
    return ", ".join(remarks)


def run_apart(task: Callable[[], str], seconds: int = 0) -> tuple[bool, str]:
    """A task in a process of its own, which has so many seconds (0: RUN_SECONDS): whether it passed, and a remark."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(seconds or RUN_SECONDS)
        try:
            answer = (True, task())
        except Mismatch as mismatch:
            answer = (False, str(mismatch))
        except BaseException:  # whatever it is, it is this case's failure
            answer = (False, traceback.format_exc().strip().splitlines()[-1])
        passed, remark = answer
        os.write(writer, json.dumps([passed, remark[:2000]]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False, f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return tuple(json.loads(text))


# --- The command -------------------------------------------------------------------------------------------------


def find_nnc() -> pathlib.Path:
    """The newest nnc of the build folders."""
    found = list(ROOT.glob("build*/bin/nnc")) + ([pathlib.Path(os.environ["NNC"])] if "NNC" in os.environ else [])
    if not found:
        raise SystemExit("no build*/bin/nnc; say where with --nnc or in NNC")
    return max(found, key=lambda path: path.stat().st_mtime)


def argument_parser(description: str) -> argparse.ArgumentParser:
    """What every program here can be told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", help="files of cases/ (all)")
    parser.add_argument("-k", metavar="TEXT", default="", help="only cases whose family.name contains this")
    parser.add_argument("--build", type=pathlib.Path, help="the build folder, instead of --nnc")
    parser.add_argument("--nnc", type=pathlib.Path, help="the compiler (the newest build*/bin/nnc)")
    parser.add_argument("--runtime", type=pathlib.Path, help="libnnc_runtime.so (beside the compiler)")
    parser.add_argument("--isa", choices=ISAS, action="append", help="instruction sets (all that the machine has)")
    parser.add_argument("--target", choices=["x86", *DEVICES], default="x86", help="what to compile for")
    parser.add_argument("--keep", type=pathlib.Path, help="compile into this folder and leave it there")
    parser.add_argument("--compile-only", action="store_true", help="run nothing; for --keep")
    parser.add_argument("--compiled", type=pathlib.Path, metavar="FOLDER", help="run what --keep left, without nnc")
    parser.add_argument("-j", type=int, metavar="N", default=1, help="run so many cases at once")
    parser.add_argument("--sanitize", action="store_true", help="have AddressSanitizer check every access to memory")
    parser.add_argument("--every", type=int, metavar="N", default=1, help="only the first of each N cases of a family")
    parser.add_argument("--list", action="store_true", help="print the programs and run nothing")
    parser.add_argument("-q", action="store_true", help="print only failures")
    return parser


def run_families(arguments: argparse.Namespace, families: dict[str, list[Case]], run_case: Callable[..., str]) -> int:
    """Compiles all cases and runs run_case(case, runtime, folder, isas, forbidden) on each; gives the exit status.
    Where `forbidden`, no one may touch the last element of the first input, and the case must not come to its end."""
    Target.name = arguments.target
    if arguments.sanitize:
        sanitizer.load()
    families = {family: [case for case in members if arguments.k in f"{family}.{case.name}"][::arguments.every]
                for family, members in families.items()}
    if arguments.list:
        for members in families.values():
            print(program_of(members))
        return 0
    folder = arguments.compiled or arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="nnc-conformance-"))
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = 0

    def count(ok: bool, name: str, remark: str) -> None:
        nonlocal passed, failed
        passed, failed = passed + ok, failed + (not ok)
        if not ok or not arguments.q:
            print(f"{'pass' if ok else 'FAIL'} {name}: {remark}", flush=True)

    def run(case: Case) -> tuple[bool, str]:
        if not (folder / f"lib{case.name}.so").exists():
            return False, "nnc gave no library"
        return run_apart(lambda: run_case(case, runtime, folder, arguments.isa or Target.isas(), forbidden=False))

    try:
        if arguments.compiled:
            runtime = arguments.runtime or folder / "libnnc_runtime.so"
        else:
            nnc = arguments.nnc or (arguments.build / "bin/nnc" if arguments.build else find_nnc())
            runtime = runtime_library(nnc, arguments.runtime, folder)
            if arguments.keep and runtime.parent != folder:
                shutil.copy(runtime, folder)
        for family, members in families.items():
            complaints = {} if arguments.compiled or not members else compile_family(nnc, family, members, folder)
            for name, complaint in complaints.items():
                count(False, f"{family}.{name}", complaint)
            if arguments.compile_only:
                continue
            wanted = [case for case in members if case.name not in complaints]
            with concurrent.futures.ThreadPoolExecutor(arguments.j) as pool:
                for case, (ok, remark) in zip(wanted, pool.map(run, wanted)):
                    count(ok, f"{family}.{case.name}", remark)
        if arguments.sanitize:
            first = next(case for members in families.values() for case in members)
            ok, remark = sanitizer.check(lambda: run_case(first, runtime, folder, ["avx2"], forbidden=True))
            count(ok, "sanitizer", remark)
    finally:
        if not arguments.keep and not arguments.compiled:
            shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
