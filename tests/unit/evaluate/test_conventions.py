"""Comparison images, from independent sources: scikit-image's color conversion and metrics, and hand-worked numbers."""

import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ncfl.common.errors import InputError
from ncfl.evaluate import conventions
from ncfl.evaluate.metrics import Reference


def frames(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A clean frame of 8-bit values, and one that leaves [0,1] on both sides."""
    rng = np.random.default_rng(3)
    clean = (rng.integers(0, 256, (24, 32, channels)) / 255).astype(np.float32)
    return clean, clean + rng.normal(0, 0.1, clean.shape).astype(np.float32)


def to_bytes(frame: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(frame.astype(np.float64), 0, 1) * 255).astype(np.uint8)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    return structural_similarity(a.astype(np.float64), b.astype(np.float64), channel_axis=-1, **settings)


def developed(packed: np.ndarray) -> np.ndarray:
    """An ISP for tests: each plane's pixel twice as large, without green's second plane."""
    return packed[..., :3].repeat(2, axis=0).repeat(2, axis=1)


NAMED = {name: conventions.named(name, levels=255, isp=developed) for name in conventions.STATEMENTS}


def test_the_first_space_is_the_one_that_tables_print():
    spaces = {name: list(convention.spaces) for name, convention in NAMED.items()}
    assert spaces == {"rgb": ["rgb"], "rgb8": ["rgb"], "y": ["y", "rgb"], "raw": ["raw", "srgb"]}
    assert {name: convention.name for name, convention in NAMED.items()} == {name: name for name in NAMED}
    assert {name: list(statement) for name, statement in conventions.STATEMENTS.items()} == spaces


@pytest.mark.parametrize("name", list(NAMED))
def test_every_space_gives_float32_in_0_to_1_and_leaves_the_frame_alone(name: str):
    convention = NAMED[name]
    _, frame = frames(convention.channels)
    before = frame.copy()
    for space, image in convention.spaces.items():
        found = image(frame)
        assert found.dtype == np.float32, space
        assert 0 <= found.min() <= found.max() <= 1, space
        np.testing.assert_array_equal(frame, before)


def test_rgb_is_clamped_and_not_rounded():
    row = np.float32([[[-0.5, 0.1234567, 1.5]]])
    np.testing.assert_array_equal(conventions.rgb().spaces["rgb"](row), np.float32([[[0, 0.1234567, 1]]]))


def test_rgb8_is_rounded_to_the_nearest_of_256():
    row = np.float32([[[-0.5, 100.4 / 255, 100.6 / 255]]])
    np.testing.assert_array_equal(conventions.rgb8().spaces["rgb"](row) * 255, np.float32([[[0, 100, 101]]]))
    _, frame = frames()
    np.testing.assert_array_equal(np.rint(conventions.rgb8().spaces["rgb"](frame) * 255), to_bytes(frame))


def test_eight_bit_frames_come_through_unchanged():
    every = np.arange(256, dtype=np.float32).reshape(8, 32, 1).repeat(3, axis=2) / np.float32(255)
    np.testing.assert_array_equal(conventions.rgb8().spaces["rgb"](every), every)


def test_luma_worked_by_hand():
    # MATLAB's rgb2ycbcr of doubles: black 16/255, white 235/255, pure red (65.481 + 16) / 255.
    colors = np.float32([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    expected = np.array([16, 235, 81.481, 144.553, 40.966]) / 255
    np.testing.assert_allclose(conventions.luma(colors)[0, :, 0], expected, rtol=1e-6)


def test_y_is_that_of_scikit_image_on_the_eight_bit_frame():
    clean, frame = frames()
    y = conventions.y().spaces["y"]
    assert y(frame).shape == (24, 32, 1)
    for image in (clean, frame):
        np.testing.assert_allclose(y(image)[..., 0] * 255, rgb2ycbcr(to_bytes(image))[..., 0], atol=1e-4)


def test_quality_on_y_from_scikit_image():
    clean, frame = frames()
    y = conventions.y().spaces["y"]
    quality = Reference(y(clean)).compare(y(frame))
    a, b = (rgb2ycbcr(to_bytes(image))[..., :1] for image in (clean, frame))
    assert quality.psnr == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-4)
    assert quality.ssim == pytest.approx(ssim(a / 255, b / 255), abs=1e-5)


def test_y_is_about_a_decibel_above_rgb_of_equal_gray_errors():
    # The same error in R, G and B is (65.481 + 128.553 + 24.966) / 255 = 0.8588 of it in Y: 1.32 dB.
    clean = np.full((16, 16, 3), 100 / 255, np.float32)
    spaces = conventions.y().spaces
    quality = {
        name: Reference(image(clean)).psnr(image(clean + np.float32(10 / 255))) for name, image in spaces.items()
    }
    assert quality["y"] - quality["rgb"] == pytest.approx(-20 * math.log10(219 / 255), abs=1e-3)


def test_raw_is_rounded_to_the_sensors_steps():
    levels = 4095 - 240
    values = np.float32([-0.01, 0, 1000.4 / levels, 1000.6 / levels, 1.2]).reshape(1, 5, 1).repeat(4, axis=2)
    found = conventions.raw(levels, developed).spaces["raw"](values)
    np.testing.assert_allclose(found[0, :, 0] * levels, [0, 0, 1000, 1001, levels], atol=1e-3)


def test_every_sensor_value_comes_through_raw_unchanged():
    stored = np.arange(240, 4096, dtype=np.uint16)
    unit = (stored.astype(np.float32) - 240) / np.float32(3855)
    found = conventions.raw(3855, developed).spaces["raw"](unit.reshape(241, 4, 4))
    np.testing.assert_array_equal(np.rint(found * 3855) + 240, stored.reshape(241, 4, 4))


def test_quality_on_raw_is_psnr_over_all_planes_and_the_mean_ssim_of_the_planes():
    clean, frame = frames(channels=4)
    raw = conventions.raw(3855, developed).spaces["raw"]
    a, b = (np.rint(np.clip(image, 0, 1) * 3855) / 3855 for image in (clean, frame))
    quality = Reference(raw(clean)).compare(raw(frame))
    assert quality.psnr == pytest.approx(-10 * math.log10(np.mean((a.astype(np.float64) - b) ** 2)), abs=1e-4)
    of_planes = [ssim(a[..., i : i + 1], b[..., i : i + 1]) for i in range(4)]
    assert quality.ssim == pytest.approx(np.mean(of_planes), abs=1e-5)


def test_srgb_is_developed_from_clamped_raw_at_twice_the_size():
    _, frame = frames(channels=4)
    convention = conventions.raw(3855, developed)
    expected = np.clip(frame, 0, 1)[..., :3].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(convention.spaces["srgb"](frame), expected)
    np.testing.assert_array_equal(convention.picture(frame), expected)


@pytest.mark.parametrize("name", ["RGB", "", "ycbcr", None])
def test_an_unknown_convention_is_named(name: object):
    with pytest.raises(InputError, match=f"convention: expected rgb, rgb8, y, raw, got {name!r}"):
        conventions.named(name, levels=255)


def test_raw_needs_an_isp():
    with pytest.raises(ValueError, match="isp: expected one for the raw convention, got none"):
        conventions.named("raw", levels=3855)
