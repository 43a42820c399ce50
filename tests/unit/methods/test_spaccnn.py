"""SpacCNN: superpixels, matching, what it takes for rain, its network and its refusals."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.spaccnn_samples import panned

from ncfl.common.errors import InputError
from ncfl.methods.spaccnn.alignment import STEP, Search, align, costs, fetch, luma
from ncfl.methods.spaccnn.model import SpacCNN
from ncfl.methods.spaccnn.superpixels import superpixels

SMALL = {"kernels": (3, 1), "widths": (4,), "radius": 2, "matches": 3}


def test_superpixels_cover_the_frame_and_follow_its_edges():
    frame = np.zeros((60, 80, 3), np.float32)
    frame[:, 43:] = 1  # between two columns of the grid
    labels = superpixels(frame, 12)
    assert labels.shape == (60, 80)
    assert set(np.unique(labels)) == set(range(12))
    left, right = set(labels[:, :43].ravel()), set(labels[:, 43:].ravel())
    assert not left & right


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (7, 90)])
def test_superpixels_of_odd_frames(shape: tuple[int, int]):
    labels = superpixels(np.full((*shape, 4), 0.5, np.float32), 3)
    assert labels.shape == shape
    assert labels.min() >= 0


def test_costs_are_sums_of_squared_differences():
    rng = np.random.default_rng(0)
    plane, others = rng.random((10, 13), dtype=np.float32), rng.random((2, 10, 13), dtype=np.float32)
    labels, weight = rng.integers(0, 3, (10, 13)), rng.integers(0, 2, (10, 13)).astype(np.float32)
    wanted = np.zeros((2, 5, 5, 3))
    for t, v, u, y, x in np.ndindex(2, 5, 5, 10, 13):
        if y % STEP == 0 and x % STEP == 0:
            other = others[t, min(max(y + v - 2, 0), 9), min(max(x + u - 2, 0), 12)]
            wanted[t, v, u, labels[y, x]] += weight[y, x] * (other - plane[y, x]) ** 2
    np.testing.assert_allclose(costs(plane, others, labels, weight, 2), wanted.reshape(2, 25, 3), rtol=1e-4, atol=1e-5)


def test_without_any_texture_nothing_moves():
    flat = np.full((1, 20, 20), 0.5, np.float32)
    found = costs(flat[0], flat, np.zeros((20, 20), np.intp), np.ones((20, 20), np.float32), 3)
    assert found[0, :, 0].argmin() == 24  # the middle one of 49


def test_fetch_takes_each_superpixel_from_its_place():
    others = np.random.default_rng(0).random((2, 3, 8, 9), dtype=np.float32)
    labels = np.repeat([[0] * 4 + [1] * 5], 8, axis=0)
    # Superpixel 0: frame 1, one row up, two columns left; superpixel 1: frame 0, in place. Radius 2: 25 places.
    built = fetch(others, labels, np.array([25 + 1 * 5 + 0, 12]), 2)
    np.testing.assert_array_equal(built[:, 1:, 2:4], others[1][:, :-1, 0:2])
    np.testing.assert_array_equal(built[:, :, 4:], others[0][:, :, 4:])
    np.testing.assert_array_equal(built[:, 0, 2:4], others[1][:, 0, 0:2])  # the edge goes on


def test_a_panned_scene_is_aligned_exactly():
    window = panned(96, 128, 1, -2)
    found = align(window, Search(radius=4, matches=1))
    inside = (..., slice(8, -8), slice(8, -8))
    for frame in found.temporal:
        np.testing.assert_array_equal(frame[inside], window[2][inside])
    np.testing.assert_array_equal(found.average[inside], window[2][inside])
    assert not found.rain[8:-8, 8:-8].any()
    assert found.temporal.dtype == found.average.dtype == found.rain.dtype == np.float32


def test_rain_of_the_middle_frame_is_found_and_gone():
    window = panned(96, 128, 1, -2)
    clean = window[2].copy()
    rain = np.zeros((96, 128), bool)
    rng = np.random.default_rng(1)
    for _ in range(25):
        y, x = rng.integers(8, 76), rng.integers(8, 118)
        rain[y : y + 12, x : x + 2] = True
    window[2][:, rain] += 0.3
    found = align(window, Search(radius=4, matches=1))
    assert found.rain[rain].mean() > 0.95
    assert found.rain[8:-8, 8:-8][~rain[8:-8, 8:-8]].mean() < 0.05
    errors = [np.abs(frame - clean)[:, 8:-8, 8:-8].mean() for frame in (window[2], found.average)]
    assert errors[1] < 0.1 * errors[0]


def test_luma_of_colors_and_of_other_planes():
    np.testing.assert_allclose(luma(np.ones((2, 3, 4, 5))), 1, rtol=1e-6)
    np.testing.assert_allclose(luma(np.arange(4.0).reshape(4, 1, 1)), 1.5)


def test_the_network_starts_as_the_mean_of_the_matches():
    window = panned(24, 28, 1, 1)
    restored = SpacCNN(**SMALL).restore(torch.from_numpy(window)[None])
    wanted = align(window, Search(radius=2, matches=3)).average
    torch.testing.assert_close(restored[0], torch.from_numpy(wanted))


def test_its_size():
    model = SpacCNN()
    sizes = [(11, 19, 64), (5, 64, 32), (3, 32, 16), (1, 16, 3)]
    assert sum(p.numel() for p in model.parameters()) == sum(k * k * a * b + b for k, a, b in sizes) == 203_107


def test_a_clip_gives_its_middles_and_the_network_learns():
    torch.manual_seed(0)
    model = SpacCNN(**SMALL)
    frames = torch.from_numpy(np.concatenate((panned(18, 21, 1, 0), panned(18, 21, 0, 1)[:1])))[None].repeat(
        2, 1, 1, 1, 1
    )
    frames[1] *= 0.5
    assert model.supervised(6) == range(2, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(10):
        restored = model.restore_clip(frames, torch.tensor([5.0, 5.0]))
        assert restored.shape == (2, 2, 3, 18, 21)
        loss = F.mse_loss(restored, frames[:, 2:4] * 0.8)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    with torch.no_grad():
        torch.testing.assert_close(model.restore_clip(frames)[1, 1], model.restore(frames[1:, 1:])[0])


def test_raw_frames_and_a_rebuilt_network():
    model = SpacCNN(channels=4, **SMALL)
    again = SpacCNN(**model.arguments)
    again.load_state_dict(model.state_dict(), strict=True)
    frames = torch.rand(1, 5, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(again.restore(frames), model.restore(frames), rtol=0, atol=0)


def test_sizes_that_do_not_fit_are_refused_in_one_line():
    for arguments, words in (
        ({"kernels": (3, 2)}, r"^spaccnn: kernels: expected 2 odd sizes, got \[3, 2\]$"),
        ({"kernels": (3,)}, r"^spaccnn: kernels: expected 2 odd sizes, got \[3\]$"),
        ({"matches": 0}, r"^spaccnn: matches: expected 1 to 100, radius being 2, got 0$"),
        ({"matches": 101}, r"matches: expected 1 to 100, radius being 2, got 101"),
    ):
        with pytest.raises(InputError, match=words):
            SpacCNN(**SMALL | arguments)
