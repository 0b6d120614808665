"""Runs the tagger of the examples, made with -profile, and prints what was measured: profile.py RUNTIME FOLDER."""

import ctypes
import json
import pathlib
import re
import sys

BATCH, STEPS = 3, 5


class Group(ctypes.Structure):
    """nnc_group_profile."""

    _fields_ = [(name, ctypes.c_char_p) for name in ("function", "kernel", "operations", "layer", "source")] + [
        ("calls", ctypes.c_int64), *((name, ctypes.c_double) for name in ("seconds", "flops", "bytes"))]


runtime = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
folder = pathlib.Path(sys.argv[2])
network = ctypes.CDLL(str(folder / "libtagger.so"))
address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(network, "tagger_network")))
model, context = ctypes.c_void_p(), ctypes.c_void_p()


def check(status: int) -> None:
    if status:
        runtime.nnc_context_error.restype = ctypes.c_char_p
        raise SystemExit(f"status {status}: {runtime.nnc_context_error(context)}")


check(network.tagger_create(None, ctypes.byref(model)))
check(network.tagger_training_create(model, ctypes.c_int64(BATCH), ctypes.c_int64(STEPS), ctypes.byref(context)))
x, y = (ctypes.c_float * (BATCH * STEPS * 8))(), (ctypes.c_float * (BATCH * STEPS * 10))()
infer = lambda: check(network.tagger_infer(context, ctypes.c_int64(BATCH), ctypes.c_int64(STEPS), None, x, y))


def measured() -> list[Group]:
    groups = [Group() for _ in range(runtime.nnc_profile_count(address))]
    for index, group in enumerate(groups):
        check(runtime.nnc_profile_at(context, index, ctypes.byref(group)))
    return groups


infer()
check(runtime.nnc_profile_clear(context))
assert not any(group.calls for group in measured()), "a cleared profile has calls"
infer()
infer()
groups = [group for group in measured() if group.calls]
for group in groups:
    assert 0 < group.seconds < 60 and group.bytes > 0
    print(group.function.decode(), group.operations.decode(), group.calls, pathlib.Path(group.source.decode()).name)
flops = re.search(r"#define TAGGER_FLOPS\(T\) \((.*)\) /\*", (folder / "tagger.h").read_text()).group(1)
expected = 2 * BATCH * eval(flops.replace("(int64_t)(T)", str(STEPS)))
print("operations as the header says:", sum(group.flops for group in groups) == expected)

check(runtime.nnc_profile_write_trace(context, str(folder / "trace.json").encode()))
check(runtime.nnc_profile_write_table(context, str(folder / "table.txt").encode()))
events = json.loads((folder / "trace.json").read_text())["traceEvents"]
kernels = [event for event in events if event["ph"] == "X" and event["cat"] == "infer"]
calls = [event for event in events if event["ph"] == "X" and event["cat"] == "call"]
print("an event for each call:", len(kernels) == sum(group.calls for group in groups), [call["name"] for call in calls])
inside = lambda event: any(call["ts"] <= event["ts"] and event["ts"] + event["dur"] <= call["ts"] + call["dur"] + 1e-2
                           for call in calls)
print("kernels are within calls:", all(map(inside, kernels)))
print((folder / "table.txt").read_text())
status = runtime.nnc_profile_write_trace(context, str(folder / "none" / "trace.json").encode())
print("a folder that is not there: status", status)
