"""Training batches: right pixels, right noise, the same whenever they are asked for."""

import numpy as np
import pytest
import torch
from helpers.data_samples import film

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import RawFormat
from ncfl.data.frames import Pair
from ncfl.data.sampler import TrainingSampler
from ncfl.data.store import ClipStore
from ncfl.data.store_writer import write_store

HEIGHT, WIDTH, LENGTH = 60, 80, 7


def coordinates(offset: int) -> list[np.ndarray]:
    """A clip whose pixels say where they are: red = time + offset, green = row, blue = column."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    return [np.stack([np.full_like(rows, t + offset), rows, columns], -1).astype(np.uint8) for t in range(LENGTH)]


@pytest.fixture
def store(tmp_path):
    clips = [("zero", coordinates(0)), ("hundred", coordinates(100))]
    write_store(tmp_path / "s", dataset="d", source="x", stand_in=True, splits={"train": clips}, details={})
    return ClipStore(tmp_path / "s")


def sampler(store, **changes):
    return TrainingSampler(store, **({"patch": 24, "frames": 3, "batch": 4, "seed": 5} | changes))


def test_shapes_types_and_ranges(store):
    batch = sampler(store).batch(0)
    assert batch.clean.shape == batch.noisy.shape == (4, 3, 3, 24, 24)
    assert batch.clean.dtype == batch.noisy.dtype == batch.sigma.dtype == torch.float32
    assert batch.sigma.shape == (4,)
    assert len(batch.clips) == 4
    assert batch.clean.min() >= 0
    assert batch.clean.max() <= 1
    assert batch.clean.is_contiguous()


def test_patches_are_windows_of_the_named_clip_flipped_as_a_whole(store):
    kinds, clips, corners = set(), set(), set()
    for iteration in range(60):
        batch = sampler(store, sigma=None).batch(iteration)
        for patch, name in zip((batch.clean * 255).round().int().numpy(), batch.clips, strict=True):
            red, rows, columns = patch[:, 0], patch[:, 1], patch[:, 2]
            time = red[:, 0, 0] - (100 if name == "hundred" else 0)
            assert (np.diff(time) == 1).all()
            assert 0 <= time[0] <= LENGTH - 3
            assert (red == red[:, :1, :1]).all()
            assert (patch[0, 1:] == patch[:, 1:]).all()  # one place for all frames
            transposed = rows[0, 0, 0] != rows[0, 0, 1]
            y, x = (rows[0].T, columns[0].T) if transposed else (rows[0], columns[0])
            step_y, step_x = y[1, 0] - y[0, 0], x[0, 1] - x[0, 0]
            assert np.array_equal(y, y[:1, :1] + step_y * np.arange(24)[:, None] * np.ones((1, 24)))
            assert np.array_equal(x, x[:1, :1] + step_x * np.arange(24)[None] * np.ones((24, 1)))
            kinds.add((transposed, step_y, step_x))
            clips.add(name)
            corners.add((y.min(), x.min()))
    assert kinds == {(t, a, b) for t in (False, True) for a in (-1, 1) for b in (-1, 1)}
    assert clips == {"zero", "hundred"}
    assert len(corners) > 150
    assert max(y for y, _ in corners) > HEIGHT - 24 - 4
    assert max(x for _, x in corners) > WIDTH - 24 - 4


def test_noise_has_the_level_that_the_batch_states(store):
    batch = sampler(store, patch=60, frames=7, batch=6).batch(3)
    noise = (batch.noisy - batch.clean).double()
    deviation = noise.flatten(1).std(dim=1)
    assert torch.allclose(deviation, batch.sigma.double() / 255, rtol=0.02)
    assert noise.flatten(1).mean(dim=1).abs().max() < 0.005
    assert len(set(batch.sigma.tolist())) == 6


def test_levels_fill_their_range(store):
    levels = torch.cat([sampler(store, sigma=(20, 40), patch=16).batch(i).sigma for i in range(100)])
    assert levels.min() >= 20
    assert levels.max() <= 40
    assert levels.mean().item() == pytest.approx(30, abs=1.2)  # uniform: 5.8 / sqrt(400) = 0.3
    assert levels.min() < 21
    assert levels.max() > 39


def test_one_level(store):
    assert sampler(store, sigma=25).batch(1).sigma.tolist() == [25.0] * 4


def test_without_noise_the_input_is_the_clean_frame(store):
    batch = sampler(store, sigma=None).batch(1)
    assert torch.equal(batch.clean, batch.noisy)
    assert batch.sigma.tolist() == [0.0] * 4


def test_a_batch_is_a_function_of_seed_and_iteration(store):
    forward = [sampler(store).batch(i) for i in range(4)]
    one = sampler(store)
    backward = [one.batch(i) for i in reversed(range(4))][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert torch.equal(a.noisy, b.noisy)
        assert a.clips == b.clips
    assert not torch.equal(forward[0].noisy, forward[1].noisy)
    assert not torch.equal(forward[0].noisy, sampler(store, seed=6).batch(0).noisy)


def test_sixteen_bits_reach_the_batch_unchanged(tmp_path):
    raw = [np.arange(32 * 32 * 4, dtype=np.uint16).reshape(32, 32, 4) * 16 for _ in range(3)]
    splits = {"train": [("raw", raw)]}
    write_store(tmp_path / "s", dataset="d", source="x", stand_in=True, splits=splits, details={})
    batch = sampler(ClipStore(tmp_path / "s"), patch=32, sigma=None).batch(0)
    values = np.sort((batch.clean[0, 0].double() * 65535).round().flatten().numpy())
    assert np.array_equal(values, np.sort(raw[0].ravel()))


def paired(folder, clips, **changes):
    write_store(folder, dataset="d", source="x", stand_in=True, splits={"train": clips}, details={}, **changes)
    return ClipStore(folder)


def test_stored_degradation_takes_the_place_of_noise(tmp_path):
    frames = [Pair(c, (d,)) for c, d in zip(coordinates(0), coordinates(50), strict=True)]
    batch = sampler(paired(tmp_path / "s", [("a", frames)]), sigma=None).batch(2)
    difference = ((batch.noisy - batch.clean) * 255).round()
    assert (difference[:, :, 0] == 50).all()  # red: 50 more than the clean frame; the same window, patch and flips
    assert (difference[:, :, 1:] == 0).all()


def test_noise_on_frames_that_are_degraded_already_is_refused(tmp_path):
    store = paired(tmp_path / "s", [("a", [Pair(f, (f,)) for f in coordinates(0)])])
    with pytest.raises(InputError, match=r"sigma: expected null, .* degraded already, got \(0, 55\)"):
        sampler(store, sigma=(0, 55))


def test_each_frame_has_a_shot_of_its_own(tmp_path):
    offsets = (30, 60, 90)
    shots = zip(*(coordinates(offset) for offset in offsets), strict=True)
    frames = [Pair(c, d) for c, d in zip(coordinates(0), shots, strict=True)]
    one = sampler(paired(tmp_path / "s", [("a", frames)]), sigma=None)
    drawn = []
    for iteration in range(30):
        batch = one.batch(iteration)
        difference = ((batch.noisy - batch.clean) * 255).round()[:, :, 0].int()
        assert (difference == difference[:, :, :1, :1]).all()  # one shot within a frame
        drawn += difference[:, :, 0, 0].tolist()
    assert {value for window in drawn for value in window} == set(offsets)
    assert any(len(set(window)) > 1 for window in drawn)  # not one shot for a whole window


GBRG = np.array([[1, 2], [0, 1]])  # the color of each place, as a number: red 0, green 1, blue 2


def test_raw_patches_keep_their_bayer_pattern_and_their_place(tmp_path):
    """Each mosaic pixel holds its row, its column and its color: a patch must show one flipped grid per plane."""
    rows, columns = np.indices((2 * HEIGHT, 2 * WIDTH))
    colors = np.tile(GBRG, (HEIGHT, WIDTH))
    mosaic = (colors * 20000 + rows * 160 + columns).astype(np.uint16)
    red, green, blue, other = mosaic[1::2, ::2], mosaic[1::2, 1::2], mosaic[::2, 1::2], mosaic[::2, ::2]
    frame = np.stack([red, green, blue, other], -1)
    raw = RawFormat(pattern="gbrg", black=240, white=4095)
    store = paired(tmp_path / "s", [("a", [Pair(frame, (frame,))] * 4)], raw=raw)
    kinds = set()
    for iteration in range(40):
        batch = sampler(store, sigma=None).batch(iteration)
        assert torch.equal(batch.clean, batch.noisy)
        values = (batch.clean.double() * (4095 - 240) + 240).round().long().numpy()
        assert values.shape == (4, 3, 4, 24, 24)
        for patch in values[:, 0]:
            assert (patch // 20000 == np.array([0, 1, 2, 1])[:, None, None]).all()  # R G B G: colors stay apart
            y, x = patch % 20000 // 160, patch % 20000 % 160
            transposed = y[0, 0, 0] != y[0, 0, 1]
            y, x = (y.swapaxes(1, 2), x.swapaxes(1, 2)) if transposed else (y, x)
            step_y, step_x = y[0, 1, 0] - y[0, 0, 0], x[0, 0, 1] - x[0, 0, 0]
            assert abs(step_y) == abs(step_x) == 2  # mosaic pixels
            # One grid: blue lies one mosaic row before red and one column behind, in the patch's own direction.
            lead = (x, y) if transposed else (y, x)
            steps = (step_x, step_y) if transposed else (step_y, step_x)
            assert (lead[0][2] - lead[0][0] == -steps[0] // 2).all()
            assert (lead[1][2] - lead[1][0] == steps[1] // 2).all()
            kinds.add((bool(transposed), int(step_y), int(step_x)))
    assert len(kinds) == 8


# Refusals


def test_clip_shorter_than_the_window(store):
    with pytest.raises(InputError, match=r"000_zero\.npy: clip zero: expected at least 8 frames in a row, .*, got 7"):
        sampler(store, frames=8)


def test_clip_smaller_than_the_patch(store):
    with pytest.raises(InputError, match="clip zero: expected at least the 61 x 61 pixels of a patch, got 60 x 80"):
        sampler(store, patch=61)


def test_a_raw_clip_needs_a_margin(tmp_path):
    frame = np.zeros((48, 64, 4), np.uint16)
    raw = RawFormat(pattern="gbrg", black=240, white=4095)
    store = paired(tmp_path / "s", [("a", [frame] * 4)], raw=raw)
    sampler(store, patch=47, sigma=None)
    with pytest.raises(
        InputError, match="the 48 x 48 pixels of a patch and 1 more for flips that keep the Bayer pattern, got 48 x 64"
    ):
        sampler(store, patch=48, sigma=None)


def test_clips_with_different_channels(tmp_path):
    four = [np.zeros((48, 64, 4), np.uint8)] * 12
    splits = {"train": [("rgb", film()), ("packed", four)]}
    write_store(tmp_path / "s", dataset="d", source="x", stand_in=True, splits=splits, details={})
    with pytest.raises(InputError, match="clip packed: expected 3 channels, as clip rgb has, got 4"):
        sampler(ClipStore(tmp_path / "s"))


def test_missing_split(store):
    with pytest.raises(InputError, match=r"expected clips in split validation, got train \(2\)"):
        sampler(store, split="validation")
