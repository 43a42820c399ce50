"""What moves before a camera that stands still: a background of low rank, and labels of what differs from it.

SE and MS-CSC share it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ncfl.methods.finite_differences import add_adjoint, difference

_SAMPLE = 1_000_000  # of residuals from which their spread is taken


class Labels(NamedTuple):
    """Relaxed labels [T,H,W] in [0,1] and their three dual fields; what a later call of :func:`label` starts from."""

    relaxed: Tensor
    duals: tuple[Tensor, Tensor, Tensor]

    @property
    def moving(self) -> Tensor:
        """The labels themselves, bool [T,H,W]."""
        return self.relaxed > 0.5


def label(cost: Tensor, smoothness: float, start: Labels | None = None, iterations: int = 100) -> Labels:
    """Labels H in {0,1} that minimize sum(cost * H) + smoothness * |differences of H along t, y, x|_1.

    By the coarea formula the minimum over the interval [0,1], cut at 1/2, is a minimum over {0,1} (Chan, Esedoglu
    and Nikolova 2006): a minimum cut without a graph. Found by Chambolle and Pock's primal-dual iterations.

    Args:
        cost: [T,H,W], of being 1 rather than 0.
        smoothness: not negative.
        start: what an earlier call for a like cost returned; nothing moves by default.
        iterations: how many.
    """
    # Beyond six neighbors' worth a cost decides its label alone: the minimum is the same, and nearer.
    cost = (cost / max(smoothness, torch.finfo(cost.dtype).tiny)).clamp(-6, 6)
    relaxed, duals = start or (torch.zeros_like(cost), tuple(torch.zeros_like(cost) for _ in range(3)))
    step = 12**-0.5  # the largest allowed: three difference operators have a squared norm of at most 12
    ahead = relaxed
    for _ in range(iterations):
        slope = cost.clone()
        for dim, dual in enumerate(duals):
            dual.add_(difference(ahead, dim), alpha=step).clamp_(-1, 1)
            dual.select(dim, -1).zero_()  # the clip's end is not its start's neighbor
            add_adjoint(slope, dual, dim)
        before, relaxed = relaxed, relaxed.sub(slope, alpha=step).clamp_(0, 1)
        ahead = 2 * relaxed - before
    return Labels(relaxed, duals)


class MovingObjects:
    """Finds what differs from a background in one piece: the labels H, with a beta that comes down step by step.

    The schedule is that of DECOLOR (Zhou et al., TPAMI 2013), which both SE's and MS-CSC's code took over.

    Args:
        rainy: luma [T,H,W], whose first frame gives beta's start and least value.
        data: weight of the squared residual.
        smoothness: lambda.
        spread: beta comes down to 3 (spread * standard deviation of the first residual)^2, where that is more.
    """

    def __init__(self, rainy: Tensor, *, data: float, smoothness: float, spread: float) -> None:
        self.data, self.smoothness, self.spread = data, smoothness, spread
        deviation = rainy[0].std(correction=0).item()
        self.beta = 0.5 * deviation**2
        self.least = 0.5 * (3 * deviation / 20) ** 2
        self.few = rainy[0].numel() / 1e4  # pixels, in the whole clip
        self.labels: Labels | None = None

    def find(self, residual: Tensor) -> Tensor:
        """The next labels, bool [T,H,W], from X - L."""
        if self.labels is None:
            self.least = max(self.least, 3 * (self.spread * _deviation(residual)) ** 2)
        if self.labels is None or self.labels.moving.sum() < self.few:
            self.beta /= 2
        else:
            self.beta = min(max(self.beta / 2, self.least), self.beta)
        cost = self.beta - self.data * residual.square()
        self.labels = label(cost, self.smoothness * self.beta, self.labels)
        return self.labels.moving


def _deviation(residual: Tensor) -> float:
    """Standard deviation without the half percent at either end."""
    values = residual.flatten()[:: -(-residual.numel() // _SAMPLE)].sort().values
    ends = round(0.005 * len(values))
    return values[ends : len(values) - ends].std(correction=0).item()


class Factors(NamedTuple):
    """A background of low rank: L = sum_a u[a] v[a], with u [r,H,W] and v [r,T]."""

    u: Tensor
    v: Tensor

    def product(self) -> Tensor:
        """L [T,H,W]."""
        return torch.einsum("ahw,at->thw", self.u, self.v)


def low_rank(clip: Tensor, rank: int) -> Factors:
    """The best approximation of [T,H,W] by ``rank`` products, by eigenvectors of its T x T products of frames."""
    rows = clip.flatten(1)
    v = torch.linalg.eigh(rows.double() @ rows.double().T).eigenvectors.T[-rank:].to(clip.dtype)
    return Factors((v @ rows).unflatten(1, clip.shape[1:]), v)
