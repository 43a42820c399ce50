"""FastDerain: rain by the directions in which it is smooth (Jiang et al., IEEE TIP 2019, arXiv:1803.07487).

A clip is rain-free video plus rain plus noise, O = B + R + N. Streaks are sparse and smooth as they fall (y); the
video is smooth across them (x) and in time (t):

    min  1/2 |O - B - R|^2 + l1 |D_y R|_1 + l2 |R|_1 + l3 |D_x B|_1 + l4 |D_t B|_1,    0 <= B <= O,  0 <= R <= 1

The authors' code (uestctensorgroup/FastDeRain, MATLAB, all rights reserved) gives the weights for real video, the
bounds and when to stop. Three points differ from it:

- Differences around the clip's ends (first frame to last, left edge to right) are not penalized; the solves are
  the same.
- The multipliers follow the newest B and R, as in the alternating direction method; the code takes those of an
  iteration before.
- Where mu is not 1 the data term keeps its weight 1; the code scales it by mu. Its weights all have mu = 1.

Oblique rain, for which the authors turn the video by hand, is treated as if it fell straight down.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ncfl.methods.finite_differences import add_adjoint, difference
from ncfl.methods.luma import OnLuma

_T, _Y, _X = 0, 1, 2  # the dimensions of a luma clip [T,H,W]


class RainLayers(NamedTuple):
    """What a clip is taken apart into: background and rain, [T,H,W] each; how many iterations that took."""

    background: Tensor
    rain: Tensor
    iterations: int


class FastDerain(OnLuma):
    """The method; with ``rain_weights`` (l1, l2), ``background_weights`` (l3, l4) and ``mu`` for luma in [0,1].

    It ends when B and R together move by less than ``tolerance`` of the clip's norm, or after ``iterations``. That end
    is part of the method: with the published weights the minimum itself leaves background in the rain. The weights
    are those of the authors' script for real video; 50 iterations that of their synthetic ones (75 on real video).
    """

    name = "fastderain"

    def __init__(
        self,
        *,
        rain_weights: tuple[float, float] = (1e-2, 1e-3),
        background_weights: tuple[float, float] = (1e-2, 1e-2),
        mu: float = 1.0,
        iterations: int = 50,
        tolerance: float = 1e-3,
        chunk: int = 32,
        overlap: int = 4,
    ) -> None:
        super().__init__(chunk=chunk, overlap=overlap)
        self.rain_weights, self.background_weights = rain_weights, background_weights
        self.mu, self.iterations, self.tolerance = mu, iterations, tolerance

    def rain_free(self, rainy: Tensor) -> Tensor:
        """See :meth:`ncfl.methods.luma.OnLuma.rain_free`."""
        return self.decompose(rainy).background

    def decompose(self, rainy: Tensor) -> RainLayers:
        """Take the luma clip O [T,H,W] apart by the alternating direction method of multipliers (SALSA)."""
        background, rain = rainy.clone(), torch.zeros_like(rainy)
        # One tensor per penalty: its auxiliary variable plus its scaled multiplier, V + D in the paper.
        down, sparse = difference(rain, _Y), rain.clone()
        across, later = difference(background, _X), difference(background, _T)
        scratch = torch.empty_like(rainy)  # fresh memory costs more here than the arithmetic
        scale = rainy.norm().clamp(min=torch.finfo(rainy.dtype).tiny)
        done = 0
        while done < self.iterations:
            self._reflect(down, difference(rain, _Y, scratch), self.rain_weights[0], _Y)
            self._reflect(sparse, rain, self.rain_weights[1])
            self._reflect(across, difference(background, _X, scratch), self.background_weights[0], _X)
            self._reflect(later, difference(background, _T, scratch), self.background_weights[1], _T)
            before = background, rain
            background = (
                self.solve_background(torch.sub(rainy, rain, out=scratch), across, later).clamp_(min=0).minimum(rainy)
            )
            rain = self.solve_rain(torch.sub(rainy, background, out=scratch), down, sparse).clamp_(0, 1)
            done += 1
            moved = torch.dist(background, before[0]) + torch.dist(rain, before[1])
            if moved < self.tolerance * scale:
                break
        return RainLayers(background, rain, done)

    def _reflect(self, kept: Tensor, now: Tensor, weight: float, dim: int | None = None) -> None:
        """Multiplier and shrinkage at once, in place: V + D <- g - clamp(2 g - (V + D)), g = ``now``.

        The multiplier becomes D = (V + D) - g, the shrunk V = g - D - clamp(g - D). The last difference along
        ``dim`` leads back to the start: its weight is zero.
        """
        threshold = weight / self.mu
        kept.sub_(now, alpha=2).clamp_(-threshold, threshold).add_(now)
        if dim is not None:
            kept.select(dim, -1).copy_(now.select(dim, -1))

    def solve_background(self, data: Tensor, across: Tensor, later: Tensor) -> Tensor:
        """B of (1 + mu D_x'D_x + mu D_t'D_t) B = ``data`` + mu D_x' ``across`` + mu D_t' ``later``, by FFT."""
        right = add_adjoint(add_adjoint(data.clone(), across, _X, self.mu), later, _T, self.mu)
        spectrum = 1 + self.mu * (_squared(right, _T, False)[:, None, None] + _squared(right, _X, True))
        dims, size = (_T, _X), (right.shape[_T], right.shape[_X])
        return torch.fft.irfftn(torch.fft.rfftn(right, dim=dims).div_(spectrum), s=size, dim=dims)

    def solve_rain(self, data: Tensor, down: Tensor, sparse: Tensor) -> Tensor:
        """R of (1 + mu + mu D_y'D_y) R = ``data`` + mu D_y' ``down`` + mu ``sparse``, by FFT."""
        right = add_adjoint(data.add(sparse, alpha=self.mu), down, _Y, self.mu)
        spectrum = (1 + self.mu + self.mu * _squared(right, _Y, True))[:, None]
        return torch.fft.irfft(torch.fft.rfft(right, dim=_Y).div_(spectrum), n=right.shape[_Y], dim=_Y)

    def objective(self, rainy: Tensor, background: Tensor, rain: Tensor) -> float:
        """What :meth:`decompose` minimizes."""
        (l1, l2), (l3, l4) = self.rain_weights, self.background_weights
        value = (rainy - background - rain).square().sum() / 2
        value += l1 * rain.diff(dim=_Y).abs().sum() + l2 * rain.abs().sum()
        value += l3 * background.diff(dim=_X).abs().sum() + l4 * background.diff(dim=_T).abs().sum()
        return value.item()


def _squared(like: Tensor, dim: int, half: bool) -> Tensor:
    """Eigenvalues of D'D along ``dim``: 2 - 2 cos(2 pi k / n), of all k or of the half that a real FFT gives."""
    size = like.shape[dim]
    k = torch.arange(size // 2 + 1 if half else size, dtype=like.dtype, device=like.device)
    return 2 - 2 * torch.cos(2 * torch.pi * k / size)
