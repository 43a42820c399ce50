"""The noise level from the frames alone: against closed form, another method, and noise that was added."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.data_samples import encode, film, footage, pictures

from ncfl.common.errors import InputError
from ncfl.restoring.noise import Estimate, estimate_frame, estimate_video


def noise(sigma: float, *size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, size).astype(np.float32)


@pytest.mark.parametrize("sigma", [1.0, 5.0, 20.0, 30.0])
def test_white_noise_on_gray_is_measured_to_a_percent(sigma: float):
    assert estimate_frame(128 + noise(sigma, 256, 256, 3)) == pytest.approx(sigma, rel=0.015)


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3)])
def test_no_noise_on_constant_planes_and_ramps(shape: tuple[int, ...]):
    """The mask is a second difference in both directions: what is linear in either does not answer."""
    y = np.arange(48.0)[:, None]
    x = np.arange(64.0)[None]
    for surface in (0 * x + 0 * y, 2 * x + 3 * y, y**2 / 10 + x, np.sin(x) * 50 + 100 + 0 * y):
        frame = np.broadcast_to(surface[..., None] if len(shape) == 3 else surface, shape)
        assert estimate_frame(frame) == pytest.approx(0, abs=1e-4)


def test_its_mask_is_the_published_one():
    """[1 -2 1; -2 4 -2; 1 -2 1] / 6 answers a checkerboard of +-d with (16 / 6) d at each place."""
    y, x = np.mgrid[:32, :32]
    board = 100 + 3.0 * (-1.0) ** (x + y)
    assert estimate_frame(board) == pytest.approx(16 / 6 * 3 / 0.6744897501960817, rel=1e-4)


def by_wavelets(channel: np.ndarray) -> float:
    """Donoho and Johnstone's own way: the finest diagonal coefficients of Daubechies' wavelet of four taps, float64."""
    r = np.sqrt(3)
    taps = np.array([1 - r, r - 3, 3 + r, -1 - r]) / (4 * np.sqrt(2))
    windows = np.lib.stride_tricks.sliding_window_view(channel.astype(np.float64), (4, 4))[::2, ::2]
    return float(np.median(np.abs(np.einsum("ijkl,k,l->ij", windows, taps, taps))) / 0.6744897501960817)


@pytest.mark.parametrize("sigma", [5.0, 15.0, 25.0])
def test_agrees_with_wavelets_on_a_smooth_scene(sigma: float):
    scene = film(1, 200, 240)[0].astype(np.float32) * 0.5 + 64
    noisy = scene + noise(sigma, *scene.shape)
    theirs = np.mean([by_wavelets(noisy[..., c]) for c in range(3)])
    assert estimate_frame(noisy) == pytest.approx(theirs, rel=0.04)
    assert estimate_frame(noisy) == pytest.approx(sigma, rel=0.04)


def test_types_have_one_scale():
    frame = np.clip(128 + noise(12, 96, 96, 3), 0, 255).round()
    eight = estimate_frame(frame.astype(np.uint8))
    assert eight == pytest.approx(estimate_frame(frame), rel=1e-6)
    assert estimate_frame((frame * 257).astype(np.uint16)) == pytest.approx(eight, rel=1e-5)


def test_clipped_noise_in_the_dark_does_not_hide_what_is_seen_elsewhere():
    """Three quarters of the frame are black, where half of the noise is cut off."""
    scene = np.zeros((128, 128, 3), np.float32)
    scene[:, 96:] = 128
    noisy = np.clip(scene + noise(25, *scene.shape), 0, 255)
    assert estimate_frame(noisy) == pytest.approx(25, rel=0.05)
    everywhere = np.abs(cv2.sepFilter2D(noisy, -1, np.float32([1, -2, 1]), np.float32([1, -2, 1]))) / 6
    assert np.median(everywhere) / 0.6745 < 19  # what it would be without leaving them out


def test_a_frame_that_is_black_all_over_still_has_an_estimate():
    assert estimate_frame(np.zeros((32, 32, 3), np.uint8)) == 0
    assert 0 < estimate_frame(np.clip(noise(10, 64, 64, 3), 0, 255)) < 10


def test_a_video_has_the_median_of_its_frames(tmp_path: Path):
    levels = (2, 30, 6, 6, 6)
    frames = [np.clip(128 + noise(level, 64, 64, 3, seed=t), 0, 255).astype(np.uint8) for t, level in enumerate(levels)]
    folder = pictures(tmp_path / "f", frames)
    found = estimate_video(folder)
    assert found == Estimate(float(np.median([estimate_frame(frame) for frame in frames])), 5)
    assert found.sigma == pytest.approx(6, rel=0.05)


def test_frames_are_spread_over_the_length(tmp_path: Path):
    """Quiet at first, noisy from the third frame on: the first frames alone would say quiet."""
    frames = [np.clip(128 + noise(2 if t < 3 else 20, 64, 64, 3, seed=t), 0, 255).astype(np.uint8) for t in range(9)]
    found = estimate_video(pictures(tmp_path / "f", frames), frames=3)
    assert found.frames == 3
    assert found.sigma == pytest.approx(20, rel=0.1)


def test_a_video_file(tmp_path: Path):
    frames = [
        np.clip(film(4)[t].astype(np.float32) * 0.4 + 80 + noise(15, 48, 64, 3, seed=t), 0, 255) for t in range(4)
    ]
    path = encode(tmp_path / "a.mkv", [frame.astype(np.uint8) for frame in frames], "ffv1", "bgr0")
    assert estimate_video(path).sigma == pytest.approx(15, rel=0.1)


def test_refuses_what_is_too_small_or_not_there(tmp_path: Path):
    with pytest.raises(InputError, match=r"f: expected at least 16 pixels in height and width, .*, got 12 x 64"):
        estimate_video(pictures(tmp_path / "f", film(2, 12, 64)))
    with pytest.raises(InputError, match=r"none\.mp4: no such file or folder"):
        estimate_video(tmp_path / "none.mp4")


@pytest.mark.parametrize("sigma", [0, 10, 25, 50])
def test_real_frames(sigma: float):
    """Clipped and rounded, as 8-bit files hold them; texture is taken for noise: clean ones come out at about 1, at
    most at 3 where fine leaves or gravel fill the frame."""
    errors = []
    for folder in sorted((footage() / "DAVIS/JPEGImages/480p").iterdir()):
        frame = cv2.imread(str(sorted(folder.glob("*.jpg"))[0]), cv2.IMREAD_COLOR_RGB)
        noisy = np.clip(np.rint(frame + noise(sigma, *frame.shape)), 0, 255).astype(np.uint8)
        errors.append(estimate_frame(noisy) - sigma)
    assert len(errors) >= 3
    assert np.median(np.abs(errors)) < 1.5
    assert np.abs(errors).max() < 3
