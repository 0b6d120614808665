"""Holds what `nnc -explain=bptt` announces against a library of the same program.

    measure.py RUNTIME.so NETWORK LIB.so T BATCH INPUTS < TABLE

The table's rows of the library's own policy (marked *) must be what the runtime says of the library. A context is made
in memory of exactly so many bytes, which ends at a page that must not be touched; a step of training may touch no more
of it than the announced workspace and what lies around it, and where sequences are long it touches nearly all of that.
Prints "<train block> <policy>: ok" for each.
"""

import ctypes
import mmap
import re
import sys

PAGE = mmap.PAGESIZE
OUT_OF_MEMORY = 2


class ContextOptions(ctypes.Structure):
    """nnc_context_options."""

    _fields_ = [("memory", ctypes.c_void_p), ("memory_size", ctypes.c_size_t), ("stream", ctypes.c_void_p)]


class GuardedMemory:
    """So many bytes, fresh from the system, between pages that nobody may touch."""

    def __init__(self, size):
        self.pages = -(-size // PAGE) * PAGE
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        private_anonymous, read_write = 0x22, 3
        self.base = PAGE + libc.mmap(None, ctypes.c_size_t(self.pages + 2 * PAGE), read_write, private_anonymous, -1,
                                     ctypes.c_long(0))
        no_huge_pages = 15
        assert libc.madvise(ctypes.c_void_p(self.base), ctypes.c_size_t(self.pages), no_huge_pages) == 0
        for guard in (self.base - PAGE, self.base + self.pages):
            assert libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), 0) == 0
        self.address = self.base + self.pages - size

    def touched(self):
        """Bytes of it that were touched, in whole pages."""
        inside = False
        for line in open("/proc/self/smaps"):
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                inside = int(match[1], 16) <= self.base < int(match[2], 16)
            if inside and line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise ValueError("the mapping is not listed")


def read_tables(lines):
    """For each train block its rows: policy, whether it is the program's, workspace, context."""
    tables = []
    for line in lines:
        if heading := re.match(r"back-propagation through time of \w+, (\w+): ", line):
            tables.append((heading[1], []))
        elif row := re.match(r"  (\w+(?:\(.*?\))?)( \*)? +(\d+) +(\d+) ", line):
            tables[-1][1].append((row[1], bool(row[2]), int(row[3]), int(row[4])))
    return tables


def main():
    runtime = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
    steps, batch, inputs = map(int, sys.argv[4:7])
    library = ctypes.CDLL(sys.argv[3])
    network = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(library, sys.argv[2] + "_network")))
    runtime.nnc_context_error.restype = ctypes.c_char_p
    for function in ("nnc_training_memory_size", "nnc_training_workspace_size"):
        getattr(runtime, function).restype = ctypes.c_size_t
    lengths, examples = (ctypes.c_int64 * 1)(steps), ctypes.c_int64(batch)
    context_size = runtime.nnc_training_memory_size(network, examples, lengths)
    model = ctypes.c_void_p()
    assert runtime.nnc_model_create(network, None, ctypes.byref(model)) == 0

    tables = read_tables(sys.stdin)
    # What a context holds besides the largest workspace, which is one of training's.
    around = context_size - max(workspace for _, rows in tables for _, is_own, workspace, _ in rows if is_own)
    for number, (train, rows) in enumerate(tables):
        [(policy, _, workspace, context)] = [row for row in rows if row[1]]
        assert context == context_size, (context, context_size)
        assert workspace == runtime.nnc_training_workspace_size(network, number, examples, lengths, None)

        memory, handle = GuardedMemory(context), ctypes.c_void_p()
        options = ContextOptions(memory.address, context - 64, None)
        create = runtime.nnc_training_create
        assert create(model, ctypes.byref(options), examples, lengths, ctypes.byref(handle)) == OUT_OF_MEMORY
        options.memory_size = context
        assert create(model, ctypes.byref(options), examples, lengths, ctypes.byref(handle)) == 0
        x, label = (ctypes.c_float * (batch * steps * inputs))(), (ctypes.c_int32 * (batch * steps))()
        loss = ctypes.c_float()
        arguments = (ctypes.c_void_p * 3)(*map(ctypes.addressof, (x, label, loss)))
        for _ in range(2):
            status = runtime.nnc_train_step(handle, number, examples, lengths, None, arguments)
            assert status == 0, (status, runtime.nnc_context_error(handle), loss.value)
        touched = memory.touched()
        if "truncated" not in policy:
            assert touched <= around + workspace + 3 * PAGE, (touched, around, workspace)
            assert workspace < 64 * PAGE or touched >= 0.9 * (around + workspace) - 4 * PAGE, (touched, around, workspace)
        print(f"{train} {policy}: ok")
        runtime.nnc_context_destroy(handle)


main()
