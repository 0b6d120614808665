"""The kernels that are tried: each case is a module whose one function has gradient ops as its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import reference
from reference import Window

Extent = int | str


@dataclass(frozen=True)
class Port:
    """An argument or an output: its dimensions, and how it lies in memory."""

    shape: tuple[Extent, ...]
    panel: tuple[int, int] | None = None  # dimension and width

    def type(self) -> str:
        dims = [extent for extent in self.shape if isinstance(extent, str)]
        sizes = "x".join("?" if isinstance(extent, str) else str(extent) for extent in self.shape)
        encoding = ""
        if dims:
            encoding = ", #nn.dims<" + ", ".join(f'"{dim}"' for dim in dims) + ">"
        if self.panel:
            encoding = f", #nn.panel<dim = {self.panel[0]}, width = {self.panel[1]}>"
        return f"tensor<{sizes}xf32{encoding}>"


@dataclass(frozen=True)
class Output:
    """An output's op, and what it means: expected(arguments, shape) gets float64 values by name."""

    port: Port
    op: str
    operands: tuple[str, ...]
    attributes: str
    expected: Callable
    prepare: tuple[str, Port] | None = None  # an op with its attributes on the last operand first, and what it gives


@dataclass(frozen=True)
class Case:
    name: str
    arguments: dict[str, Port]
    outputs: dict[str, Output]
    calls: tuple[dict[str, int], ...]  # the lengths of each call, the batch among them
    lengths: tuple[str, ...] = ()  # names of the free dimensions, without the batch
    evaluate: dict[str, Callable] = field(default_factory=dict)  # the value of a dimension that depends on others

    def module(self) -> str:
        taken = [f'%{name}: {port.type()} {{nn.name = "{name}"}}' for name, port in self.arguments.items()]
        taken += [f'%{name}: tensor<?xi32, #nn.dims<"batch">> {{nn.lengths = "{name}"}}' for name in self.lengths]
        arguments = ", ".join(taken)
        results = ", ".join(f'{output.port.type()} {{nn.name = "{name}"}}' for name, output in self.outputs.items())
        lines = [f"module @{self.name} {{", f"  func.func @infer({arguments}) -> ({results}) {{"]
        for name, output in self.outputs.items():
            names = [f"%{operand}" for operand in output.operands]
            given = [self.arguments[operand].type() for operand in output.operands]
            if output.prepare:
                op, port = output.prepare
                lines.append(f"    %{name}_prepared = nn.{op.format(operand=names[-1])} : ({given[-1]}) -> {port.type()}")
                names[-1], given[-1] = f"%{name}_prepared", port.type()
            operands, types = ", ".join(names), ", ".join(given)
            lines.append(f"    %{name} = nn.{output.op} {operands}{output.attributes} : ({types}) -> {output.port.type()}")
        names = ", ".join(f"%{name}" for name in self.outputs)
        types = ", ".join(output.port.type() for output in self.outputs.values())
        return "\n".join([*lines, f"    return {names} : {types}", "  }", "}", ""])

    def extents(self, call: dict[str, int]) -> dict[str, int]:
        return {**call, **{name: value(call) for name, value in self.evaluate.items()}}

    def shape(self, port: Port, call: dict[str, int]) -> tuple[int, ...]:
        extents = self.extents(call)
        return tuple(extents[extent] if isinstance(extent, str) else extent for extent in port.shape)


CASES: list[Case] = []


def panel_width(columns: int, conv: bool) -> int:
    """What the x86 target chooses."""
    for width in (8, 16, 32, 48):
        if columns <= width:
            return width
    return min((32, 48) if conv else (48, 32), key=lambda width: -columns % width)


def dense(name: str, n: int, k: int, rows: tuple[Extent, ...], calls: tuple[dict[str, int], ...],
          width: int = 0) -> None:
    """Both gradients of a dense op, with the weight plain and in panels: of its inputs where it is read, of its
    outputs where it is made."""
    width = width or panel_width(n, conv=False)
    panel = (0, width)
    arguments = {"x": Port((*rows, k)), "dy": Port((*rows, n)), "w": Port((n, k)),
                 "v": Port((n, k), (1, panel_width(k, conv=False)))}
    outputs = {}
    for result, weight in (("dx", "w"), ("dxp", "v")):
        outputs[result] = Output(Port((*rows, k)), "dense_input_gradient", ("dy", weight), "",
                                 lambda a, shape, weight=weight: reference.dense_input_gradient(a["dy"], a[weight]))
    for result, layout in (("dw", None), ("dwp", panel)):
        outputs[result] = Output(Port((n, k), layout), "dense_weight_gradient", ("x", "dy"), "",
                                 lambda a, shape: reference.dense_weight_gradient(a["x"], a["dy"]))
    lengths = tuple(row for row in rows if isinstance(row, str) and row != "batch")
    CASES.append(Case(name, arguments, outputs, calls, lengths))


def conv(name: str, image: tuple[int, ...], ci: int, co: int, kernel: tuple[int, ...], stride: tuple[int, ...] = (),
         dilation: tuple[int, ...] = (), padding: tuple[int, ...] = (), groups: int = 1, flip: bool = False,
         batches: tuple[int, ...] = (1, 3), time: tuple[int, ...] = (), width: int = 0) -> None:
    """Both gradients of a convolution, with the kernel plain and, without groups, in panels. With `time`, the first
    of the kernel's dimensions goes over the free dimension T, which has these lengths."""
    rank = len(kernel)
    window = Window(stride or (1,) * rank, dilation or (1,) * rank, padding or (0,) * 2 * rank, groups, flip)
    sizes = [reference.output_size(size, k, s, d, *window.padding[2 * i:2 * i + 2]) for i, (size, k, s, d) in
             enumerate(zip((0,) * bool(time) + image, kernel, window.strides, window.dilations))]
    rows: tuple[Extent, ...] = ("batch",)
    evaluate, below = {}, rows
    spatial = tuple(range(1, rank + 1))
    if time:
        added = window.padding[0] + window.padding[1] - window.dilations[0] * (kernel[0] - 1) - 1 + window.strides[0]
        text = f"(T{added:+d})" if added else "T"
        text += f"/{window.strides[0]}" if window.strides[0] != 1 else ""
        rows, below = ("T", "batch"), (text, "batch")
        evaluate = {} if text == "T" else {
            text: lambda call: max(0, (call["T"] + added) // window.strides[0])}
        spatial = (0, *range(2, rank + 1))
        sizes = sizes[1:]
    shape = (*kernel, ci // groups, co)
    panel = (rank + 1, width or panel_width(co, conv=True))
    arguments = {"x": Port((*rows, *image, ci)), "dy": Port((*below, *sizes, co)), "w": Port(shape)}
    if groups == 1:
        arguments["v"] = Port(shape, (rank, panel_width(ci, conv=True)))
    def array(values: tuple[int, ...]) -> str:
        return f"array<i64: {', '.join(map(str, values))}>"
    attributes = (f" {{strides = {array(window.strides)}, dilations = {array(window.dilations)}, "
                  f"padding = {array(window.padding)}, groups = {groups} : i64, flip = {str(flip).lower()}}}")
    outputs = {}
    for weight in ("w", "v")[:1 + (groups == 1)]:
        outputs[f"dx{weight}"] = Output(
            arguments["x"], "conv_input_gradient", ("dy", weight), attributes, lambda a, size, weight=weight:
            reference.conv_input_gradient(a["dy"], a[weight], size, spatial, window))
    for result, layout in (("dw", None), ("dwp", panel))[:1 + (groups == 1)]:
        outputs[result] = Output(Port(shape, layout), "conv_kernel_gradient", ("x", "dy"), attributes,
                                 lambda a, size: reference.conv_kernel_gradient(a["x"], a["dy"], shape, spatial, window))
    calls = tuple({"batch": batch, **({"T": length} if time else {})} for batch in batches for length in time or (0,))
    CASES.append(Case(name, arguments, outputs, calls, ("T",) if time else (), evaluate))


def tiles(name: str, image: tuple[int, int], ci: int, co: int, padding: tuple[int, ...] = (1, 1, 1, 1),
          flip: bool = False, batches: tuple[int, ...] = (1, 3)) -> None:
    """The gradient of a convolution's image by Winograd's algorithm: a convolution of dy by the turned kernel, which is
    plain or, as where it is packed for this, in panels of its inputs."""
    window = Window((1, 1), (1, 1), padding, 1, flip)
    sizes = [reference.output_size(size, 3, 1, 1, *padding[2 * i:2 * i + 2]) for i, size in enumerate(image)]
    width = panel_width(ci, conv=True)
    arguments = {"dy": Port(("batch", *sizes, co)), "w": Port((3, 3, ci, co)), "v": Port((3, 3, ci, co), (2, width))}
    turned = (f"winograd_weights {{operand}} {{{{flip = {str(not flip).lower()}, transpose = true}}}}",
              Port((36, co, ci), (2, width)))
    attributes = f" {{padding = array<i64: {', '.join(str(2 - number) for number in padding)}>}}"
    outputs = {f"dx{weight}": Output(
        Port(("batch", *image, ci)), "winograd_conv", ("dy", weight), attributes, lambda a, size, weight=weight:
        reference.conv_input_gradient(a["dy"], a[weight], size, (1, 2), window), turned) for weight in ("w", "v")}
    CASES.append(Case(name, arguments, outputs, tuple({"batch": batch} for batch in batches)))


ROWS = tuple({"batch": rows} for rows in (1, 2, 5, 16, 77))

dense("dense_small", 10, 7, ("batch",), ROWS)
dense("dense_one", 1, 1, ("batch",), ROWS)
dense("dense_even", 128, 96, ("batch",), ROWS)
dense("dense_odd", 67, 101, ("batch",), ROWS)
dense("dense_thousand", 1000, 37, ("batch",), ({"batch": 1}, {"batch": 13}))
dense("dense_padded", 20, 50, ("batch",), ROWS, width=64)
dense("dense_time", 48, 33, ("T", "batch"), ({"T": 1, "batch": 1}, {"T": 7, "batch": 11}, {"T": 300, "batch": 2}))
dense("dense_fixed", 40, 24, ("batch", 6), ({"batch": 1}, {"batch": 9}))

conv("conv_3x3", (8, 9), 16, 32, (3, 3), padding=(1, 1, 1, 1), batches=(1, 5))
conv("conv_3x3_odd", (7, 11), 5, 19, (3, 3), padding=(1, 1, 1, 1))
conv("conv_1x1", (9, 10), 24, 40, (1, 1))
conv("conv_1x1_stride", (10, 9), 20, 33, (1, 1), stride=(2, 2))
conv("conv_3x3_stride", (9, 12), 17, 16, (3, 3), stride=(2, 2), padding=(1, 1, 1, 1))
conv("conv_even_stride", (56, 56), 8, 16, (3, 3), stride=(2, 2), padding=(1, 1, 1, 1))
conv("conv_7x7_stride", (20, 22), 3, 64, (7, 7), stride=(2, 2), padding=(3, 3, 3, 3))
conv("conv_wide_stride", (13, 11), 6, 12, (2, 2), stride=(3, 4))  # some pixels are never seen
conv("conv_many_phases", (17, 19), 4, 10, (7, 6), stride=(5, 4), padding=(2, 1, 0, 3))
conv("conv_one_sided", (6, 8), 9, 24, (3, 2), padding=(2, 0, 0, 1))
conv("conv_dilated", (11, 12), 8, 16, (3, 3), dilation=(2, 3), padding=(2, 2, 3, 3))
conv("conv_dilated_stride", (12, 13), 8, 16, (3, 3), stride=(2, 3), dilation=(3, 2), padding=(3, 3, 2, 1))
conv("conv_flip", (6, 7), 5, 11, (3, 2), stride=(1, 2), padding=(1, 0, 0, 1), flip=True)
conv("conv_groups", (6, 7), 8, 12, (3, 3), padding=(1, 1, 1, 1), groups=4)
conv("conv_depthwise", (9, 8), 24, 24, (3, 3), stride=(2, 1), padding=(1, 1, 1, 1), groups=24)
conv("conv_unused_edge", (8, 8), 8, 8, (3, 3), stride=(2, 2))
conv("conv_1d", (40,), 12, 20, (5,), stride=(2,), padding=(2, 2))
conv("conv_1d_odd", (23,), 3, 6, (4,), padding=(0, 3), batches=(1, 2, 7))
conv("conv_3d", (4, 5, 6), 5, 9, (3, 2, 3), stride=(1, 2, 1), padding=(1, 1, 0, 1, 1, 1), batches=(2,))
conv("conv_time", (), 12, 20, (3,), padding=(1, 1), time=(1, 2, 29))
conv("conv_time_valid", (), 9, 16, (4,), time=(3, 4, 17))  # of three steps, nothing is left
conv("conv_time_stride", (), 9, 16, (5,), stride=(2,), padding=(2, 2), time=(1, 2, 17))
conv("conv_time_space", (7,), 6, 10, (3, 3), padding=(1, 1, 1, 1), time=(1, 6))

tiles("tiles", (12, 16), 16, 32, batches=(1, 5))
tiles("tiles_odd", (7, 11), 5, 19)
tiles("tiles_one_sided", (9, 6), 17, 40, padding=(2, 0, 0, 1))
tiles("tiles_flip", (8, 8), 24, 16, padding=(0, 0, 0, 0), flip=True)
