"""MS-CSC: rain as sparse copies of a few small filters, before a camera that stands still.

Li et al., "Video Rain Streak Removal by Multiscale Convolutional Sparse Coding", CVPR 2018. Luma X is a background L of
low rank where nothing moves and a foreground F where something does (the labels H), plus rain:

    X = (1 - H) L + H F + R,    R = sum_k D_k * M_k    (filters D_k of 13, 9 and 5 pixels, maps M_k sparse)

    min  |X - (1 - H) L - H F - R|^2 + sum_k b_k |M_k|_1 + total variation of F + cost of the labels H,
         rank L <= r,  M_k >= 0,  D_k >= 0,  |D_k|_2 <= 1

by turns: H, L, maps, F, then Q (which stands for R in the data term, tied to it by a multiplier T), filters, weights b.
The result is L where nothing moves and F where something does. Sizes, weights and the order of the turns are those of
the authors' code (MinghanLi/MS-CSC-Rain-Streak-Removal, MATLAB, research use only). These differ from it:

- L starts as the median of each pixel; the code starts from robust principal components.
- The labels are found by :func:`ncfl.methods.moving.label`; the code calls a graph-cut library for the same minimum.
- F weighs |X - Q - F|_1 by 1; the code's 10 leaves every frame as it is, since no divergence exceeds 4.
- Filters: steps of a projected gradient that suits their curvature; the code's have one fixed length, 1/100.
- Maps: 60 iterations, the penalty growing by 5 % in each; the code has 200 and 1 %.
- Edges are repeated, not tapered.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ncfl.methods.finite_differences import add_adjoint, difference
from ncfl.methods.luma import OnLuma
from ncfl.methods.moving import MovingObjects, low_rank

_PATCHES = 50_000  # from which the first filters are taken


class CodingFit(NamedTuple):
    """Background, foreground and rain [T,H,W], the labels H, bool [T,H,W], and the filters [K,S,S]."""

    background: Tensor
    foreground: Tensor
    rain: Tensor
    moving: Tensor
    filters: Tensor


class MSCSC(OnLuma):
    """The method; with the background's ``rank`` and filters of ``sizes`` (odd, pixels, the largest first).

    ``smoothness`` is the labels' lambda and ``spread`` as in :class:`ncfl.methods.moving.MovingObjects`;
    ``objects=False`` is for a clip in which nothing moves. ``rounds`` are all turns together.
    """

    name = "ms-csc"

    def __init__(
        self,
        *,
        rank: int = 1,
        sizes: tuple[int, ...] = (13, 9, 5),
        smoothness: float = 1.0,
        spread: float = 0.6,
        foreground_weight: float = 1.0,
        objects: bool = True,
        rounds: int = 2,
        chunk: int = 64,
        overlap: int = 16,
    ) -> None:
        super().__init__(chunk=chunk, overlap=overlap)
        self.rank, self.sizes, self.rounds = rank, sizes, rounds
        self.smoothness, self.spread, self.objects = smoothness, spread, objects
        self.foreground_weight = foreground_weight

    def rain_free(self, rainy: Tensor) -> Tensor:
        """See :meth:`ncfl.methods.luma.OnLuma.rain_free`."""
        fit = self.decompose(rainy)
        return torch.where(fit.moving, fit.foreground, fit.background)

    def decompose(self, rainy: Tensor) -> CodingFit:
        """Take the luma clip [T,H,W] apart."""
        margin = max(self.sizes) // 2
        x = F.pad(rainy[None], [margin] * 4, mode="replicate")[0]
        inside = (slice(None), slice(margin, -margin or None), slice(margin, -margin or None))
        background = foreground = x.median(0, keepdim=True).values.expand_as(x)
        find = MovingObjects(x, data=0.5, smoothness=self.smoothness, spread=self.spread).find if self.objects else None
        moving = find(x - background) if find else torch.zeros_like(x, dtype=torch.bool)
        q = torch.where(moving, 0, x - background)
        rain = multiplier = torch.zeros_like(x)
        filters, sparsity, tie = first_filters(q, self.sizes), x.new_zeros(len(self.sizes)), 1.0
        for turn in range(self.rounds):
            for again in range(2):
                if find and (turn or again):
                    moving = find(x - background)
                background = weighted_low_rank(x - q, moving, background, self.rank)
            maps, rain = sparse_code(q - multiplier, filters, sparsity)
            foreground = torch.stack([smooth(frame, self.foreground_weight) for frame in x - q])
            scene = torch.where(moving, foreground, background)
            q = (tie * (rain + multiplier) + 2 * (x - scene)) / (2 + tie)
            tie *= 1.05
            multiplier = multiplier + rain - q
            filters = update_filters(q - multiplier, maps, filters, self.sizes)
            sparsity = maps.mean((0, 2, 3))
        return CodingFit(background[inside], foreground[inside], rain[inside], moving[inside], filters)


def weighted_low_rank(x: Tensor, moving: Tensor, start: Tensor, rank: int, iterations: int = 50) -> Tensor:
    """Background [T,H,W] of ``rank`` nearest to ``x`` where nothing moves; L fills in what moves, by turns."""
    background = start
    for _ in range(iterations):
        before = background
        background = low_rank(torch.where(moving, before, x), rank).product()
        if torch.dist(background, before) <= 1e-4 * before.norm():
            break
    return background


def spectra(filters: Tensor, height: int, width: int) -> Tensor:
    """Filters [K,S,S], centers at the origin, as factors of a real FFT over frames: [K,height,width // 2 + 1]."""
    half = filters.shape[-1] // 2
    image = filters.new_zeros(len(filters), height, width)
    for i in range(-half, half + 1):  # one by one, for a frame may be smaller than a filter
        for j in range(-half, half + 1):
            image[:, i % height, j % width] += filters[:, half + i, half + j]
    return torch.fft.rfft2(image)


def sparse_code(
    x: Tensor, filters: Tensor, sparsity: Tensor, iterations: int = 60, growth: float = 1.05
) -> tuple[Tensor, Tensor]:
    """Maps M_k >= 0 that minimize 1/2 |x - sum_k D_k * M_k|^2 + sum_k b_k |M_k|_1, each frame alone.

    By the alternating direction method of multipliers; convolutions wrap around.

    Args:
        x: [T,H,W].
        filters: [K,S,S], S odd.
        sparsity: b, [K].
        iterations: how many.
        growth: of the penalty, which starts at 1, per iteration.

    Returns:
        The maps [T,K,H,W] and the rain [T,H,W] that they stand for.
    """
    maps, rain = [], []
    size = x.shape[1:]
    d = spectra(filters, *size)
    for frame in x:
        wanted = d.conj() * torch.fft.rfft2(frame)
        m = sparse = frame.new_zeros(len(filters), *size)
        dual, penalty = torch.zeros_like(m), 1.0
        for _ in range(iterations):
            m = torch.fft.irfft2(solve_maps(d, wanted + penalty * torch.fft.rfft2(sparse - dual), penalty), s=size)
            sparse = (m + dual - (sparsity / penalty)[:, None, None]).clamp_(min=0)
            dual = dual + m - sparse
            penalty *= growth
        maps.append(sparse)
        rain.append(torch.fft.irfft2((d * torch.fft.rfft2(sparse)).sum(0), s=size))
    return torch.stack(maps), torch.stack(rain)


def solve_maps(d: Tensor, right: Tensor, penalty: float) -> Tensor:
    """Spectra m of (d^H d + penalty) m = right at each frequency, d one row [K]: the Sherman-Morrison formula."""
    inner = (d * right).sum(0) / (penalty + d.abs().square().sum(0))
    return (right - d.conj() * inner) / penalty


def first_filters(rain: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Filters [K,S,S] from principal components 2 to K+1 of the patches of ``rain`` [T,H,W], what is negative cut off.

    A component's sign is free: the one whose positive part is larger is taken.
    """
    side = max(sizes)
    step = max(1, round((rain.numel() / _PATCHES) ** 0.5))
    patches = F.unfold(rain[:, None], side, stride=step).transpose(0, 1).flatten(1)
    patches = patches - patches.mean(1, keepdim=True)
    components = torch.linalg.eigh(patches @ patches.T).eigenvectors.flip(1)[:, 1 : len(sizes) + 1].T
    signed = torch.stack((components, -components)).clamp(min=0).unflatten(-1, (side, side)) * support(sizes, rain)
    norms = signed.square().sum((-1, -2))
    best = signed[norms.argmax(0), torch.arange(len(sizes), device=rain.device)]
    # Without rain a filter may be nothing at all, and then stays so.
    return best / best.square().sum((-1, -2), keepdim=True).sqrt().clamp(min=torch.finfo(best.dtype).tiny)


def support(sizes: tuple[int, ...], like: Tensor) -> Tensor:
    """Ones where filter k may differ from zero, centered: [K,S,S] with S the largest size."""
    off = (torch.arange(max(sizes), device=like.device) - max(sizes) // 2).abs()
    radii = torch.tensor(sizes, device=like.device)[:, None, None] // 2
    return (torch.maximum(off[:, None], off) <= radii).to(like.dtype)


def update_filters(x: Tensor, maps: Tensor, filters: Tensor, sizes: tuple[int, ...], iterations: int = 30) -> Tensor:
    """Filters that bring 1/2 |x - sum_k D_k * M_k|^2 down, under D_k >= 0, |D_k|_2 <= 1 and within their sizes.

    All that the clip [T,H,W] and its maps [T,K,H,W] say fits a matrix with one row per filter pixel.
    """
    mask = support(sizes, x)
    matrix, right = normal_equations(x, maps, filters.shape[-1])
    keep = mask.flatten().bool()
    matrix, right = matrix[keep][:, keep], right[keep]
    length = 1 / torch.linalg.eigvalsh(matrix)[-1].clamp(min=torch.finfo(matrix.dtype).tiny)
    out = filters.double()
    for _ in range(iterations):
        moved = out.flatten().clone()
        moved[keep] -= length * (matrix @ moved[keep] - right)
        out = moved.view_as(out).clamp(min=0)
        out = out / out.square().sum((-1, -2), keepdim=True).sqrt().clamp(min=1)
    return out.to(filters.dtype)


def normal_equations(x: Tensor, maps: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Of the least squares for all K * side^2 filter pixels: A'A, float64, and A'x, by correlations of the maps."""
    size, kinds = x.shape[1:], maps.shape[1]
    between: Tensor | float = 0.0
    along: Tensor | float = 0.0
    for frame, m in zip(x, maps, strict=True):
        m = torch.fft.rfft2(m)
        between = between + m.conj()[:, None] * m
        along = along + m.conj() * torch.fft.rfft2(frame)
    between, along = torch.fft.irfft2(between, s=size), torch.fft.irfft2(along, s=size)
    place = torch.arange(side, device=x.device) - side // 2
    rows, columns = (p.flatten() for p in torch.meshgrid(place, place, indexing="ij"))
    # <M_k shifted by a, M_l shifted by b> is the correlation of k and l at a - b.
    lag_y, lag_x = (rows[:, None] - rows) % size[0], (columns[:, None] - columns) % size[1]
    matrix = between[:, :, lag_y, lag_x].transpose(1, 2).reshape(kinds * side**2, -1)
    return matrix.double(), along[:, rows % size[0], columns % size[1]].flatten().double()


def smooth(image: Tensor, weight: float, iterations: int = 50) -> Tensor:
    """The [H,W] that minimizes its total variation + weight * |it - image|_1 (Chambolle and Pock 2011)."""
    if weight >= 4:  # no divergence of a field of unit vectors exceeds 4: the image itself
        return image
    step = 8**-0.5  # the largest allowed: two difference operators have a squared norm of at most 8
    out = ahead = image
    dual = image.new_zeros(2, *image.shape)
    for _ in range(iterations):
        for dim in (0, 1):
            dual[dim].add_(difference(ahead, dim), alpha=step).select(dim, -1).zero_()
        dual /= dual.square().sum(0).sqrt().clamp(min=1)
        moved = add_adjoint(add_adjoint(out - image, dual[0], 0, -step), dual[1], 1, -step)
        before, out = out, image + moved - moved.clamp(-step * weight, step * weight)
        ahead = 2 * out - before
    return out
