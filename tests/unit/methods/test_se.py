"""SE: labels against all labelings, the mixture's steps against dense ones, the gain on a made clip, odd input."""

import itertools
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.rain_samples import normal, psnr, scene, streaks
from scipy.stats import multivariate_normal
from torch import Tensor

from ncfl.methods.moving import Factors, MovingObjects, label, low_rank
from ncfl.methods.se.method import SE, Mixture, Rounds, conjugate_gradients


def energy(labels: np.ndarray, cost: np.ndarray, smoothness: float) -> float:
    return (cost * labels).sum() + smoothness * sum(np.abs(np.diff(labels, axis=axis)).sum() for axis in range(3))


@pytest.mark.parametrize("smoothness", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_labels_are_the_best_of_all(smoothness: float, seed: int):
    cost = normal(2, 2, 3, seed=seed)
    every = (np.array(bits).reshape(cost.shape) for bits in itertools.product((0, 1), repeat=cost.numel()))
    least = min(energy(labels, cost.numpy(), smoothness) for labels in every)
    found = label(cost, smoothness, iterations=500).moving.numpy().astype(float)
    assert energy(found, cost.numpy(), smoothness) == pytest.approx(least, abs=1e-9)


def test_labels_start_from_earlier_ones():
    cost = normal(3, 6, 7)
    once = label(cost, 0.5, iterations=400)
    again = label(cost, 0.5, once, iterations=1)
    assert torch.equal(again.moving, once.moving)


def test_moving_objects_are_found_in_one_piece():
    clip, background = scene(), scene(moving=False)
    true = (clip - background).abs() > 0.02
    finder = MovingObjects(clip, data=0.5, smoothness=1.0, spread=0.6)
    for _ in range(4):
        moving = finder.find(clip - background)
    assert (true & moving).sum() > 0.9 * (true | moving).sum()


def test_beta_comes_down_as_in_the_authors_code():
    clip = scene(4).double()
    residual = 0.1 * normal(*clip.shape)
    finder = MovingObjects(clip, data=0.7, smoothness=5.0, spread=0.9)
    deviation, values = clip[0].numpy().std(), np.sort(residual.numpy().flatten())
    ends = round(0.005 * len(values))
    least = max(0.5 * (3 * deviation / 20) ** 2, 3 * (0.9 * values[ends:-ends].std()) ** 2)
    beta = 0.5 * deviation**2
    for _ in range(3):
        few = finder.labels is None or finder.labels.moving.sum() < 47 * 61 / 1e4
        beta = beta / 2 if few else min(max(beta / 2, least), beta)
        finder.find(residual)
        assert finder.beta == pytest.approx(beta)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_low_rank_is_the_truncated_svd(rank: int):
    clip = normal(5, 6, 7)
    u, s, v = np.linalg.svd(clip.flatten(1).numpy(), full_matrices=False)
    expected = (u[:, :rank] * s[:rank]) @ v[:rank]
    np.testing.assert_allclose(low_rank(clip, rank).product().flatten(1), expected, atol=1e-10)


def mixture(size: int = 4) -> Mixture:
    half = normal(2, size, size, seed=5)
    return Mixture(torch.tensor([0.3, 0.7]).double(), half @ half.mT + 0.2 * torch.eye(size))


def test_densities_are_scipys():
    model, patches = mixture(), normal(4, 9)
    expected = [
        np.log(share) + multivariate_normal(np.zeros(4), covariance.numpy()).logpdf(patches.T.numpy())
        for share, covariance in zip(model.shares.tolist(), model.covariances, strict=True)
    ]
    np.testing.assert_allclose(model.log_densities(patches), expected, atol=1e-12)


def test_patches_and_their_transpose():
    rounds = Rounds(normal(1, 4, 5), 2)
    image, patches = normal(3, 4, 5), normal(3, 4, 12)
    found = rounds.patches(image)
    assert found.shape == (3, 4, 12)
    assert found[1, :, 6].tolist() == image[1, 1:3, 2:4].flatten().tolist()  # row 1, column 2
    torch.testing.assert_close((found * patches).sum(), (image * rounds.gather(patches)).sum())


class Problem:
    """A tiny clip, its factors and labels, and the patches' odds computed one by one."""

    def __init__(self, rank: int) -> None:
        self.clip = normal(3, 4, 4, seed=1)
        self.factors = Factors(normal(rank, 4, 4, seed=2), normal(rank, 3, seed=3))
        self.moving = torch.zeros(3, 4, 4, dtype=torch.bool)
        self.moving[1, 0, 0] = self.moving[2, 3, 1:3] = True
        self.rounds, self.model = Rounds(self.clip, 2), mixture()

    def patches(self):
        """Frame, pixels, residual [4] and odds [2] of each patch without a moving pixel."""
        background = self.factors.product()
        for t, i, j in itertools.product(range(3), range(3), range(3)):
            at = (t, slice(i, i + 2), slice(j, j + 2))
            if not self.moving[at].any():
                pixels = [4 * (i + a) + j + b for a in (0, 1) for b in (0, 1)]
                residual = (self.clip - background)[at].flatten()
                yield t, pixels, residual, self.model.log_densities(residual[:, None])[:, 0].softmax(0)

    def weighted(self, factors: Factors) -> Tensor:
        """What the steps for u and v bring down."""
        residual, total = (self.clip - factors.product()).flatten(1), torch.zeros(()).double()
        for t, pixels, _, odds in self.patches():
            e = residual[t, pixels]
            total = total + sum(odd * e @ p @ e for odd, p in zip(odds, self.model.precisions(), strict=True))
        return total


def test_the_mixture_is_the_weighted_covariance():
    problem = Problem(1)
    found, likelihood = problem.rounds.mixture(problem.model, problem.factors, problem.moving)
    rows = list(problem.patches())
    odds = np.array([row[3].numpy() for row in rows])
    residuals = np.array([row[2].numpy() for row in rows])
    for k in range(2):
        expected = (odds[:, k, None] * residuals).T @ residuals / odds[:, k].sum() + 1e-6 * np.eye(4)
        np.testing.assert_allclose(found.covariances[k], expected, atol=1e-12)
    np.testing.assert_allclose(found.shares, odds.mean(0), atol=1e-12)
    logs = problem.model.log_densities(torch.from_numpy(residuals.T))
    assert likelihood == pytest.approx(logs.logsumexp(0).mean().item())


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("step", ["u", "v"])
def test_the_factors_are_where_the_gradient_vanishes(rank: int, step: str):
    problem = Problem(rank)
    found = getattr(problem.rounds, step)(problem.model, problem.factors, problem.moving)
    free = getattr(found, step).clone().requires_grad_()
    value = problem.weighted(found._replace(**{step: free}))
    value.backward()
    assert value < problem.weighted(problem.factors)
    assert free.grad.abs().max() < (1e-9 if step == "v" else 0.05)
    if step == "u" and rank == 1:
        hessian = torch.autograd.functional.hessian(
            lambda u: problem.weighted(Factors(u.view(1, 4, 4), problem.factors.v)), found.u.flatten()
        )
        gradient = free.grad.flatten()
        assert (torch.linalg.pinv(hessian, hermitian=True) @ gradient).abs().max() < 1e-3


def test_conjugate_gradients_solve_and_leave_what_is_free():
    half = normal(6, 6)
    matrix = half @ half.T + torch.eye(6)
    matrix[5] = matrix[:, 5] = 0
    right, start = matrix @ normal(6, seed=1), normal(6, seed=2)
    x = conjugate_gradients(lambda x: matrix @ x, right, start, matrix.diagonal())
    torch.testing.assert_close(x[:5], torch.linalg.solve(matrix[:5, :5], right[:5]), rtol=0, atol=1e-3)
    assert x[5] == start[5]


def test_likelihood_rises_from_round_to_round():
    clip = scene()
    fit = SE(objects=False, tolerance=0, iterations=12).decompose((clip + streaks(*clip.shape)).double())
    assert len(fit.likelihoods) == 12
    assert not fit.moving.any()
    assert all(b > a - 1e-6 for a, b in pairwise(fit.likelihoods))


@pytest.mark.parametrize(("moving", "gain"), [(False, 30), (True, 6)])
def test_takes_rain_off_before_a_fixed_camera(moving: bool, gain: float):
    clean = scene(moving=moving)
    rainy = clean + streaks(*clean.shape)
    restored = SE(objects=moving).rain_free(rainy)
    assert psnr(restored, clean) > psnr(rainy, clean) + gain


def test_what_moves_stays_as_it_is():
    clean = scene()
    rainy = clean + streaks(*clean.shape)
    method = SE()
    fit = method.decompose(rainy)
    assert 0.05 < fit.moving.double().mean() < 0.5
    torch.testing.assert_close(method.rain_free(rainy)[fit.moving], rainy[fit.moving], rtol=0, atol=0)


def test_a_clip_in_which_all_moves_stays_as_it_is():
    frames = normal(1, 4, 1, 9, 9).float()
    assert SE().decompose(frames[0, :, 0]).moving.all()
    torch.testing.assert_close(SE().restore(frames, None), frames, rtol=0, atol=0)
