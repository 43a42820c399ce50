"""Differences of neighbors along a dimension, around the ends, and their transpose."""

import torch
from torch import Tensor


def difference(x: Tensor, dim: int, out: Tensor | None = None) -> Tensor:
    """D x: the next element minus this one; after the last comes the first. ``out`` takes the result if given."""
    out = torch.empty_like(x) if out is None else out
    last = x.shape[dim] - 1
    torch.sub(x.narrow(dim, 1, last), x.narrow(dim, 0, last), out=out.narrow(dim, 0, last))
    torch.sub(x.select(dim, 0), x.select(dim, last), out=out.select(dim, last))
    return out


def add_adjoint(total: Tensor, x: Tensor, dim: int, scale: float = 1.0) -> Tensor:
    """Add ``scale`` D' x to ``total``, in place; D' is the transpose of :func:`difference`."""
    last = x.shape[dim] - 1
    total.sub_(x, alpha=scale)
    total.narrow(dim, 1, last).add_(x.narrow(dim, 0, last), alpha=scale)
    total.select(dim, 0).add_(x.select(dim, last), alpha=scale)
    return total
