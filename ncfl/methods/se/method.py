"""SE: rain as patches drawn from a mixture of Gaussians, before a camera that stands still.

Wei et al., "Should We Encode Rain Streaks in Video as Deterministic or Stochastic?", ICCV 2017. Luma X is a
background L of low rank plus rain where nothing moves, and something else where something does (the labels H):

    X = (1 - H) (L + rain) + H objects,    rank L <= r,    2x2 patches of the rain ~ sum_k pi_k N(0, Sigma_k)

    H minimizes  sum 0.7 (1 - H) (X - L)^2 + beta H  +  lambda beta |differences of H along x, y and t|_1

What moves stays as it is, its rain included: where the camera moves, that is nearly everything.

Sizes and weights are those of the demo of the authors' code (wwzjer/RainRemoval_ICCV2017, MATLAB, research use only).
These differ from it:

- Luma is restored; the demo restores R, G and B one by one.
- The weighted least squares for L are solved as they are; the code takes one step per iteration of a split between
  patches and pixels with multipliers (weight 0.05, growing by 5 %).
- Patches that touch a moving object are left out of the mixture; the code keeps them with residual zero.
- The labels are found by :func:`ncfl.methods.moving.label`; the code calls a graph-cut library for the same minimum.
- The mixture starts from one Gaussian in several widths; the code draws its start at random.
- It ends when L stands still; the code, when a sum of likelihood and label energy changes by less than 1 %.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ncfl.methods.luma import OnLuma
from ncfl.methods.moving import Factors, MovingObjects, low_rank

_FLOOR = 1e-6  # squares of luma's unit, added to the covariances' diagonals; the authors' code adds it to every entry


class Mixture(NamedTuple):
    """Gaussians around zero over patches of D pixels: their shares [K] and covariances [K,D,D]."""

    shares: Tensor
    covariances: Tensor

    def precisions(self) -> Tensor:
        """[K,D,D]."""
        return torch.linalg.inv(self.covariances)

    def log_densities(self, patches: Tensor) -> Tensor:
        """log(pi_k N(patch)) of ``patches`` [D,N]: [K,N]."""
        factors = torch.linalg.cholesky(self.covariances)
        constant = self.shares.log() - factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = constant - len(patches) / 2 * math.log(2 * math.pi)
        return constant[:, None] - (torch.linalg.inv(factors) @ patches).square().sum(1) / 2


class Rounds:
    """The steps of expectation maximization for one clip; each leaves the likelihood no lower.

    Every step takes the mixture, the factors of L and the labels, and finds anew how likely each patch's component is.
    Patches of D = ``patch`` x ``patch`` pixels stand at all N places; those with a moving pixel do not count.
    """

    def __init__(self, rainy: Tensor, patch: int) -> None:
        self.rainy = rainy
        self.offsets = [(i, j) for i in range(patch) for j in range(patch)]
        self.size = tuple(n - patch + 1 for n in rainy.shape[1:])

    def patches(self, image: Tensor) -> Tensor:
        """[...,H,W] -> [...,D,N]."""
        height, width = self.size
        return torch.stack([image[..., i : i + height, j : j + width] for i, j in self.offsets], -3).flatten(-2)

    def gather(self, patches: Tensor) -> Tensor:
        """The transpose of :meth:`patches`: [...,D,N] -> [...,H,W], the sum of what the patches have at a pixel."""
        height, width = self.size
        image = patches.new_zeros(*patches.shape[:-2], *self.rainy.shape[1:])
        for d, (i, j) in enumerate(self.offsets):
            image[..., i : i + height, j : j + width] += patches[..., d, :].unflatten(-1, self.size)
        return image

    def start(self, residual: Tensor, components: int) -> Mixture:
        """Components of equal shares whose variances lie around the residual's, each ten times the one before."""
        widths = 10.0 ** (torch.arange(components, device=residual.device) - (components - 1) / 2)
        variances = residual.var(correction=0) * widths.to(residual.dtype) + _FLOOR
        one = torch.eye(len(self.offsets), dtype=residual.dtype, device=residual.device)
        return Mixture(torch.full_like(variances, 1 / components), variances[:, None, None] * one)

    def expect(
        self, mixture: Mixture, frame: Tensor, background: Tensor, moving: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of one frame [H,W]: patches of its residual [D,N], their components' odds [K,N], log-likelihoods [N].

        Odds and log-likelihoods of patches that do not count are zero.
        """
        residual = self.patches(frame - background)
        counts = ~self.patches(moving).any(0)
        logs = mixture.log_densities(residual)
        return residual, logs.softmax(0) * counts, logs.logsumexp(0) * counts

    def mixture(self, mixture: Mixture, factors: Factors, moving: Tensor) -> tuple[Mixture, float]:
        """The next mixture, and the mean log-likelihood under the one given."""
        shares, covariances = torch.zeros_like(mixture.shares), torch.zeros_like(mixture.covariances)
        total = 0.0
        for frame, background, labels in zip(self.rainy, factors.product(), moving, strict=True):
            residual, odds, likelihood = self.expect(mixture, frame, background, labels)
            shares += odds.sum(1)
            covariances += (odds[:, None] * residual) @ residual.T
            total += likelihood.sum().item()
        count = shares.sum()
        if not count:  # everything moves: nothing to learn from
            return mixture, 0.0
        floor = _FLOOR * torch.eye(len(self.offsets), dtype=shares.dtype, device=shares.device)
        covariances = covariances / shares.clamp(min=_FLOOR)[:, None, None] + floor
        return Mixture((shares / count).clamp(min=_FLOOR), covariances), total / count.item()

    def u(self, mixture: Mixture, factors: Factors, moving: Tensor) -> Factors:
        """The pixels' factors that minimize sum_n,k odds_nk |patch_n(X - L)|^2 in the metric of component k."""
        u, v = factors
        precisions = mixture.precisions()
        # sum_t odds v_a v_b: with the precisions, all that the normal equations need.
        weights = u.new_zeros(len(precisions), len(u), len(u), math.prod(self.size))
        right = torch.zeros_like(u)
        for t, (frame, background) in enumerate(zip(self.rainy, factors.product(), strict=True)):
            _, odds, _ = self.expect(mixture, frame, background, moving[t])
            weights += odds[:, None, None] * (v[:, None, t] * v[None, :, t])[None, :, :, None]
            weighted = (odds[:, None] * (precisions @ self.patches(frame))).sum(0)
            right += v[:, t, None, None] * self.gather(weighted)

        def normal(x: Tensor) -> Tensor:
            mixed = torch.einsum("kabn,bdn->kadn", weights, self.patches(x))
            return self.gather((precisions[:, None] @ mixed).sum(0))

        diagonal = torch.einsum("kaan,kdd->adn", weights, precisions)
        return Factors(conjugate_gradients(normal, right, u, self.gather(diagonal)), v)

    def v(self, mixture: Mixture, factors: Factors, moving: Tensor) -> Factors:
        """The frames' factors that minimize the same, frame by frame in closed form."""
        u, v = factors
        precisions, basis = mixture.precisions(), self.patches(u)
        columns = []
        for t, (frame, background) in enumerate(zip(self.rainy, factors.product(), strict=True)):
            residual, odds, _ = self.expect(mixture, frame, background, moving[t])
            metric = odds[:, None, None] * (precisions[:, None] @ basis)  # [K,r,D,N]
            left = torch.einsum("kadn,bdn->ab", metric, basis).double()
            right = torch.einsum("kadn,dn->a", metric, residual).double()
            columns.append(v[:, t] + (torch.linalg.pinv(left, hermitian=True) @ right).to(v.dtype))
        return Factors(u, torch.stack(columns, 1))


def conjugate_gradients(
    normal: Callable[[Tensor], Tensor], right: Tensor, start: Tensor, diagonal: Tensor, iterations: int = 20
) -> Tensor:
    """Solve ``normal``(x) = ``right`` from ``start``, preconditioned by its ``diagonal``; zeros there stay as they are.

    Each iteration brings x nearer to the minimum of the quadratic whose gradient is normal(x) - right.
    """
    inverse = torch.where(diagonal > 0, 1 / diagonal, 0)
    x, gap = start.clone(), right - normal(start)
    direction = inverse * gap
    size = (gap * direction).sum()
    goal = 1e-8 * size
    for _ in range(iterations):
        if size <= goal:
            break
        curved = normal(direction)
        length = size / (direction * curved).sum()
        x += length * direction
        gap -= length * curved
        scaled = inverse * gap
        size, before = (gap * scaled).sum(), size
        direction = scaled + size / before * direction
    return x


class MixtureFit(NamedTuple):
    """L [T,H,W], the labels H, bool [T,H,W], and the mean log-likelihood of a patch at each iteration."""

    background: Tensor
    moving: Tensor
    likelihoods: list[float]


class SE(OnLuma):
    """The method; with the background's ``rank``, ``components`` of the mixture and a ``patch`` of that many pixels.

    ``smoothness`` is lambda and ``spread`` as in :class:`ncfl.methods.moving.MovingObjects`; ``objects=False`` is for
    a clip in which nothing moves, as the authors advise. It ends when L moves by less than ``tolerance`` (root mean
    square, of the full range), or after ``iterations``.
    """

    name = "se"

    def __init__(
        self,
        *,
        rank: int = 1,
        components: int = 3,
        patch: int = 2,
        smoothness: float = 5.0,
        spread: float = 0.9,
        objects: bool = True,
        iterations: int = 40,
        tolerance: float = 1e-4,
        chunk: int = 64,
        overlap: int = 16,
    ) -> None:
        super().__init__(chunk=chunk, overlap=overlap)
        self.rank, self.components, self.patch = rank, components, patch
        self.smoothness, self.spread, self.objects = smoothness, spread, objects
        self.iterations, self.tolerance = iterations, tolerance

    def rain_free(self, rainy: Tensor) -> Tensor:
        """See :meth:`ncfl.methods.luma.OnLuma.rain_free`."""
        fit = self.decompose(rainy)
        return torch.where(fit.moving, rainy, fit.background)

    def decompose(self, rainy: Tensor) -> MixtureFit:
        """Take the luma clip [T,H,W] apart by expectation maximization, with new labels after each round."""
        step = Rounds(rainy, min(self.patch, *rainy.shape[1:]))
        factors = low_rank(rainy, self.rank)
        background = factors.product()
        mixture = step.start(rainy - background, self.components)
        find = MovingObjects(rainy, data=0.7, smoothness=self.smoothness, spread=self.spread).find
        moving, likelihoods = torch.zeros_like(rainy, dtype=torch.bool), []
        for _ in range(self.iterations):
            mixture, likelihood = step.mixture(mixture, factors, moving)
            likelihoods.append(likelihood)
            factors = step.u(mixture, factors, moving)
            factors = step.v(mixture, factors, moving)
            before, background = background, factors.product()
            if self.objects:
                moving = find(rainy - background)
            if (background - before).square().mean().sqrt() < self.tolerance:
                break
        return MixtureFit(background, moving, likelihoods)
