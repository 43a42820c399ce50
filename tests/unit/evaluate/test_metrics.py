"""PSNR and SSIM against closed forms, scikit-image and pytorch-msssim."""

import json
import math

import numpy as np
import pytest
import torch
from pytorch_msssim import ssim as torch_ssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ncfl.common.errors import InputError
from ncfl.evaluate.metrics import PSNR_CEILING, Reference, psnr, ssim


def scene(height: int = 61, width: int = 83) -> np.ndarray:
    """Smooth and flat parts, edges, texture; bright and dark."""
    y, x = np.mgrid[:height, :width] / 40.0
    planes = [np.sin(3 * x + y) * 0.4 + 0.5, (x > 1) * 0.9, np.sin(30 * x * y) * 0.1 + 0.88]
    return np.stack(planes, axis=-1).clip(0, 1).astype(np.float32)


def noisy(frame: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, sigma / 255, frame.shape)
    return (frame + noise).clip(0, 1).astype(np.float32)


def by_scikit_image(reference: np.ndarray, image: np.ndarray) -> float:
    return structural_similarity(
        reference.astype(np.float64),
        image.astype(np.float64),
        win_size=11,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=-1,
    )


@pytest.mark.parametrize("sigma", [0.1, 1, 10, 25, 50, 150])
@pytest.mark.parametrize("size", [(61, 83), (11, 11), (12, 40)])
def test_ssim_in_float32_equals_scikit_image_in_float64(size: tuple[int, int], sigma: float):
    frame = scene(*size)
    image = noisy(frame, sigma)
    assert ssim(frame, image) == pytest.approx(by_scikit_image(frame, image), abs=2e-6)


@pytest.mark.parametrize("sigma", [10, 50])
def test_ssim_equals_pytorch_msssim(sigma: float):
    frame = scene()
    image = noisy(frame, sigma)
    tensors = (torch.from_numpy(a.transpose(2, 0, 1)[None].astype(np.float64)) for a in (frame, image))
    assert ssim(frame, image) == pytest.approx(torch_ssim(*tensors, data_range=1).item(), abs=1e-4)


@pytest.mark.parametrize("level", [0.02, 0.5, 0.98])
def test_ssim_of_flat_images_in_closed_form(level: float):
    # No variance: only the luminance term (2ab + C1) / (a^2 + b^2 + C1) is left.
    a, b = np.float32(level), np.float32(level + 0.01)
    expected = (2 * float(a) * float(b) + 1e-4) / (float(a) ** 2 + float(b) ** 2 + 1e-4)
    flat = np.full((20, 20, 3), a), np.full((20, 20, 3), b)
    assert ssim(*flat) == pytest.approx(expected, abs=1e-6)


def test_ssim_of_an_inverted_texture_is_negative():
    # Zero-mean texture t against -t around the same mean: covariance = -variance.
    texture = np.random.default_rng(0).choice([-0.2, 0.2], (40, 40, 3)).astype(np.float32)
    assert ssim(0.5 + texture, 0.5 - texture) < -0.8


def test_ssim_is_symmetric():
    frame, image = scene(), noisy(scene(), 30)
    assert ssim(frame, image) == pytest.approx(ssim(image, frame), abs=1e-6)


@pytest.mark.parametrize("error", [0.001, 0.01, 0.1, 0.5])
def test_psnr_in_closed_form(error: float):
    frame = np.zeros((16, 16, 3), np.float32)
    assert psnr(frame, frame + np.float32(error)) == pytest.approx(-20 * math.log10(error), abs=1e-5)


@pytest.mark.parametrize("sigma", [1, 10, 50])
def test_psnr_equals_scikit_image(sigma: float):
    frame, image = scene(), noisy(scene(), sigma)
    expected = peak_signal_noise_ratio(frame.astype(np.float64), image.astype(np.float64), data_range=1)
    assert psnr(frame, image) == pytest.approx(expected, abs=1e-6)


def test_psnr_does_not_round_to_eight_bits():
    frame = np.zeros((16, 16, 3), np.float32)
    assert psnr(frame, frame + np.float32(0.4 / 255)) == pytest.approx(20 * math.log10(255 / 0.4), abs=1e-4)


def test_one_wrong_pixel_counts_in_every_channel_and_at_the_border():
    frame = np.zeros((20, 30, 3), np.float32)
    image = frame.copy()
    image[0, 0, 2] = 1
    assert psnr(frame, image) == pytest.approx(10 * math.log10(20 * 30 * 3), abs=1e-6)
    assert ssim(frame, image) < 1


def test_equal_images_have_finite_figures():
    quality = Reference(scene()).compare(scene())
    assert quality == (PSNR_CEILING, 1.0)
    json.dumps(quality, allow_nan=False)
    assert psnr(scene(), scene() + np.float32(1e-6)) == PSNR_CEILING


def test_what_is_not_a_number_is_not_perfect():
    image = scene()
    image[3, 4, 1] = np.nan
    assert math.isnan(psnr(scene(), image))
    assert math.isnan(ssim(scene(), image))


def test_a_shared_reference_gives_the_same_figures():
    reference = Reference(scene())
    for sigma in (10, 50):
        image = noisy(scene(), sigma)
        assert reference.compare(image) == (psnr(scene(), image), ssim(scene(), image))


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channel_counts(channels: int):
    frame = np.random.default_rng(5).random((24, 24, channels), np.float32)
    image = noisy(frame, 20)
    assert ssim(frame, image) == pytest.approx(by_scikit_image(frame, image), abs=2e-6)


@pytest.mark.parametrize("view", ["reversed", "transposed"])
def test_memory_order_does_not_matter(view: str):
    frame, image = scene(), noisy(scene(), 20)
    seen = (frame[:, ::-1], image[:, ::-1]) if view == "reversed" else (frame.swapaxes(0, 1), image.swapaxes(0, 1))
    assert Reference(seen[0]).compare(seen[1]) == pytest.approx(Reference(frame).compare(image), abs=1e-5)


@pytest.mark.parametrize("size", [(10, 40), (40, 10)])
def test_refuses_images_smaller_than_the_window(size: tuple[int, int]):
    small = np.zeros((*size, 3), np.float32)
    with pytest.raises(
        InputError, match=f"frame: expected at least 11 pixels in height and width, for SSIM, got {size[0]} x {size[1]}"
    ):
        ssim(small, small)


def test_refuses_other_types_and_shapes():
    with pytest.raises(ValueError, match=r"frame: expected float32 \[H,W,C\], got uint8"):
        Reference(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"frame: expected float32 .*, got float32"):
        Reference(np.zeros((16, 16), np.float32))
    with pytest.raises(ValueError, match=r"image: expected float32 \[16, 16, 3\], as .*, got float32 \[16, 17, 3\]"):
        psnr(np.zeros((16, 16, 3), np.float32), np.zeros((16, 17, 3), np.float32))
