"""MS-CSC: each of its turns against a dense or a general solver, the gain on a made clip, odd input."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.rain_samples import normal, psnr, scene, streaks
from scipy import ndimage, optimize
from torch import Tensor

from ncfl.methods.moving import low_rank
from ncfl.methods.ms_csc.method import (
    MSCSC,
    first_filters,
    normal_equations,
    smooth,
    solve_maps,
    sparse_code,
    spectra,
    support,
    update_filters,
    weighted_low_rank,
)

SIZES = (5, 3)


def filters(seed: int = 7) -> Tensor:
    """Two, of 5 and 3 pixels, not negative and of length 1."""
    raw = normal(2, 5, 5, seed=seed).abs() * support(SIZES, normal(1))
    return raw / raw.square().sum((-1, -2), keepdim=True).sqrt()


def convolve(maps: Tensor, d: Tensor) -> np.ndarray:
    """Sum of the maps [K,H,W] convolved with the filters [K,S,S], around the edges."""
    pairs = zip(maps.numpy(), d.numpy(), strict=True)
    return sum(ndimage.convolve(m, f, mode="wrap") for m, f in pairs)


def dense(size: tuple[int, int], d: Tensor) -> np.ndarray:
    """The same as a matrix [H*W, K*H*W]."""
    basis = np.eye(size[0] * size[1]).reshape(-1, *size)
    return np.concatenate([[ndimage.convolve(b, f, mode="wrap").ravel() for b in basis] for f in d.numpy()]).T


@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
def test_spectra_convolve(size: tuple[int, int]):
    maps, d = normal(2, *size), filters()
    found = torch.fft.irfft2((spectra(d, *size) * torch.fft.rfft2(maps)).sum(0), s=size)
    np.testing.assert_allclose(found, convolve(maps, d), atol=1e-12)


def test_the_map_solve_equals_a_dense_one():
    size, penalty, d = (5, 6), 0.7, filters()
    a, x, y = dense(size, d), normal(*size), normal(2, *size, seed=1)
    expected = np.linalg.solve(
        a.T @ a + penalty * np.eye(a.shape[1]), a.T @ x.numpy().ravel() + penalty * y.numpy().ravel()
    )
    s = spectra(d, *size)
    right = s.conj() * torch.fft.rfft2(x) + penalty * torch.fft.rfft2(y)
    found = torch.fft.irfft2(solve_maps(s, right, penalty), s=size)
    np.testing.assert_allclose(found.numpy().ravel(), expected, atol=1e-11)


def test_sparse_maps_reach_the_minimum_that_a_general_solver_finds():
    size, d, b = (6, 7), filters(), torch.tensor([0.2, 0.1]).double()
    x = torch.from_numpy(convolve((normal(2, *size, seed=2) - 1).clamp(min=0), d))[None]
    a, flat, weights = dense(size, d), x.numpy().ravel(), np.repeat(b.numpy(), 42)

    def objective(m: np.ndarray) -> tuple[float, np.ndarray]:
        gap = a @ m - flat
        return gap @ gap / 2 + weights @ m, a.T @ gap + weights

    best = optimize.minimize(objective, np.zeros(84), jac=True, method="L-BFGS-B", bounds=[(0, None)] * 84, tol=1e-14)
    maps, rain = sparse_code(x, d, b, iterations=600, growth=1.0)
    assert maps.min() >= 0
    assert objective(maps.numpy().ravel())[0] == pytest.approx(best.fun, rel=1e-5)
    np.testing.assert_allclose(rain[0], convolve(maps[0], d), atol=1e-12)
    hurried = objective(sparse_code(x, d, b)[0].numpy().ravel())[0]
    assert hurried < best.fun + 0.05 * (objective(np.zeros(84))[0] - best.fun)


def test_normal_equations_are_those_of_the_filters():
    maps, x = normal(2, 2, 6, 7), normal(2, 6, 7, seed=1)
    basis = torch.eye(50).double().view(-1, 2, 5, 5)
    a = np.array([np.concatenate([convolve(m, f).ravel() for m in maps]) for f in basis]).T
    matrix, right = normal_equations(x, maps, 5)
    np.testing.assert_allclose(matrix, a.T @ a, atol=1e-10)
    np.testing.assert_allclose(right, a.T @ x.numpy().ravel(), atol=1e-10)


def test_filters_fit_better_with_each_step_and_keep_their_bounds():
    maps, true = normal(3, 2, 12, 13).clamp(min=0), filters()
    x = torch.from_numpy(np.stack([convolve(m, true) for m in maps]))
    d, gaps = filters(seed=8), []
    for iterations in (0, 1, 5, 30, 2000):
        found = update_filters(x, maps, d, SIZES, iterations)
        gaps.append(np.square(np.stack([convolve(m, found) for m in maps]) - x.numpy()).sum())
        assert found.min() >= 0
        assert (found * (1 - support(SIZES, x))).abs().max() == 0
        assert found.square().sum((-1, -2)).max() <= 1 + 1e-12
    assert all(b < a for a, b in pairwise(gaps))
    torch.testing.assert_close(found, true, rtol=0, atol=1e-3)


def test_the_first_filters_see_the_rain():
    found = first_filters(streaks(6, 40, 50), (13, 9, 5))
    assert found.shape == (3, 13, 13)
    assert found.min() >= 0
    torch.testing.assert_close(found.square().sum((-1, -2)), torch.ones(3))
    columns = found.square().sum(1)  # vertical lines: most of a filter lies in few columns
    assert (columns.topk(4).values.sum(1) > 0.6).all()
    assert found[2, :4].abs().max() == found[2, 9:].abs().max() == 0


def test_the_background_does_not_see_what_moves():
    x, moving = normal(5, 6, 7), normal(5, 6, 7, seed=1) > 1
    found = weighted_low_rank(x, moving, x.mean(0).expand_as(x), 1)
    hidden = torch.where(moving, 100.0, x)
    torch.testing.assert_close(weighted_low_rank(hidden, moving, x.mean(0).expand_as(x), 1), found, rtol=0, atol=0)
    still = torch.zeros_like(moving)
    torch.testing.assert_close(weighted_low_rank(x, still, x, 2), low_rank(x, 2).product())
    gaps = [
        ((x - weighted_low_rank(x, moving, x.mean(0).expand_as(x), 1, n)) * ~moving).square().sum().item()
        for n in (1, 2, 5, 20)
    ]
    assert all(b <= a for a, b in pairwise(gaps))


def test_smoothing_takes_lines_off_and_leaves_blocks():
    image = torch.zeros(20, 20, dtype=torch.float64)
    image[4:16, 4:12] = 0.5
    block = image.clone()
    image[:, 16] = 0.3
    found = smooth(image, 1.0, 400)
    assert found[5:15, 16].max() < 0.05  # a line one pixel wide has a perimeter of two per pixel
    assert (found - block)[6:14, 5:11].abs().max() < 0.02

    def energy(x: Tensor) -> float:
        dy, dx = torch.zeros_like(x), torch.zeros_like(x)
        dy[:-1], dx[:, :-1] = x.diff(dim=0), x.diff(dim=1)
        return ((dy.square() + dx.square()).sqrt().sum() + (x - image).abs().sum()).item()

    assert energy(found) < min(energy(image), energy(torch.zeros_like(image)))


def test_from_a_weight_of_four_on_nothing_is_smoothed():
    image = normal(9, 8)
    assert smooth(image, 10.0) is image
    torch.testing.assert_close(smooth(image, 3.999, 4000), image, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("moving", "gain"), [(False, 20), (True, 9)])
def test_takes_rain_off_before_a_fixed_camera(moving: bool, gain: float):
    clean = scene(moving=moving)
    rainy = clean + streaks(*clean.shape)
    restored = MSCSC(objects=moving).rain_free(rainy)
    assert psnr(restored, clean) > psnr(rainy, clean) + gain


def test_the_rain_layer_is_the_rain():
    clean, rain = scene(moving=False), streaks(*scene().shape)
    fit = MSCSC(objects=False).decompose(clean + rain)
    assert fit.rain.shape == fit.background.shape == clean.shape
    assert torch.corrcoef(torch.stack((fit.rain.flatten(), rain.flatten())))[0, 1] > 0.9
