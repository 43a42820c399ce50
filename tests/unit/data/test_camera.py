"""A camera's noise: as strong as asked for, of the light, shared by neighbors, kept as files keep it."""

import numpy as np
import pytest
from helpers.clip_samples import pan
from skimage.color import rgb2ycbcr

from ncfl.data import camera
from ncfl.data.camera import CODECS, STRONGEST, Camera, drawn
from ncfl.data.isp import linear, srgb


def flat(value: float, size: int = 256, frames: int = 2) -> np.ndarray:
    return np.full((frames, 3, size, size), value, np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_curve_and_its_inverse_undo_each_other():
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    np.testing.assert_allclose(srgb(linear(values)), values, atol=2e-6)
    # IEC 61966-2-1: 0.5 is 0.21404114 of the light, and the straight part has the slope 12.92.
    np.testing.assert_allclose(linear(np.float32([0.5, 0.02])), [0.21404114, 0.02 / 12.92], rtol=1e-5)


@pytest.mark.parametrize("sigma", [3.0, 10.0, 25.0])
def test_sigma_is_that_of_green_in_the_middle_of_the_range(sigma):
    shot, read = Camera(sigma).variances()
    light = 0.21404114
    slope = 1.055 / 2.4 * light ** (1 / 2.4 - 1)  # of the sRGB curve
    assert 255 * slope * np.sqrt(shot * light + read) == pytest.approx(sigma, rel=2e-3)
    assert np.log(read) == pytest.approx(2.18 * np.log(shot) + 1.20, rel=1e-6)  # Brooks et al. 2019, section 3.1


def test_strengths_are_looked_up_in_one_table_that_is_made_once(monkeypatch):
    first = Camera(12.0, scatter=0.3).variances()
    monkeypatch.setattr(camera, "_sigma_of", None)  # whoever made the table anew would fail
    assert Camera(12.0, scatter=0.3).variances() == first
    assert Camera(13.0).variances()[0] > first[0]


def test_green_samples_of_the_mosaic_have_the_noise_that_was_asked_for():
    filmed = Camera(6.0, gains=(1.0, 1.0), pattern="rggb").film(flat(0.5), rng())
    green = filmed[:, 1, 0::2, 1::2]  # where the mosaic has green in red's row, nothing was interpolated
    assert green.std() * 255 == pytest.approx(6, rel=0.05)
    assert green.mean() == pytest.approx(0.5, abs=2e-3)


def test_bright_places_have_more_noise_in_linear_light():
    def of(value: float) -> float:
        filmed = Camera(6.0, gains=(1.0, 1.0)).film(flat(value), rng())
        return float(linear(filmed[:, 1, 0::2, 1::2]).var())

    shot, read = Camera(6.0).variances()
    for value, light in ((0.3, linear(0.3)), (0.7, linear(0.7))):
        assert of(value) == pytest.approx(float(shot * light + read), rel=0.12)


def test_neighbors_share_the_noise_of_a_mosaic_and_not_white_noise():
    def correlation(mosaic: bool) -> float:
        noise = Camera(10.0, mosaic=mosaic).film(flat(0.5), rng())[:, 0] - 0.5
        return float(np.corrcoef(noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel())[0, 1])

    assert correlation(mosaic=True) > 0.3
    assert abs(correlation(mosaic=False)) < 0.02


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_filmed_has_8_bits_whatever_the_size(codec):
    scene = pan(3, 35, 41)[:, :33, :39].transpose(0, 3, 1, 2).astype(np.float32) / 255
    filmed = Camera(0.0, codec=codec, quality=90 if codec == "jpeg" else 12).film(scene, rng())
    assert filmed.shape == scene.shape
    assert filmed.dtype == np.float32
    np.testing.assert_array_equal(np.round(filmed * 255) / np.float32(255), filmed)
    assert 0 <= filmed.min() <= filmed.max() <= 1
    assert np.mean(np.square(filmed - scene)) < 10**-2.3  # the scene, reduced by mosaic and codec


@pytest.mark.parametrize("codec", ["jpeg", "h264"])
def test_no_codec_moves_or_tints_color(codec):
    columns = np.arange(64, dtype=np.float32)
    ramp = np.zeros((1, 3, 64, 64), np.float32)
    ramp[0, 0], ramp[0, 1], ramp[0, 2] = 0.2 + columns / 127, 0.5, 0.9 - columns / 127
    kept = Camera(0.0, mosaic=False, codec=codec, quality=100 if codec == "jpeg" else 0).film(ramp, rng())
    assert np.abs(kept - ramp)[..., 2:-2].mean() * 255 < 1.5
    before, after = (rgb2ycbcr(frames[0].transpose(1, 2, 0))[:, 4:-4, 1:].mean((0, 1)) for frames in (ramp, kept))
    np.testing.assert_allclose(after, before, atol=0.6)


def test_equal_draws_give_equal_footage_and_cover_what_cameras_do():
    scene = flat(0.4, size=32, frames=3)
    filmed = [drawn(np.random.default_rng(number)).film(scene, np.random.default_rng(1)) for number in (3, 3, 4)]
    np.testing.assert_array_equal(filmed[0], filmed[1])
    assert not np.array_equal(filmed[0], filmed[2])
    many = [drawn(np.random.default_rng(number)) for number in range(400)]
    assert {camera.codec for camera in many} == set(CODECS)
    assert 0.04 < np.mean([camera.sigma == 0 for camera in many]) < 0.16
    assert 0.17 < np.mean([not camera.mosaic for camera in many]) < 0.33
    assert max(camera.sigma for camera in many) <= STRONGEST
    assert all(1 < gain < 2.5 for camera in many for gain in camera.gains)
