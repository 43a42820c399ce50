"""Rain: it brightens, leans as its clip's wind does, changes with every frame, and can be had again."""

import math

import cv2
import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.rain import STYLES, Rain, splat

SIZE = (128, 192)
KINDS = list(STYLES)
LIGHT = ["rain-light", "rain-rendered"]
HEAVY = ["rain-heavy", "rain-accumulated"]


def rain(kind, seed=0, size=SIZE):
    return Rain(kind, *size, np.random.default_rng(seed))


def pictures():
    loaded = photographs.load(["chelsea", "coffee", "flower", "china", "motorcycle"])
    return [cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA) for picture in loaded.values()]


def psnr(a, b):
    return -10 * math.log10(np.mean((a.astype(float) - b) ** 2) / 255**2)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_brightened_and_keep_their_form(kind):
    frame = np.full((*SIZE, 3), 90, np.uint8)
    rainy = rain(kind).apply(frame, 0)
    assert rainy.dtype == np.uint8
    assert rainy.shape == frame.shape
    assert (rainy >= frame).all()  # darker than the sky's light: rain only adds
    assert rainy.mean() > frame.mean() + 1
    assert (frame == 90).all()


@pytest.mark.parametrize("kind", KINDS)
def test_white_stays_white_under_streaks_and_black_stays_a_byte(kind):
    white = rain(kind).apply(np.full((*SIZE, 3), 255, np.uint8), 1)
    if kind in LIGHT:
        assert (white == 255).all()
    black = rain(kind).apply(np.zeros((*SIZE, 3), np.uint8), 1)
    streaks = rain(kind).streaks(1)
    assert streaks.min() >= 0
    assert streaks.max() <= 1
    assert black.max() <= 255
    if kind in LIGHT:  # screened onto black, the streaks are all that is seen
        assert black[..., 0] == pytest.approx(255 * streaks, abs=0.51)


def test_the_composition_by_hand():
    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    shower = rain("rain-accumulated", 3)
    light = float(shower._light)
    v, s = shower.veil(2)[..., None], shower.streaks(2)[..., None]
    veiled = (1 - v) * (frame / 255) + v * light
    expected = 1 - (1 - veiled) * (1 - s)
    assert shower.apply(frame, 2) == pytest.approx(255 * expected, abs=0.51)
    assert 0.7 <= light <= 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_floats_and_bytes_agree(kind):
    frame = pictures()[0]
    assert np.array_equal(rain(kind).apply(frame, 0), rain(kind).apply(frame / 255.0, 0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_a_function_of_its_generator_and_the_frames_number(kind):
    frame = pictures()[0]
    clip = rain(kind, 5)
    frames = [clip.apply(frame, t) for t in range(3)]
    again = rain(kind, 5)
    for t in (2, 0, 1):
        assert np.array_equal(again.apply(frame, t), frames[t])
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(rain(kind, 6).apply(frame, 0), frames[0])


def direction(streaks):
    """Degrees from straight down towards the right, by the structure tensor: across a line gradients are steepest."""
    streaks = cv2.GaussianBlur(streaks, (0, 0), 1.5)  # else the grid's own directions count for thin lines
    dx, dy = cv2.Sobel(streaks, cv2.CV_32F, 1, 0), cv2.Sobel(streaks, cv2.CV_32F, 0, 1)
    xx, yy, xy = (dx * dx).sum(), (dy * dy).sum(), (dx * dy).sum()
    return math.degrees(0.5 * math.atan2(-2 * xy, xx - yy))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_streaks_fall_as_the_wind_blows(kind, seed):
    clip = rain(kind, seed)
    measured = np.mean([direction(clip.streaks(t)) for t in range(6)])
    assert measured == pytest.approx(math.degrees(clip.angle), abs=3)


def test_streaks_are_new_in_every_frame():
    clip = rain("rain-light", 1)
    a, b = clip.streaks(0), clip.streaks(1)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_rain_looks_the_same_at_every_size(kind):
    """Lengths are in frame heights: the share of light is the same at three times the size."""
    means = [np.mean([rain(kind, 2, size).streaks(t).mean() for t in range(8)]) for size in ((128, 192), (384, 576))]
    assert means[0] == pytest.approx(means[1], rel=0.25)


def test_only_the_flowing_veil_changes():
    flowing, even = rain("rain-accumulated"), rain("rain-heavy")
    assert np.ptp(even.veil(0)) == 0
    assert np.array_equal(even.veil(0), even.veil(7))
    assert not np.array_equal(flowing.veil(0), flowing.veil(1))
    # Slow and smooth: next to a frame's own variation, little from frame to frame and from pixel to pixel.
    assert np.abs(flowing.veil(1) - flowing.veil(0)).max() < 0.1
    assert np.abs(np.diff(flowing.veil(0), axis=1)).max() < 0.02
    for t in range(50):
        veil = flowing.veil(t)
        assert veil.min() > 0
        assert veil.max() <= 0.22 * 1.6 + 1e-6
    assert all((rain(kind).veil(0) == 0).all() for kind in LIGHT)


def test_the_flowing_veil_is_a_sum_of_travelling_waves():
    clip = rain("rain-accumulated", 4)
    for row, column, t in [(0, 0, 0), (100, 20, 3), (127, 191, 11)]:
        waves = [math.sin(x * column / 128 + y * row / 128 + speed * t + phase) for x, y, speed, phase in clip._waves]
        assert clip.veil(t)[row, column] == pytest.approx(clip._veil * (1 + 0.6 * np.mean(waves)), rel=1e-5)


@pytest.mark.parametrize(("kinds", "low", "high"), [(LIGHT, 24, 31), (HEAVY, 16.5, 24)])
def test_heavy_rain_is_heavier(kinds, low, high):
    for kind in kinds:
        found = [psnr(rain(kind, seed).apply(picture, 0), picture) for seed in range(4) for picture in pictures()]
        assert low < np.mean(found) < high


def test_splatting_keeps_light_and_its_center():
    canvas = splat(np.array([3.25]), np.array([2.5]), np.array([2.0]), (6, 8))
    assert canvas.sum() == pytest.approx(2)
    rows, columns = np.mgrid[:6, :8]
    assert (canvas * columns).sum() / 2 == pytest.approx(3.25)
    assert (canvas * rows).sum() / 2 == pytest.approx(2.5)
    # By hand: 0.75 and 0.25 across, a half each down.
    assert canvas[2:4, 3:5] == pytest.approx(np.array([[0.75, 0.25], [0.75, 0.25]]))


def test_splatting_loses_what_is_outside():
    x, y = np.array([-5.0, 7.5, 100.0, 2.0]), np.array([1.0, 1.0, 1.0, -0.5])
    canvas = splat(x, y, np.ones(4), (6, 8))
    assert canvas.shape == (6, 8)
    assert canvas[1, 7] == pytest.approx(0.5)
    assert canvas[0, 2] == pytest.approx(0.5)
    assert canvas.sum() == pytest.approx(1)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"rain: expected rain-light, rain-rendered.*, got 'drizzle'"):
        rain("drizzle")
    for shape in [(64, 192, 3), (128, 192), (128, 192, 4)]:
        with pytest.raises(ValueError, match=r"frame: expected \[128, 192, 3\], the size of this rain, got "):
            rain("rain-rendered").apply(np.zeros(shape, np.uint8), 0)
