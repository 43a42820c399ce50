"""Training batches: right pixels, right noise, the same whenever they are asked for."""

import json

import numpy as np
import pytest
import torch
from data_samples import film

from ncfl.data.sampler import TrainingSampler
from ncfl.data.store import ClipStore, write_store
from ncfl.errors import InputError

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


def test_stored_degradation_takes_the_place_of_noise(tmp_path):
    splits = {"train": [("a", coordinates(0)), ("b", coordinates(50))]}
    write_store(tmp_path / "s", dataset="d", source="x", stand_in=True, splits=splits, details={})
    path = tmp_path / "s" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["clips"][0]["files"]["degraded"] = manifest["clips"][1]["files"]["clean"]
    path.write_text(json.dumps(manifest | {"clips": manifest["clips"][:1]}))
    batch = sampler(ClipStore(tmp_path / "s"), sigma=None).batch(2)
    difference = ((batch.noisy - batch.clean) * 255).round()
    assert (difference[:, :, 0] == 50).all()  # red: the other clip's time; the same window, patch and flips
    assert (difference[:, :, 1:] == 0).all()


# Refusals


def test_clip_shorter_than_the_window(store):
    with pytest.raises(InputError, match=r"000_zero\.npy: clip zero has 7 frames, training takes 8 in a row"):
        sampler(store, frames=8)


def test_clip_smaller_than_the_patch(store):
    with pytest.raises(InputError, match="clip zero has 60 x 80 pixels, training takes patches of 61 x 61"):
        sampler(store, patch=61)


def test_clips_with_different_channels(tmp_path):
    four = [np.zeros((48, 64, 4), np.uint8)] * 12
    splits = {"train": [("rgb", film()), ("packed", four)]}
    write_store(tmp_path / "s", dataset="d", source="x", stand_in=True, splits=splits, details={})
    with pytest.raises(InputError, match="clip packed has 4 channels, clip rgb has 3"):
        sampler(ClipStore(tmp_path / "s"))


def test_missing_split(store):
    with pytest.raises(InputError, match="no clips in split validation"):
        sampler(store, split="validation")
