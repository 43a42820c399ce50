"""Errors that move with the scene are told from those that are new in every frame."""

import numpy as np
import pytest

from ncfl.evaluate.steadiness import Steadiness


def errors(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((60, 80, 3)).astype(np.float32)


def still() -> np.ndarray:
    return np.zeros((60, 80, 2), np.float32)


def of(*frames: tuple[np.ndarray, np.ndarray | None]) -> float | None:
    found = Steadiness()
    for error, motion in frames:
        found.add(error, motion)
    return found.correlation()


def test_equal_errors_have_1_new_ones_0_and_contrary_ones_minus_1():
    assert of((errors(), None), (errors(), still())) == pytest.approx(1)
    assert of((errors(), None), (errors(1), still())) == pytest.approx(0, abs=0.03)
    assert of((errors(), None), (-errors(), still())) == pytest.approx(-1)


def test_half_of_the_variance_shared_is_a_correlation_of_one_half():
    shared = errors(0)
    first, second = (shared + errors(seed) for seed in (1, 2))
    assert of((first, None), (second, still())) == pytest.approx(0.5, abs=0.03)


def test_errors_are_followed_along_the_motion_and_what_came_into_the_picture_is_left_out():
    whole = np.random.default_rng(0).standard_normal((60, 90, 3)).astype(np.float32)
    motion = still()
    motion[..., 0] = 3  # what is here at x was at x + 3
    assert of((whole[:, :80], None), (whole[:, 3:83], motion)) == pytest.approx(1)
    assert of((whole[:, :80], None), (whole[:, 3:83], still())) == pytest.approx(0, abs=0.03)
    outside = still()
    outside[..., 1] = 60
    assert of((errors(), None), (errors(), outside)) is None


def test_frames_without_motion_and_without_errors_are_not_compared():
    assert of((errors(), None), (errors(), None)) is None
    assert of((np.zeros_like(errors()), None), (errors(), still())) is None
    assert of((errors(), None), (errors(), still()), (errors(1), still())) == pytest.approx(0.5, abs=0.03)
