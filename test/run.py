#!/usr/bin/env python3
"""Runs every test suite and adds up their results.

usage: run.py --build DIR [SUITE...]

Suites: lit (every station, with FileCheck), unit (GoogleTest), kernels and
gradients (one kernel at a time against NumPy), conformance (every layer against
values made by PyTorch), training (losses and gradients against PyTorch's in
float64), learning (whole trainings against PyTorch's), networks (whole image networks against torchvision), gradcheck
(derivatives against differences of losses), opencl (layers on a device), examples (their programs), mutations (of
programs through the whole compiler). The last line is `N passed, N failed`; the exit status is 0 when none
failed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from suite import run_script

TEST = pathlib.Path(__file__).resolve().parent
VENV = TEST.parent / ".venv" / "bin"


def run_lit(build):
    """Each file under test/ with a RUN line is a test."""
    with tempfile.NamedTemporaryFile(suffix=".json") as results:
        status = subprocess.run(
            [VENV / "lit", "-v", "--no-progress-bar", "--output", results.name, build / "test"], check=False
        ).returncode
        tests = json.loads(pathlib.Path(results.name).read_text() or '{"tests": []}')["tests"]
    passed = sum(test["code"] in ("PASS", "XFAIL", "FLAKYPASS") for test in tests)
    failed = sum(test["code"] in ("FAIL", "XPASS", "UNRESOLVED", "TIMEOUT") for test in tests)
    return passed, failed or int(status != 0)


def run_unit(build):
    """Every program that is named nnc-…-tests."""
    passed = failed = 0
    for program in sorted((build / "bin").glob("nnc-*-tests")):
        with tempfile.NamedTemporaryFile(suffix=".json") as results:
            status = subprocess.run(
                [program, "--gtest_brief=1", f"--gtest_output=json:{results.name}"], check=False
            ).returncode
            text = pathlib.Path(results.name).read_text()
        report = json.loads(text) if text else {"tests": 0, "failures": 0}
        # A program that dies before its report has at least one failure.
        broken = report["failures"] or int(status != 0)
        passed += report["tests"] - report["failures"]
        failed += broken
        print(f"{program.name}: {report['tests']} tests, {broken} failed")
    return passed, failed


def run_conformance(build):
    return run_script([VENV / "python", TEST / "conformance" / "run.py", "--build", build])


def run_kernels(build):
    return run_script([VENV / "python", TEST / "kernels" / "run.py", "--build", build])


def run_training(build):
    """The derivatives of loops and norms, with each way of going through sequences; every family with
    test/conformance/run_training.py."""
    folder = TEST / "conformance"
    training = [VENV / "python", folder / "run_training.py", "--build", build]
    results = [run_script([*training, "recurrence", "norm"])]
    for policy, every in (("checkpoint(sqrt)", 1), ("checkpoint(1)", 3), ("unroll(3)", 3)):
        results.append(run_script([*training, "--bptt", policy, f"--every={every}", "recurrence"]))
    for program in ("run_truncation.py", "run_recorded.py"):
        results.append(run_script([VENV / "python", folder / program, "--build", build]))
    return tuple(map(sum, zip(*results)))


def run_gradients(build):
    return run_script([VENV / "python", TEST / "gradients" / "run.py", "--build", build])


def run_learning(build):
    return run_script([VENV / "python", TEST / "learning" / "run.py", "--build", build])


def run_networks(build):
    """Image networks in small against torchvision, how its tensors become weights, and a program that names what
    photographs show; all full-size networks with test/networks/run.py --full."""
    folder = TEST / "networks"
    suites = [run_script([VENV / "python", folder / name, "--build", build]) for name in ("convert.py", "run.py", "photo.py")]
    return tuple(map(sum, zip(*suites)))


def run_gradcheck(build):
    return run_script([VENV / "python", TEST / "gradcheck.py", "--build", build, "--every", "12"])


def run_opencl(build):
    """Layers, derivatives and trainings on OpenCL's device, which here is the processor: some of each family; all with
    ./dev test -target=opencl. Then examples, compiled for devices; all with test/gpu/examples.py --full."""
    folder = TEST / "gpu"
    suites = [run_script([VENV / "python", folder / "run.py", "--build", build, "--target", "opencl", "--every", "10"]),
              run_script([VENV / "python", folder / "examples.py", "--build", build])]
    return tuple(map(sum, zip(*suites)))


def run_examples(build):
    """Every example's program: it fails where its answers are not those of PyTorch, or where it learns too little."""
    programs = sorted((build / "bin").glob("*-demo"))
    run = lambda program: subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    failed = [program.name for program in programs if run(program).returncode]
    for name in failed:
        print(f"FAIL {name}")
    return len(programs) - len(failed), len(failed) or int(not programs)


def run_mutations(build):
    return run_script([VENV / "python", TEST / "mutations.py", "--build", build])


SUITES = {
    "lit": run_lit,
    "unit": run_unit,
    "kernels": run_kernels,
    "conformance": run_conformance,
    "training": run_training,
    "gradients": run_gradients,
    "learning": run_learning,
    "networks": run_networks,
    "gradcheck": run_gradcheck,
    "opencl": run_opencl,
    "examples": run_examples,
    "mutations": run_mutations,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("suite", nargs="*", choices=[[], *SUITES], help=f"of {', '.join(SUITES)}; all when none is named")
    arguments = parser.parse_args()
    passed = failed = 0
    for name in arguments.suite or SUITES:
        print(f"-- {name}", flush=True)
        result = SUITES[name](arguments.build.resolve())
        print(f"{name}: {result[0]} passed, {result[1]} failed", flush=True)
        passed, failed = passed + result[0], failed + result[1]
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
