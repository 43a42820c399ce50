"""Gray frames come to a network for color with noise that it knows, and come back gray."""

import math

import numpy as np
import pytest
import torch
from helpers.cells import cell
from helpers.data_samples import film, psnr
from torch import Tensor

from ncfl.media.notes import note
from ncfl.methods.noisy import Noisy
from ncfl.restoring.gray import GrayFrames
from ncfl.restoring.shots import Shots


def gray_clip(count: int = 3, sigma: float = 30, size: int = 128) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Clean and noisy gray frames with equal channels, uint8."""
    chance = np.random.default_rng(0)
    clean = [frame.mean(axis=2) for frame in film(count, size, size)]
    noisy = [np.clip(frame + chance.normal(0, sigma, frame.shape), 0, 255) for frame in clean]
    return tuple([np.rint(np.dstack([f] * 3)).astype(np.uint8) for f in frames] for frames in (clean, noisy))


def tensor(frame: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))[None].float() / 255


def test_the_noise_of_the_channels_looks_independent_and_their_mean_stays():
    sigma = 20
    frame = 0.5 + torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(99)) * sigma / 255
    frame = frame.expand(1, 3, 256, 256).contiguous()
    prepared = GrayFrames(sigma).prepare(frame)
    assert torch.allclose(prepared.mean(1), frame[:, 0], atol=1e-6)
    covariance = np.cov(((prepared - 0.5) * 255)[0].flatten(1).numpy())
    assert np.diag(covariance) == pytest.approx(3 * sigma**2, rel=0.02)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02 * 3 * sigma**2


def test_the_same_frames_get_the_same_noise_and_others_another():
    _, (first, second, _) = gray_clip()
    a, b = GrayFrames(), GrayFrames()
    assert torch.equal(a.prepare(tensor(first)), b.prepare(tensor(first)))
    noise = [frames.prepare(tensor(second)) - tensor(second) for frames in (a, GrayFrames())]
    assert not torch.allclose(noise[0], noise[1])


@pytest.mark.parametrize("kind", ["color", "clean", "black"])
def test_other_frames_pass_as_they_are(kind):
    clean, noisy = gray_clip()
    frame = {"color": film(1)[0], "clean": clean[0], "black": np.zeros_like(noisy[0])}[kind]
    frames = GrayFrames()
    assert torch.equal(frames.prepare(tensor(frame)), tensor(frame))
    assert torch.equal(frames.finish(tensor(frame)), tensor(frame))
    assert frames.count == 0


@pytest.mark.parametrize(("threshold", "colored"), [(None, True), (40, True), (20, False)])
def test_much_noise_is_left_as_it_is_for_methods_that_know_it_in_gray(threshold, colored):
    """The frames' own noise has sigma 30, which is estimated to a few."""
    _, noisy = gray_clip(1)
    frames = GrayFrames(gray_from=threshold)
    assert torch.equal(frames.prepare(tensor(noisy[0])), tensor(noisy[0])) is not colored


class Channels:
    """A denoiser as networks for color are: what three channels have in common is the picture to it, for the noise that
    it was taught differs from channel to channel. It shrinks differences of neighbors that the channels don't share.
    """

    name, channels = "channels", 3

    def __init__(self, blind: bool = True) -> None:
        self.blind, self.told = blind, []

    def step(self, frame: Tensor, state: None, sigma: Tensor | None) -> tuple[Tensor, None]:
        self.told += [] if sigma is None else sigma.tolist()
        smooth = torch.nn.functional.avg_pool2d(frame, 9, 1, 4, count_include_pad=False)
        rest = frame - smooth
        # The Wiener gain: the covariance between channels is the picture's, and the rest of the variance noise.
        shared = (rest[:, [0, 1, 2]] * rest[:, [1, 2, 0]]).mean()
        return smooth + rest * (shared / rest.square().mean()).clamp(0, 1), None


def restored(method: object, frames: list[np.ndarray], sigma: float | None = None) -> tuple[list[np.ndarray], Shots]:
    shots = Shots(method, sigma, device="cpu")
    given = [frame[0].permute(1, 2, 0).clamp(0, 1).mul(255).numpy() for frame in shots.restore(frames)]
    return given, shots


@cell("noise in gray frames", "noted")
def test_a_gray_clip_is_restored_as_its_twin_in_color_is():
    clean, noisy = gray_clip()
    given, shots = restored(Channels(), noisy)
    plain = [Channels().step(tensor(frame), None, None)[0][0].permute(1, 2, 0).numpy() * 255 for frame in noisy]
    better = [psnr(a, c) - psnr(b, c) for a, b, c in zip(given, plain, clean, strict=True)]
    assert min(better) > 8
    assert all(np.array_equal(frame[..., 0], frame[..., 2]) for frame in given)
    assert shots.notes() == [note("gray")]


def test_a_method_that_is_told_sigma_is_told_what_it_gets():
    _, noisy = gray_clip()
    method = Channels(blind=False)
    restored(method, noisy, sigma=30)
    assert method.told == pytest.approx([30 * math.sqrt(3)] * 3)
    method = Channels(blind=False)
    assert restored(method, film(3), sigma=30)[1].notes() == []
    assert method.told == [30, 30, 30]
    method = Channels(blind=False)
    restored(method, noisy, sigma=200)
    assert max(method.told) == 255


def test_a_method_for_any_number_of_channels_gets_gray_frames_as_they_are():
    _, noisy = gray_clip()
    given, shots = restored(Noisy(), noisy)
    assert np.array_equal(np.rint(given), noisy)
    assert shots.notes() == []
