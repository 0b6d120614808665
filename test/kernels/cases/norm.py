"""Gradients of normalization, by their Jacobians."""

import numpy as np

from kernel import Case, function, randoms, tensor


def local_response_norm(name, channels, size, alpha, beta, k):
    x, dy = randoms(1, 3, 4, channels), randoms(2, 3, 4, channels)
    wide, cotangent = x.astype(np.float64), dy.astype(np.float64)
    around = np.array([[0 <= i - c + size // 2 < size for i in range(channels)] for c in range(channels)])
    base = k + alpha / size * np.einsum("ci,rsi->rsc", around, wide * wide)
    # dy[c] / dx[i]
    jacobian = np.eye(channels) * base[..., None] ** -beta - (
        2 * alpha * beta / size * (wide * base ** (-beta - 1))[..., None] * around * wide[..., None, :])
    dx = np.einsum("rsc,rsci->rsi", cotangent, jacobian)
    kind = tensor("batch", 4, channels)
    body = (f"%dx = nn.local_response_norm_gradient %x, %dy {{size = {size}, alpha = {alpha:e}, beta = {beta:e}, "
            f"k = {k:e}}} : ({kind}, {kind}) -> {kind}")
    text = function({"x": kind, "dy": kind}, body, {"dx": kind})
    return Case(name, text, [x, dy], [dx], batch=3)


CASES = [
    local_response_norm("five_of_32", 32, 5, 1e-1, 0.75, 2.0),
    local_response_norm("four_of_20", 20, 4, 1.0, 0.5, 1.0),
    local_response_norm("more_than_there_are", 3, 9, 2.0, 0.75, 1.0),
]
