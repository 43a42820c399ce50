"""Scenes: their flow is exact, their frames are free of aliasing, their motion keeps to its bound."""

import math

import cv2
import numpy as np
import pytest
from helpers.data_samples import psnr
from scipy.ndimage import map_coordinates

from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.outlines import OUTLINES
from ncfl.data.synthetic.scene_layers import cut_out, random_patch
from ncfl.data.synthetic.scenes import Scene, scene_pair

SIZE = (96, 128)


@pytest.fixture(scope="module")
def shots():
    return photographs.load(photographs.TEST_PHOTOGRAPHS)


def scene(shots, seed, **options):
    return Scene(shots, *SIZE, np.random.default_rng(seed), frames=8, outlines=OUTLINES, **options)


def warped(frame, flow):
    """``frame`` sampled at p + flow(p) by cubic splines, independent of OpenCV."""
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    at = (rows + flow[..., 1], columns + flow[..., 0])
    return np.stack(
        [map_coordinates(frame[..., c].astype(float), at, order=3, mode="nearest") for c in range(3)], axis=-1
    )


@pytest.mark.parametrize("seed", range(8))
def test_previous_frame_warped_by_the_flow_is_the_frame(shots, seed):
    film = scene(shots, seed)
    frame, before, flow, seen = film.render(4), film.render(3), film.flow(4), ~film.occluded(4)
    assert flow.dtype == np.float32
    assert flow.shape == (*SIZE, 2)
    assert psnr(frame[seen], warped(before, flow)[seen]) > 38
    # The test can tell: without motion, with it reversed, and a tenth of a pixel off it is worse.
    for wrong in (0 * flow, -flow, flow + 0.1):
        assert psnr(frame[seen], warped(before, wrong)[seen]) < psnr(frame[seen], warped(before, flow)[seen])
    assert psnr(frame[seen], before[seen]) < 36


@pytest.mark.parametrize("max_motion", [0.5, 4.0, 12.0])
def test_motion_is_bounded_and_used(shots, max_motion):
    largest = [
        np.linalg.norm(scene(shots, seed, max_motion=max_motion).flow(t), axis=-1).max()
        for seed in range(12)
        for t in (1, 5)
    ]
    assert max(largest) <= 1.05 * max_motion
    assert np.median(largest) > 0.2 * max_motion


def test_motion_is_subpixel_and_differs_between_layers(shots):
    flows = [scene(shots, seed).flow(2) for seed in range(6)]
    assert all(np.abs(flow - np.round(flow)).max() > 0.2 for flow in flows)
    # Within a layer flow is affine: its second differences vanish there; they don't across layers.
    for flow in flows:
        bend = np.abs(np.diff(flow, n=2, axis=1)).max(axis=(0, 2))
        assert bend.max() > 0.05
        assert np.median(np.abs(np.diff(flow, n=2, axis=1))) < 1e-4


def test_occlusion_is_what_the_warp_cannot_explain(shots):
    shares = []
    for seed in range(6):
        film = scene(shots, seed)
        hidden = film.occluded(3)
        shares.append(hidden.mean())
        error = np.abs(warped(film.render(2), film.flow(3)) - film.render(3)).max(axis=-1)
        assert error[hidden].mean() > 3 * error[~hidden].mean()
    assert min(shares) > 0
    assert max(shares) < 0.35


def test_foreground_edge_is_soft():
    flat = {"black": np.zeros((300, 300, 3), np.uint8), "white": np.full((300, 300, 3), 255, np.uint8)}
    film = Scene(flat, 96, 96, np.random.default_rng(3), background="black")
    frame = film.render(0)[..., 0].astype(int)
    between = (frame > 12) & (frame < 243)
    boundary = cv2.Canny((frame > 127).astype(np.uint8) * 255, 50, 150) > 0
    assert (frame > 250).any()
    assert 1.0 < between.sum() / boundary.sum() < 3.5  # pixels across the edge
    assert set(np.unique(film.occluded(0)[between])) == {True}


def test_no_aliasing():
    """A checkerboard of single pixels lies above what a frame can show: it must turn gray, without moire."""
    board = (np.indices((400, 400)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shots = {"board": np.repeat(board[..., None], 3, axis=2)}
    for seed in range(6):
        frame = Scene(shots, 64, 64, np.random.default_rng(seed), max_motion=2).render(0)[..., 0].astype(float)
        assert abs(frame.mean() - 127.5) < 3
        assert frame.std() < 15  # of 127.5
        assert cv2.GaussianBlur(frame, (0, 0), 3)[8:-8, 8:-8].std() < 1


def test_photograph_smaller_than_the_frame_is_mirrored(shots):
    film = Scene(shots, 500, 700, np.random.default_rng(0), background="chelsea")
    frame, before, seen = film.render(1), film.render(0), ~film.occluded(1)
    assert psnr(frame[seen], warped(before, film.flow(1))[seen]) > 38


def test_scene_is_a_function_of_its_generator(shots):
    assert np.array_equal(scene(shots, 1).render(2), scene(shots, 1).render(2))
    assert not np.array_equal(scene(shots, 1).render(2), scene(shots, 2).render(2))
    film = scene(shots, 5)
    assert np.array_equal(film.render(1), film.render(1))


def test_scene_pair(shots):
    for size, shape in ((64, (64, 64)), ((48, 80), (48, 80))):
        frame, before, flow = scene_pair(shots, size, np.random.default_rng(7), max_motion=6)
        assert frame.shape == before.shape == (*shape, 3)
        assert frame.dtype == before.dtype == np.uint8
        assert flow.shape == (*shape, 2)
        assert flow.dtype == np.float32
    again = scene_pair(shots, 64, np.random.default_rng(7), max_motion=6)
    other = scene_pair(shots, 64, np.random.default_rng(8), max_motion=6)
    assert np.array_equal(again[0], scene_pair(shots, 64, np.random.default_rng(7), max_motion=6)[0])
    assert not np.array_equal(again[0], other[0])


def test_scene_pair_flow_explains_most_of_the_frame(shots):
    gains = []
    for seed in range(12):
        frame, before, flow = scene_pair(shots, 64, np.random.default_rng(seed), max_motion=6)
        inside = np.s_[8:-8, 8:-8]
        gains.append(psnr(frame[inside], warped(before, flow)[inside]) - psnr(frame[inside], before[inside]))
    assert np.median(gains) > 3


def test_cut_out_has_the_area_of_its_outline():
    angle = np.linspace(0, 2 * math.pi, 100, endpoint=False)
    circle = [(round(150 + 80 * math.cos(a)), round(140 + 80 * math.sin(a))) for a in angle]
    texture, mask = cut_out(np.zeros((300, 300, 3), np.uint8), circle, radius=20)
    assert mask.shape == texture.shape[:2]
    # Two texture pixels per frame pixel: a radius of 40 there.
    # A filled polygon includes its boundary: half a pixel more on each side.
    assert mask.sum() == pytest.approx(math.pi * 40.5**2, rel=0.015)
    assert mask.max() == pytest.approx(1)
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        assert edge.max() < 1e-3


def test_random_patch_has_a_margin():
    for seed in range(5):
        _, mask = random_patch(np.zeros((200, 200, 3), np.uint8), 15, np.random.default_rng(seed))
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) < 1e-3
        # Mean radius 30 texture pixels; a wavy outline of that mean encloses a little more.
        assert 0.9 < mask.sum() / (math.pi * 30**2) < 1.4
