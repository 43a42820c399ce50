"""Haze: the scattering model in closed form, nearer things clearer, and a scene's own labels."""

import math

import cv2
import numpy as np
import pytest

from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.haze import BOTTOM, RELIEF, TOP, Haze
from ncfl.data.synthetic.scenes import Scene

SIZE = (96, 144)


def haze(seed=0):
    return Haze(*SIZE, np.random.default_rng(seed))


def labels():
    found = np.zeros(SIZE, np.uint8)
    found[20:50, 30:70] = 1
    found[60:90, 80:120] = 2
    return found


def test_the_model_in_closed_form():
    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    before = frame.copy()
    mist = haze()
    depth = mist.depth(labels()).astype(np.float64)
    found = mist.apply(frame, labels())
    assert found.dtype == np.uint8
    for row, column in [(0, 0), (30, 40), (70, 100), (95, 143)]:
        t = math.exp(-mist.beta * depth[row, column])
        assert mist.transmission(labels())[row, column] == pytest.approx(t, rel=1e-6)
        for channel in range(3):
            expected = frame[row, column, channel] * t + 255 * mist.light[channel] * (1 - t)
            assert found[row, column, channel] == pytest.approx(expected, abs=0.51)
    assert np.array_equal(frame, before)


def test_what_stands_in_front_is_nearer_and_flat():
    for seed in range(10):
        depth = haze(seed).depth(labels())
        assert depth.dtype == np.float32
        for label in (1, 2):
            assert np.ptp(depth[labels() == label]) == 0
            assert depth[labels() == label][0] < depth[labels() == 0].mean()
        assert depth.min() >= 0
        assert depth.max() <= 1


def test_the_background_recedes_upwards_and_is_smooth():
    depth = haze().depth(np.zeros(SIZE, np.uint8))
    rows = depth.mean(axis=1)
    assert rows[:10].mean() > rows[-10:].mean() + 0.2
    gradient = np.linspace(TOP, BOTTOM, SIZE[0])[:, None]
    assert np.abs(depth - gradient).max() <= RELIEF + 1e-6
    assert np.abs(depth - gradient).max() > RELIEF / 10  # there is a relief
    assert max(np.abs(np.diff(depth, axis=axis)).max() for axis in (0, 1)) < 0.02


def test_contrast_fades_towards_the_light():
    mist = haze(3)
    black, white = (mist.apply(np.full((*SIZE, 3), value, np.uint8), labels()).astype(float) for value in (0, 255))
    t = mist.transmission(labels())
    assert (white - black)[..., 1] == pytest.approx(255 * t, abs=1.01)
    assert black.mean() > 50


def test_a_clip_keeps_its_haze_and_follows_its_generator():
    frame = np.full((*SIZE, 3), 80, np.uint8)
    assert np.array_equal(haze(1).apply(frame, labels()), haze(1).apply(frame, labels()))
    assert not np.array_equal(haze(1).apply(frame, labels()), haze(2).apply(frame, labels()))
    mist = haze(1)
    first = mist.apply(frame, labels())
    mist.apply(frame, np.zeros(SIZE, np.uint8))
    assert np.array_equal(mist.apply(frame, labels()), first)


def test_how_much_is_lost():
    found = []
    for name, picture in photographs.load(["chelsea", "coffee", "flower", "rocket", "china", "motorcycle"]).items():
        frame = cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA)
        for seed in range(4):
            hazy = Haze(*SIZE, np.random.default_rng([len(name), seed])).apply(frame, labels())
            found.append(-10 * math.log10(np.mean((hazy / 255 - frame / 255) ** 2)))
    assert 12 < np.mean(found) < 18


def test_a_scenes_labels_are_what_its_frame_shows():
    """Drawn independently: something stands in front where the frame differs from the background alone."""
    loaded = photographs.load(["chelsea", "coffee"])
    scene = Scene(loaded, *SIZE, np.random.default_rng(4), frames=3)
    found = scene.labels(1)
    assert found.dtype == np.uint8
    assert found.shape == SIZE
    assert 0 < found.max() <= len(scene._foregrounds)
    changed = (scene.render(1) != scene._background.draw(1)).any(axis=2)
    assert np.mean(changed != (found > 0)) < 0.03  # soft edges, and colors that happen to be equal


def test_a_labels_pixels_move_as_one():
    """Each layer's flow is affine in the pixel: labels of another time or layer would mix two motions."""
    scene = Scene(photographs.load(["chelsea", "coffee"]), *SIZE, np.random.default_rng(4), frames=3)
    found, flow = scene.labels(1), scene.flow(1)
    assert len(np.unique(found)) > 1
    for label in np.unique(found):
        rows, columns = np.nonzero(found == label)
        places = np.stack([np.ones(len(rows)), rows, columns], axis=1)
        motion = flow[rows, columns].astype(np.float64)
        affine = np.linalg.lstsq(places, motion)[0]
        assert np.abs(places @ affine - motion).max() < 1e-3


@pytest.mark.parametrize(
    "bad", [np.zeros((10, 10), np.uint8), np.zeros(SIZE, np.int64), np.zeros((*SIZE, 1), np.uint8)]
)
def test_bad_labels_are_refused(bad):
    with pytest.raises(ValueError, match=rf"labels: expected uint8 \[96, 144\], got {bad.dtype} "):
        haze().depth(bad)


@pytest.mark.parametrize(
    "bad", [np.zeros((*SIZE, 3), np.float32), np.zeros(SIZE, np.uint8), np.zeros((9, 9, 3), np.uint8)]
)
def test_bad_frames_are_refused(bad):
    with pytest.raises(ValueError, match=rf"frame: expected uint8 \[96, 144, 3\], got {bad.dtype} "):
        haze().apply(bad, labels())
