"""Moves of elements that derivatives need."""

import numpy as np

from kernel import Case, classes, function, randoms, tensor


def pad(name, shape, starts, whole, dims, lengths=None):
    x = randoms(1, *shape)
    fixed = len(starts)
    want = np.zeros((*shape[:-fixed], *whole), np.float32)
    want[(..., *(slice(start, start + size) for start, size in zip(starts, shape[-fixed:])))] = x
    given, result = tensor(*dims, *shape[-fixed:]), tensor(*dims, *whole)
    body = (f"%y = nn.pad %x {{starts = array<i64: {', '.join(map(str, starts))}>, "
            f"shape = array<i64: {', '.join(map(str, whole))}>}} : ({given}) -> {result}")
    text = function({"x": given}, body, {"y": result}, lengths={"n": "T"} if lengths else None)
    return Case(name, text, [x], [want], batch=shape[len(dims) - 1], lengths=lengths or {}, tolerance=0)


def delay(name, steps, batch, columns):
    x, start = randoms(1, steps, batch, columns), randoms(2, batch, columns)
    kind, step = tensor("T", "batch", columns), tensor("batch", columns)
    text = function({"x": kind, "start": step}, f"%y = nn.delay %x, %start : ({kind}, {step}) -> {kind}", {"y": kind},
                    lengths={"n": "T"})
    return Case(name, text, [x, start], [np.concatenate([start[None], x[:-1]])], batch=batch, lengths={"T": steps},
                tolerance=0)


def segment(name, shape, axis, first, steps):
    """Some steps from `first` on; 0 past the end."""
    x = randoms(1, *shape)
    rows = np.moveaxis(x, axis, 0)
    want = np.zeros((steps, *rows.shape[1:]), np.float32)
    part = rows[first:first + steps]
    want[:len(part)] = part
    dims = ["T", "batch"] if axis == 0 else ["batch", "T"]
    kinds = tensor(*dims, shape[2]), tensor(str(steps), "batch", shape[2])
    body = (f"%first = nn.constant {first} : i32 : tensor<i32>\n"
            f"%y = nn.segment %x, %first {{axis = {axis}}} : ({kinds[0]}, tensor<i32>) -> {kinds[1]}")
    return Case(name, function({"x": kinds[0]}, body, {"y": kinds[1]}, lengths={"n": "T"}), [x], [want],
                batch=shape[1 - axis], lengths={"T": shape[axis]}, tolerance=0)


def split_steps(name, segments, steps, length, batch, columns):
    x = randoms(1, length, batch, columns)
    want = np.zeros((segments * steps, batch, columns), np.float32)
    want[:length] = x
    kinds = tensor("T", "batch", columns), tensor(str(segments), str(steps), "batch", columns)
    text = function({"x": kinds[0]}, f"%y = nn.split_steps %x : ({kinds[0]}) -> {kinds[1]}", {"y": kinds[1]},
                    lengths={"n": "T"})
    return Case(name, text, [x], [want.reshape(segments, steps, batch, columns)], batch=batch, lengths={"T": length},
                tolerance=0)


def join_steps(name, segments, steps, length, batch, columns):
    x = randoms(1, segments, steps, batch, columns)
    kinds = tensor(str(segments), str(steps), "batch", columns), tensor("T", "batch", columns)
    text = function({"x": kinds[0]}, f"%y = nn.join_steps %x : ({kinds[0]}) -> {kinds[1]}", {"y": kinds[1]},
                    lengths={"n": "T"})
    return Case(name, text, [x], [x.reshape(-1, batch, columns)[:length]], batch=batch, lengths={"T": length},
                tolerance=0)


def in_panels(x, dim, width):
    """[panel][other dimensions][lane], what pads the last panel 0."""
    panels = -(-x.shape[dim] // width)
    packed = np.zeros((panels, *np.delete(x.shape, dim), width), np.float32)
    for number, row in enumerate(np.moveaxis(x, dim, 0)):
        packed[number // width, ..., number % width] = row
    return packed


def pack(name, shape, dim, width, given_in=None):
    """From row-major order, or from panels of another dimension."""
    x = randoms(1, *shape)
    given, result = tensor(*shape, panel=given_in), tensor(*shape, panel=(dim, width))
    text = function({"x": given}, f"%y = nn.pack %x : ({given}) -> {result}", {"y": result})
    return Case(name, text, [in_panels(x, *given_in) if given_in else x], [in_panels(x, dim, width)], tolerance=0)


def pack_slice(name, shape, start, size, width, given_in):
    """Some inputs of a weight, from panels of its outputs."""
    x = randoms(1, *shape)
    part = (shape[0], size)
    given, sliced, result = tensor(*shape, panel=given_in), tensor(*part), tensor(*part, panel=(1, width))
    body = (f"%s = nn.slice %x {{starts = array<i64: 0, {start}>, sizes = array<i64: {shape[0]}, {size}>}} : "
            f"({given}) -> {sliced}\n%y = nn.pack %s : ({sliced}) -> {result}")
    want = in_panels(x[:, start:start + size], 1, width)
    return Case(name, function({"x": given}, body, {"y": result}), [in_panels(x, *given_in)], [want], tolerance=0)


def embed_gradient(name, rows, table, columns, dims):
    """Some classes lie outside of the table: they count nowhere."""
    ids, dy = classes(1, table + 4, *rows) - 2, randoms(2, *rows, columns)
    want = np.zeros((table, columns))
    for row in np.ndindex(*rows):
        if 0 <= ids[row] < table:
            want[ids[row]] += dy[row]
    kinds = tensor(*dims, element="i32"), tensor(*dims, columns), tensor(table, columns)
    body = f"%y = nn.embed_gradient %ids, %dy {{classes = {table}}} : ({kinds[0]}, {kinds[1]}) -> {kinds[2]}"
    timed = "T" in dims
    text = function({"ids": kinds[0], "dy": kinds[1]}, body, {"y": kinds[2]}, lengths={"n": "T"} if timed else None)
    return Case(name, text, [ids, dy], [want], batch=rows[dims.index("batch")],
                lengths={"T": rows[0]} if timed else {})


CASES = [
    pad("pad_last", (3, 5), [2], [9], ["batch"]),
    pad("pad_image", (2, 3, 4, 16), [1, 0, 8], [5, 4, 24], ["batch"]),
    pad("pad_over_time", (4, 2, 5), [0], [8], ["T", "batch"], {"T": 4}),
    delay("delay_rows", 5, 3, 20),
    delay("delay_one_step", 1, 3, 4),
    segment("segment_of_calls", (3, 7, 20), 1, 2, 4),
    segment("segment_past_the_end", (3, 7, 5), 1, 6, 3),
    segment("segment_of_steps", (7, 2, 33), 0, 3, 3),
    split_steps("split_steps", 3, 4, 11, 2, 20),
    split_steps("split_one", 1, 5, 5, 3, 4),
    join_steps("join_steps", 3, 4, 11, 2, 20),
    join_steps("join_single_steps", 6, 1, 6, 1, 3),
    pack("pack_rows", (10, 5), 0, 8),
    pack("pack_columns", (3, 3, 4, 20), 3, 16),
    pack("pack_turned_rows", (50, 37), 0, 16),
    pack("pack_turned_channels", (3, 3, 20, 24), 2, 8),
    pack("pack_inputs", (50, 37), 1, 48, given_in=(0, 48)),
    pack("pack_inputs_whole", (96, 64), 1, 32, given_in=(0, 48)),
    pack("pack_inputs_few", (3, 9), 1, 16, given_in=(0, 8)),
    pack_slice("pack_some_inputs", (50, 37), 5, 29, 16, (0, 48)),
    pack("pack_channels", (3, 3, 6, 16), 2, 8, given_in=(3, 16)),
    pack("pack_channels_by_rows", (2, 3, 6, 5), 2, 8, given_in=(3, 8)),
    embed_gradient("embed_words", (7, 5), 11, 40, ["T", "batch"]),
    embed_gradient("embed_narrow", (300,), 5, 3, ["batch"]),
    embed_gradient("embed_wide", (60,), 700, 128, ["batch"]),
    embed_gradient("embed_images", (3, 2, 4), 6, 17, ["batch", 2, 4]),
]
