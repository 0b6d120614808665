"""A compiled network as Python sees it: the C interface of nnc/runtime.h through ctypes."""

from __future__ import annotations

import ctypes
import pathlib
from collections.abc import Callable

import numpy as np

ISAS = {"avx2": 1, "avx512": 2}
DEVICES = ("cuda", "opencl")
NOT_FOUND, UNSUPPORTED = 3, 7

TASK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
PARALLEL_FOR = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, TASK, ctypes.c_void_p, ctypes.c_int)


class ModelOptions(ctypes.Structure):
    """nnc_model_options."""

    _fields_ = [("isa", ctypes.c_int), ("seed", ctypes.c_uint64), ("parallel_for", PARALLEL_FOR),
                ("parallel_user", ctypes.c_void_p), ("memory", ctypes.c_void_p), ("memory_size", ctypes.c_size_t),
                ("device", ctypes.c_int32)]


class WeightInfo(ctypes.Structure):
    """nnc_weight_info."""

    _fields_ = [("name", ctypes.c_char_p), ("rank", ctypes.c_int32), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("count", ctypes.c_int64), ("trainable", ctypes.c_int32)]


class Failure(Exception):
    """A call that did not return NNC_OK."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Runtime:
    """libnnc_runtime.so."""

    def __init__(self, path: pathlib.Path):
        self.c = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        self.c.nnc_status_message.restype = ctypes.c_char_p
        for function in ("nnc_model_error", "nnc_context_error"):
            getattr(self.c, function).restype = ctypes.c_char_p
            getattr(self.c, function).argtypes = [ctypes.c_void_p]
        self.c.nnc_model_destroy.argtypes = self.c.nnc_context_destroy.argtypes = [ctypes.c_void_p]
        self.c.nnc_model_destroy.restype = self.c.nnc_context_destroy.restype = None

    def set_threads(self, count: int) -> None:
        self.check(self.c.nnc_set_threads(ctypes.c_int(count)), "nnc_set_threads")

    def check(self, status: int, what: str, detail: bytes = b"") -> None:
        if status:
            text = self.c.nnc_status_message(status).decode()
            raise Failure(status, f"{what}: {text}" + (f" ({detail.decode()})" if detail else ""))


class Network:
    """The constant <name>_network of a shared library."""

    def __init__(self, runtime: Runtime, path: pathlib.Path, name: str):
        self.runtime = runtime
        self.library = ctypes.CDLL(str(path))
        self.address = ctypes.addressof(ctypes.c_char.in_dll(self.library, f"{name}_network"))

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = {}
        for index in range(self.runtime.c.nnc_weight_count(ctypes.c_void_p(self.address))):
            info = WeightInfo()
            status = self.runtime.c.nnc_weight_at(ctypes.c_void_p(self.address), index, ctypes.byref(info))
            self.runtime.check(status, "nnc_weight_at")
            shapes[info.name.decode()] = tuple(info.shape[:info.rank])
        return shapes


class Model:
    """A network with weights."""

    def __init__(self, network: Network, isa: str, parallel_for: Callable | None = None, seed: int = 0):
        self.network, self.runtime, self.handle = network, network.runtime, ctypes.c_void_p()
        # The callback must live as long as the model.
        self.options = ModelOptions(isa=ISAS.get(isa, 0), seed=seed, parallel_for=PARALLEL_FOR(parallel_for or 0))
        status = self.runtime.c.nnc_model_create(ctypes.c_void_p(network.address), ctypes.byref(self.options),
                                                 ctypes.byref(self.handle))
        self.runtime.check(status, "nnc_model_create")

    def write(self, name: str, values: np.ndarray) -> None:
        """Sets a weight, and reads it back to see that it arrived."""
        count = ctypes.c_int64(values.size)
        status = self.runtime.c.nnc_weight_write(self.handle, name.encode(), ctypes.c_void_p(values.ctypes.data), count)
        self.runtime.check(status, f"nnc_weight_write {name}", self.runtime.c.nnc_model_error(self.handle))
        if self.read(name, values.shape).tobytes() != values.tobytes():
            raise Failure(0, f"weight {name} is read back other than it was written")

    def read(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        values = np.empty(shape, np.float32)
        status = self.runtime.c.nnc_weight_read(self.handle, name.encode(), ctypes.c_void_p(values.ctypes.data),
                                                ctypes.c_int64(values.size))
        self.runtime.check(status, f"nnc_weight_read {name}", self.runtime.c.nnc_model_error(self.handle))
        return values

    def close(self) -> None:
        self.runtime.c.nnc_model_destroy(self.handle)


class Context:
    """Room to run a model."""

    create = "nnc_context_create"

    def __init__(self, model: Model, max_batch: int, max_lengths: list[int]):
        self.model, self.runtime, self.handle = model, model.runtime, ctypes.c_void_p()
        status = getattr(self.runtime.c, self.create)(model.handle, None, ctypes.c_int64(max_batch),
                                                      _int64_array(max_lengths), ctypes.byref(self.handle))
        self.runtime.check(status, self.create, self.runtime.c.nnc_model_error(model.handle))

    def run(self, function: int, batch: int, lengths: list[int], ragged: list[np.ndarray | None],
            arguments: list[np.ndarray]) -> None:
        """nnc_run on C-contiguous arrays; outputs are written in place."""
        status = self.runtime.c.nnc_run(self.handle, ctypes.c_int32(function),
                                        *_call_arguments(batch, lengths, ragged, arguments))
        self.check(status, "nnc_run")

    def check(self, status: int, what: str) -> None:
        self.runtime.check(status, what, self.runtime.c.nnc_context_error(self.handle))

    def reset(self) -> None:
        self.runtime.check(self.runtime.c.nnc_context_reset(self.handle), "nnc_context_reset")

    def close(self) -> None:
        self.runtime.c.nnc_context_destroy(self.handle)


class TrainingContext(Context):
    """Room to train a model by its first train block."""

    create = "nnc_training_create"

    def gradients(self, batch: int, lengths: list[int], ragged: list[np.ndarray | None], arguments: list[np.ndarray],
                  accumulate: bool = False) -> None:
        """nnc_train_gradients; the last argument is the loss, a float."""
        status = self.runtime.c.nnc_train_gradients(self.handle, ctypes.c_int32(0), ctypes.c_int32(accumulate),
                                                    *_call_arguments(batch, lengths, ragged, arguments))
        self.check(status, "nnc_train_gradients")

    def step(self, batch: int, lengths: list[int], ragged: list[np.ndarray | None],
             arguments: list[np.ndarray]) -> None:
        status = self.runtime.c.nnc_train_step(self.handle, ctypes.c_int32(0),
                                               *_call_arguments(batch, lengths, ragged, arguments))
        self.check(status, "nnc_train_step")

    def update(self) -> None:
        self.check(self.runtime.c.nnc_train_update(self.handle, ctypes.c_int32(0)), "nnc_train_update")

    def set_epoch(self, epoch: int) -> None:
        self.check(self.runtime.c.nnc_training_set_epoch(self.handle, ctypes.c_int64(epoch)), "nnc_training_set_epoch")

    def gradient(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The gradient of a weight, as the train block reduces it."""
        values = np.full(shape, np.nan, np.float32)
        status = self.runtime.c.nnc_gradient_read(self.handle, ctypes.c_int32(0), name.encode(),
                                                  ctypes.c_void_p(values.ctypes.data), ctypes.c_int64(values.size))
        self.check(status, f"nnc_gradient_read {name}")
        return values


class LayerStatistics(ctypes.Structure):
    """nnc_layer_statistics."""

    _fields_ = [("layer", ctypes.c_char_p), ("operation", ctypes.c_char_p), ("source", ctypes.c_char_p),
                ("not_finite", ctypes.c_int64), ("error", ctypes.c_float), ("saturated", ctypes.c_float),
                ("dead", ctypes.c_float)]


class StatisticsContext(TrainingContext):
    """Room to train a network that records statistics."""

    def layers(self) -> list[LayerStatistics]:
        count = self.runtime.c.nnc_statistics_count(ctypes.c_void_p(self.model.network.address), ctypes.c_int32(0))
        layers = [LayerStatistics() for _ in range(count)]
        for index, layer in enumerate(layers):
            self.check(self.runtime.c.nnc_statistics_at(self.handle, ctypes.c_int32(0), ctypes.c_int32(index),
                                                        ctypes.byref(layer)), "nnc_statistics_at")
        return layers

    def first_not_finite(self) -> LayerStatistics | None:
        layer = LayerStatistics()
        status = self.runtime.c.nnc_first_not_finite(self.handle, ctypes.c_int32(0), ctypes.byref(layer))
        if status == NOT_FOUND:
            return None
        self.check(status, "nnc_first_not_finite")
        return layer

    def flow(self, batch: int, lengths: list[int], ragged: list[np.ndarray | None], arguments: list[np.ndarray]) -> None:
        """nnc_gradient_flow; outputs are written in place."""
        status = self.runtime.c.nnc_gradient_flow(self.handle, ctypes.c_int32(0),
                                                  *_call_arguments(batch, lengths, ragged, arguments))
        self.check(status, "nnc_gradient_flow")


def _call_arguments(batch: int, lengths: list[int], ragged: list[np.ndarray | None], arguments: list[np.ndarray]):
    """batch, lengths, ragged lengths and arguments as the C functions take them."""
    pointers = (ctypes.c_void_p * len(arguments))(*[array.ctypes.data for array in arguments])
    tables = None
    if any(table is not None for table in ragged):
        tables = (ctypes.c_void_p * len(ragged))(*[None if table is None else table.ctypes.data for table in ragged])
    return ctypes.c_int64(batch), _int64_array(lengths), tables, pointers


def _int64_array(values: list[int]):
    return (ctypes.c_int64 * len(values))(*values) if values else None
