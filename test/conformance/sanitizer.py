"""AddressSanitizer in this process, which it must enter before anything else: that takes a new start of Python."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import numpy as np

# While the sanitizer is here: the ASAN_OPTIONS of other programs.
VARIABLE = "NNC_OPTIONS_OF_OTHERS"

# A report ends the process by a signal, so that its case fails. Python itself leaks, and takes memory of any size.
OPTIONS = "abort_on_error=1:detect_leaks=0:allocator_may_return_null=1"

# The second is what a runtime that was built with it needs.
LIBRARIES = ("libasan.so", "libubsan.so")


def is_loaded() -> bool:
    return VARIABLE in os.environ


def load() -> None:
    """Starts this program again, with AddressSanitizer."""
    if is_loaded():
        return
    paths = [subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
             for name in LIBRARIES]
    environment = dict(os.environ, LD_PRELOAD=" ".join(paths), ASAN_OPTIONS=OPTIONS)
    environment[VARIABLE] = os.environ.get("ASAN_OPTIONS", "")
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def environment_of_others() -> dict[str, str]:
    """The environment of the programs that this one runs: without the sanitizer."""
    environment = dict(os.environ)
    if is_loaded():
        environment["ASAN_OPTIONS"] = environment.pop(VARIABLE)
        del environment["LD_PRELOAD"]
    return environment


def compiler_options() -> list[str]:
    """What nnc is told so that the sanitizer sees what its libraries do."""
    return ["-sanitize=address"] if is_loaded() else []


def on_heap(array: np.ndarray, alignment: int = 16) -> np.ndarray:
    """A copy in a block of the heap that ends with its last byte; the block stays until the process ends."""
    address = ctypes.c_void_p()
    if ctypes.CDLL(None).posix_memalign(ctypes.byref(address), ctypes.c_size_t(alignment), ctypes.c_size_t(array.nbytes)):
        raise MemoryError
    raw = (ctypes.c_char * array.nbytes).from_address(address.value)
    copy = np.frombuffer(raw, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def forbid_last(array: np.ndarray) -> None:
    """Makes every access to the last element of an array an error."""
    poison = ctypes.CDLL(None).__asan_poison_memory_region
    poison.restype, poison.argtypes = None, [ctypes.c_void_p, ctypes.c_size_t]
    poison(array.ctypes.data + array.nbytes - array.itemsize, array.itemsize)


def check(task: Callable[[], object]) -> tuple[bool, str]:
    """Whether the sanitizer is at work, and a remark: a task in which a kernel reads a forbidden element must end its
    process."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the report is expected
        try:
            task()
        except BaseException:  # that nobody noticed, or another
            pass
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT:
        return True, "notices a forbidden element"
    return False, "a kernel read a forbidden element, and nobody noticed"
