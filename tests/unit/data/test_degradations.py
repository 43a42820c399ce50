"""Noise: its size, its independence, and that it can be had again."""

import os
import subprocess
import sys

import numpy as np
import pytest

from ncfl.data.degradations import awgn, noise_rng


@pytest.mark.parametrize("sigma", [0.0, 10.0, 50.0])
def test_noise_has_the_stated_deviation_and_is_not_clipped(sigma):
    clean = np.full((200, 200, 3), 0.5, np.float32)
    noisy = awgn(clean, sigma, np.random.default_rng(0))
    assert noisy.dtype == np.float32
    noise = (noisy - clean).astype(np.float64)
    # 120,000 samples: the standard error of the deviation is sigma / sqrt(2 n) = 0.2 %.
    assert noise.std() == pytest.approx(sigma / 255, rel=0.01, abs=1e-9)
    assert abs(noise.mean()) <= 4 * sigma / 255 / np.sqrt(noise.size)
    if sigma == 50:
        assert noisy.min() < 0
        assert noisy.max() > 1


def test_noise_is_white():
    noise = awgn(np.zeros((256, 256, 3), np.float32), 255, np.random.default_rng(1))
    for axis in range(3):
        a, b = np.split(np.moveaxis(noise, axis, 0), [-1])[0], np.moveaxis(noise, axis, 0)[1:]
        assert abs(np.mean(a * b)) < 0.02


def test_one_sigma_per_clip():
    noisy = awgn(np.zeros((2, 100_000), np.float32), np.array([[10.0], [40.0]]), np.random.default_rng(2))
    assert noisy.std(axis=1) == pytest.approx([10 / 255, 40 / 255], rel=0.02)


def test_input_is_left_as_it_was():
    clean = np.full((4, 4), 0.25, np.float32)
    awgn(clean, 50, np.random.default_rng(0))
    assert (clean == 0.25).all()


def test_frame_by_frame_is_all_at_once():
    clean = np.random.default_rng(0).random((5, 3, 7, 9), dtype=np.float32)
    rng = noise_rng(1, "set8", "tractor", 30)
    one_by_one = np.stack([awgn(frame, 30, rng) for frame in clean])
    assert np.array_equal(one_by_one, awgn(clean, 30, noise_rng(1, "set8", "tractor", 30)))


def test_every_argument_counts():
    base = (1, "set8", "tractor", 30.0)
    others = [(2, *base[1:]), (1, "davis", *base[2:]), (1, "set8", "sunflower", 30.0), (*base[:3], 31.0)]
    first = {noise_rng(*arguments).random() for arguments in [base, *others]}
    assert len(first) == 5
    assert noise_rng(1, "set8", "tractor", 30).random() == noise_rng(*base).random()


def test_the_same_in_another_process():
    """Python's own ``hash`` would differ there."""
    code = "from ncfl.data.degradations import noise_rng; print(noise_rng(1, 'set8', 'tractor', 30).random())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {repr(noise_rng(1, "set8", "tractor", 30).random())}
