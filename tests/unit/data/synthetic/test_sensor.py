"""The sensor: light by the sRGB standard, mosaics by the pattern, noise by its calibrated mean and variance."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import RawFormat
from ncfl.data.synthetic.sensor import EXPOSURE, GAINS, IMX385, linear, mosaic, raw_noise

RAW = RawFormat(pattern="gbrg", black=240, white=4095)


# Y = 0.2126729 R + ... of scikit-image starts from the same curve; its rgb2xyz of gray gives the curve alone.
def test_the_curve_is_the_standards():
    color = pytest.importorskip("skimage.color")
    gray = np.linspace(0, 1, 511)
    white = color.rgb2xyz(np.ones((1, 1, 3)))[0, 0, 1]
    expected = color.rgb2xyz(np.repeat(gray[None, :, None], 3, axis=2))[0, :, 1] / white
    assert linear(gray) == pytest.approx(expected, abs=1e-6)


def test_uint8_and_float_agree():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(linear(levels), linear(levels / 255))
    assert linear(levels).dtype == np.float32
    assert linear(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]


def test_white_balance_is_undone_and_levels_are_the_formats():
    picture = np.full((4, 6, 3), 255, np.uint8)
    found = mosaic(picture, RAW, gains=(2.0, 1.0, 1.6))
    green = 240 + EXPOSURE * 3855
    assert found[0, 0] == found[1, 1] == pytest.approx(green, rel=1e-6)
    assert found[0, 1] == pytest.approx(240 + EXPOSURE * 3855 / 1.6, rel=1e-6)  # blue
    assert found[1, 0] == pytest.approx(240 + EXPOSURE * 3855 / 2, rel=1e-6)  # red
    assert np.array_equal(found, np.tile(found[:2, :2], (2, 3)))
    assert (mosaic(np.zeros((2, 2, 3), np.uint8), RAW) == 240).all()


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "grbg", "gbrg"])
def test_every_site_sees_its_color(pattern):
    raw = RawFormat(pattern=pattern, black=0, white=1000)
    picture = np.zeros((2, 2, 3))
    picture[..., 0], picture[..., 1], picture[..., 2] = 0.2, 0.5, 0.8
    light = dict(zip("rgb", linear(picture[0, 0]), strict=True))
    expected = [1000 * EXPOSURE * light[color] for color in pattern]
    assert mosaic(picture, raw, gains=(1, 1, 1)).ravel() == pytest.approx(expected, rel=1e-5)


def test_a_small_gain_saturates():
    assert mosaic(np.ones((2, 2, 3)), RAW, gains=(0.1, 1, 1)).max() == 4095


@pytest.mark.parametrize("shape", [(3, 4, 3), (4, 3, 3)])
def test_odd_pictures_are_refused(shape):
    with pytest.raises(InputError, match="even sides"):
        mosaic(np.zeros(shape, np.uint8), RAW)
    with pytest.raises(ValueError, match=r"\[H,W,3\]"):
        mosaic(np.zeros(shape[:2], np.uint8), RAW)


@pytest.mark.parametrize("iso", IMX385)
@pytest.mark.parametrize("level", [800, 2000])
def test_noise_has_the_calibrated_mean_and_variance(iso, level):
    """Levels far from the clipping ends; rounding adds 1/12 to the variance."""
    a, b = IMX385[iso]
    noisy = raw_noise(np.full((400, 500), level, np.uint16), iso, np.random.default_rng(iso + level), RAW)
    assert noisy.dtype == np.uint16
    n = noisy.size
    variance = a * (level - 240) + b + 1 / 12
    values = noisy.astype(np.float64)
    assert abs(values.mean() - level) < 4.5 * np.sqrt(variance / n)
    # The kurtosis of a scaled Poisson plus a normal number: excess a^2 / (a (x - black)) of the Poisson part at most.
    spread = np.sqrt((2 + a / (level - 240)) / n)
    assert values.var() / variance == pytest.approx(1, abs=4.5 * spread)


def test_variance_is_linear_in_the_signal():
    a = IMX385[6400].a
    levels = np.linspace(700, 3000, 24)
    clean = np.repeat(levels[:, None], 20_000, axis=1)
    variances = raw_noise(clean, 6400, np.random.default_rng(0), RAW).astype(np.float64).var(axis=1)
    fit = stats.linregress(levels - 240, variances)
    # Of each variance 1 % is chance: sqrt(2 / 20,000).
    assert fit.slope == pytest.approx(a, rel=0.02)
    assert fit.rvalue**2 > 0.999


def test_read_noise_is_all_there_is_in_the_dark():
    raw = RawFormat(pattern="gbrg", black=1000, white=4095)  # far from zero, so that nothing is clipped
    dark = raw_noise(np.full(200_000, 300), 25600, np.random.default_rng(1), raw).astype(np.float64)
    b = IMX385[25600].b
    assert abs(dark.mean() - 1000) < 4.5 * np.sqrt(b / dark.size)
    assert dark.var() / b == pytest.approx(1, abs=4.5 * np.sqrt(2 / dark.size))


def test_noise_is_clipped_to_the_sensors_range():
    low = raw_noise(
        np.full(50_000, 240), 25600, np.random.default_rng(2), RawFormat(pattern="gbrg", black=10, white=99)
    )
    assert low.min() >= 0
    assert low.max() == 99
    dark = raw_noise(
        np.full(50_000, 10), 25600, np.random.default_rng(2), RawFormat(pattern="gbrg", black=10, white=99)
    )
    assert dark.min() == 0


def test_noise_is_white_and_follows_the_generator():
    clean = np.full((256, 256), 1000.0)
    noise = raw_noise(clean, 3200, np.random.default_rng(3), RAW).astype(np.float64) - 1000
    noise /= noise.std()
    for axis in (0, 1):
        assert abs(np.mean(noise * np.roll(noise, 1, axis))) < 4.5 / np.sqrt(noise.size)
    rng = np.random.default_rng(3)
    first, second = (raw_noise(clean, 3200, rng, RAW) for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, raw_noise(clean, 3200, np.random.default_rng(3), RAW))
    assert (clean == 1000).all()


def test_the_calibration_behaves_as_gain_does():
    """Twice the ISO: about twice the shot noise per DN and, in the dark, two to four times the variance."""
    levels = [IMX385[iso] for iso in sorted(IMX385)]
    for low, high in itertools.pairwise(levels):
        assert 1.9 < high.a / low.a < 2.0
        assert 2 < high.b / low.b < 4
    assert GAINS[1] == 1


@pytest.mark.parametrize("iso", [100, 1601, 51200])
def test_other_isos_are_refused(iso):
    with pytest.raises(InputError, match=rf"^ISO: expected one of 1600, 3200, 6400, 12800, 25600, .*, got {iso}$"):
        raw_noise(np.zeros((2, 2)), iso, np.random.default_rng(0), RAW)
