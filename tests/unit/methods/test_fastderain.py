"""FastDerain: luma, the two solves, the iteration against a plain one, the gain on a made clip, odd input."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.rain_samples import psnr, scene, streaks
from torch import Tensor

from ncfl.methods.fastderain.method import FastDerain
from ncfl.methods.finite_differences import add_adjoint, difference
from ncfl.methods.luma import luma

SIZES = [(3, 4, 5), (1, 5, 3), (2, 1, 4), (1, 1, 1)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def dense(size: tuple[int, ...], axis: int) -> np.ndarray:
    """The difference operator as a matrix, column by column."""
    basis = np.eye(np.prod(size)).reshape(-1, *size)
    return (np.roll(basis, -1, axis + 1) - basis).reshape(len(basis), -1).T


def rgb(clip: Tensor) -> Tensor:
    """[T,H,W] -> [1,T,3,H,W], not gray."""
    return (clip[None, :, None] * torch.tensor([0.9, 1.0, 0.8])[:, None, None]).contiguous()


def test_luma_is_matlabs():
    colors = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])[..., None, None]
    expected = torch.tensor([16.0, 235, 81.481, 144.553, 40.966]) / 255
    torch.testing.assert_close(luma(colors).flatten(), expected)
    torch.testing.assert_close(luma(colors[:, :1]).flatten(), torch.tensor([0.0, 1, 1, 0, 0]), rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_differences_and_their_transpose(size: tuple[int, ...], dim: int):
    x, matrix = random(*size), dense(size, dim)
    np.testing.assert_allclose(difference(x, dim).flatten(), matrix @ x.flatten().numpy(), atol=1e-15)
    total = random(*size, seed=1)
    expected = total.numpy().flatten() + 0.7 * matrix.T @ x.flatten().numpy()
    np.testing.assert_allclose(add_adjoint(total, x, dim, 0.7).flatten(), expected, atol=1e-15)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mu", [1.0, 0.3])
def test_both_solves_equal_a_dense_one(size: tuple[int, ...], mu: float):
    method = FastDerain(mu=mu)
    data, s1, s2 = (random(*size, seed=seed) for seed in range(3))
    dt, dy, dx = (dense(size, axis) for axis in range(3))
    one = np.eye(data.numel())
    b, p, q = (x.numpy().flatten() for x in (data, s1, s2))
    background = np.linalg.solve(one + mu * (dx.T @ dx + dt.T @ dt), b + mu * (dx.T @ p + dt.T @ q))
    np.testing.assert_allclose(method.solve_background(data, s1, s2).flatten(), background, atol=1e-13)
    rain = np.linalg.solve((1 + mu) * one + mu * dy.T @ dy, b + mu * (dy.T @ p + q))
    np.testing.assert_allclose(method.solve_rain(data, s1, s2).flatten(), rain, atol=1e-13)


def plain_admm(o: np.ndarray, weights: tuple[float, ...], mu: float, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """The method as the paper writes it: V by shrinkage, B and R by dense solves, D by what they miss."""
    size, n = o.shape, o.size
    dt, dy, dx = (dense(size, axis) for axis in range(3))
    terms = [(dy, 1, 1), (np.eye(n), 1, None), (dx, 0, 2), (dt, 0, 0)]  # operator, of B or R, its axis
    # The difference that leads from a clip's end to its start is not penalized.
    ends = [np.zeros(size, bool) for _ in terms]
    for end, (_, _, axis) in zip(ends, terms, strict=True):
        if axis is not None:
            end[(slice(None),) * axis + (-1,)] = True
    thresholds = [np.where(end.flatten(), 0, w / mu) for end, w in zip(ends, weights, strict=True)]
    left = [np.eye(n) + mu * sum(g.T @ g for g, kind, _ in terms if kind == part) for part in (0, 1)]
    parts, d = [o.flatten(), np.zeros(n)], [np.zeros(n)] * 4
    for _ in range(iterations):
        z = [g @ parts[kind] - dual for (g, kind, _), dual in zip(terms, d, strict=True)]
        v = [np.sign(x) * np.maximum(np.abs(x) - threshold, 0) for x, threshold in zip(z, thresholds, strict=True)]
        for part in (0, 1):
            right = o.flatten() - parts[1 - part]
            right = right + mu * sum(t[0].T @ (v[i] + d[i]) for i, t in enumerate(terms) if t[1] == part)
            high = 1 if part else o.flatten()
            parts[part] = np.minimum(np.maximum(np.linalg.solve(left[part], right), 0), high)
        d = [dual - (g @ parts[kind] - x) for (g, kind, _), dual, x in zip(terms, d, v, strict=True)]
    return parts[0].reshape(size), parts[1].reshape(size)


@pytest.mark.parametrize("size", [(4, 5, 7), (1, 6, 5)])
@pytest.mark.parametrize("mu", [1.0, 0.4])
def test_the_iteration_equals_the_papers_written_out(size: tuple[int, ...], mu: float):
    rainy = random(*size, seed=4)
    method = FastDerain(rain_weights=(0.05, 0.02), background_weights=(0.04, 0.03), mu=mu, iterations=9, tolerance=0)
    layers = method.decompose(rainy)
    background, rain = plain_admm(rainy.numpy(), (0.05, 0.02, 0.04, 0.03), mu, 9)
    assert layers.iterations == 9
    np.testing.assert_allclose(layers.background, background, atol=1e-12)
    np.testing.assert_allclose(layers.rain, rain, atol=1e-12)


def test_the_objective_falls_and_the_bounds_hold():
    rainy = (scene() + streaks(*scene().shape)).clamp(0, 1)
    values = [FastDerain().objective(rainy, rainy, torch.zeros_like(rainy))]
    for iterations in (1, 5, 10, 20, 50):
        method = FastDerain(iterations=iterations, tolerance=0)
        layers = method.decompose(rainy)
        values.append(method.objective(rainy, layers.background, layers.rain))
        assert layers.background.min() >= 0
        assert (layers.background <= rainy).all()
        assert layers.rain.min() >= 0
        assert layers.rain.max() <= 1
    assert all(b < a for a, b in pairwise(values))


def test_ends_when_nothing_moves_any_more():
    still = torch.full((3, 8, 8), 0.5)
    layers = FastDerain().decompose(still)
    assert layers.iterations < 50
    torch.testing.assert_close(layers.background, still, rtol=0, atol=1e-3)


def test_takes_rain_off_a_clip_with_a_moving_object():
    clean = scene()
    rainy = clean + streaks(*clean.shape)
    restored = FastDerain().rain_free(rainy)
    assert psnr(restored, clean) > psnr(rainy, clean) + 7


def test_color_keeps_its_chroma():
    clean = rgb(scene(5))
    rainy = clean + streaks(5, 47, 61)[None, :, None]
    restored = FastDerain().restore(rainy, None)
    change = restored - rainy
    torch.testing.assert_close(change, change[:, :, :1].expand_as(change), rtol=0, atol=1e-6)
    torch.testing.assert_close(luma(restored)[0], FastDerain().rain_free(luma(rainy)[0]), rtol=0, atol=1e-6)
    assert psnr(luma(restored), luma(clean)) > psnr(luma(rainy), luma(clean)) + 5


def test_a_black_clip_stays_black():
    assert FastDerain().restore(torch.zeros(1, 3, 1, 8, 8), None).abs().max() == 0
