"""Files as people have them among training clips: clipped noise, gray, cuts, speeds; and nothing else changed."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.clip_samples import pan

from ncfl.common.errors import InputError
from ncfl.data.packed import PackedClip
from ncfl.data.sampler import TrainingSampler
from ncfl.data.variety import Variety, as_file, grayed
from ncfl.train.config import TrainConfig

FRAMES, LENGTH = 5, 21


class Store:
    """Two clips whose frames say which clip and which time they are of: constant, 10 apart, the second above 125."""

    root = "here"

    def split(self, name: str) -> list[PackedClip]:
        def clip(name: str, first: int) -> PackedClip:
            values = first + 5 * np.arange(LENGTH, dtype=np.uint8)
            return PackedClip(name, np.broadcast_to(values[:, None, None, None], (LENGTH, 40, 40, 3)).copy())

        return [clip("low", 10), clip("high", 140)]


class Photographs:
    root = "here"

    def split(self, name: str) -> list[PackedClip]:
        return [PackedClip("moving", pan(LENGTH, 40, 40))]


def batches(store, variety: Variety, count: int = 40, **changes: object):
    given = {"patch": 32, "frames": FRAMES, "batch": 2, "seed": 3, "variety": variety} | changes
    sampler = TrainingSampler(store, **given)
    return [sampler.batch(iteration) for iteration in range(count)]


def test_clipped_noise_is_what_a_file_of_8_bits_holds():
    seen = []
    for batch in batches(Photographs(), Variety(clipped=0.5), sigma=40.0):
        for noisy, clean in zip(batch.noisy, batch.clean, strict=True):
            in_file = bool((noisy >= 0).all() and (noisy <= 1).all())
            seen.append(in_file)
            if in_file:
                assert torch.equal((noisy * 255).round() / 255, noisy)
                assert noisy.min() == 0 or noisy.max() == 1  # one of the bounds is reached in 15,000 samples
                inner = (clean > 0.6) & (
                    clean < 0.65
                )  # where hardly anything is clipped the level is the one asked for
                assert not inner.sum() > 500 or (noisy - clean)[inner].std() * 255 == pytest.approx(40, rel=0.1)
    assert 0.35 < np.mean(seen) < 0.65


def test_gray_clips_have_equal_channels_and_equal_noise():
    shares = []
    for batch in batches(Photographs(), Variety(gray=0.3), sigma=30.0):
        for noisy, clean in zip(batch.noisy, batch.clean, strict=True):
            gray = bool((noisy == noisy[:, :1]).all())
            shares.append(gray)
            assert bool((clean == clean[:, :1]).all()) == gray
            assert (noisy - clean).std() * 255 == pytest.approx(30, rel=0.05)
    assert 0.15 < np.mean(shares) < 0.45


def test_gray_is_luma():
    frames = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    red, green, blue = frames.transpose(1, 0, 2, 3)
    luma = np.round(255 * (0.299 * red + 0.587 * green + 0.114 * blue)) / 255  # BT.601
    np.testing.assert_allclose(grayed(frames), np.stack([luma] * 3, 1), atol=1e-6)


def test_a_cut_goes_on_with_another_window_and_both_are_named():
    cuts = set()
    for batch in batches(Store(), Variety(cuts=1.0), count=80, sigma=None):
        for clean, name in zip(batch.clean, batch.clips, strict=True):
            values = (clean[:, 0, 0, 0] * 255).round().int().tolist()
            first, second = name.split(" then ")
            jumps = [t + 1 for t, (a, b) in enumerate(pairwise(values)) if b - a != 5]
            assert len(jumps) <= 1  # none where the second window happens to go on right there
            assert (values[0] > 125, values[-1] > 125) == (first == "high", second == "high")
            cuts |= set(jumps)
    assert cuts == {1, 2, 3, 4}


def test_speeds_leave_frames_out_as_far_as_a_clip_is_long_enough():
    steps = []
    for batch in batches(Store(), Variety(speeds=(1, 1, 3, 9)), count=100, sigma=None):
        for clean in batch.clean:
            values = (clean[:, 0, 0, 0] * 255).round().int().tolist()
            step = {(b - a) // 5 for a, b in pairwise(values)}
            assert len(step) == 1
            steps += step
    assert set(steps) == {1, 3, 5}  # 21 frames: every fifth one gives five, every ninth does not
    assert steps.count(1) / len(steps) == pytest.approx(0.5, abs=0.12)


def test_a_camera_takes_the_place_of_white_noise_in_its_share_of_clips_and_changes_nothing_else():
    variety = Variety(cuts=0.3, speeds=(1, 2))
    shares = []
    for plain, filmed in zip(
        batches(Photographs(), variety, sigma=30.0),
        batches(Photographs(), variety._replace(camera=0.4), sigma=30.0),
        strict=True,
    ):
        assert torch.equal(plain.clean, filmed.clean)
        assert plain.clips == filmed.clips
        for number in range(2):
            same = torch.equal(plain.noisy[number], filmed.noisy[number])
            shares.append(not same)
            assert same == (filmed.sigma[number] == 30)
            if not same:
                assert torch.equal((filmed.noisy[number] * 255).round() / 255, filmed.noisy[number])
    assert 0.25 < np.mean(shares) < 0.55


def test_a_gray_clip_that_is_filmed_stays_gray():
    for batch in batches(Photographs(), Variety(gray=1.0, camera=1.0), count=5):
        assert torch.equal(batch.noisy, batch.noisy[:, :, :1].expand_as(batch.noisy))


def test_without_variety_batches_are_those_of_before_and_with_it_they_are_functions_of_the_iteration():
    plain = batches(Photographs(), Variety(), count=2)
    rng = np.random.default_rng((3, 1))  # as the sampler documents: clips, levels, windows, noise, in this order
    rng.integers(1, size=2)
    np.testing.assert_array_equal(plain[1].sigma, rng.uniform(0, 55, size=2).astype(np.float32))
    variety = Variety(0.5, 0.5, 0.5, (1, 2))
    one, again = batches(Photographs(), variety, count=3), batches(Photographs(), variety, count=3)
    for a, b in zip(one, again, strict=True):
        assert torch.equal(a.noisy, b.noisy)
        assert torch.equal(a.clean, b.clean)


def test_values_of_a_file_are_multiples_of_a_255th():
    np.testing.assert_array_equal(as_file(np.float32([-0.3, 0.4999, 1.2])), np.float32([0, 127 / 255, 1]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clipped": 1.5}, r"training.clipped: expected a share of the clips, 0 ... 1, got 1.5"),
        ({"gray": True}, "training.gray: expected a share of the clips, 0 ... 1, got True"),
        ({"cuts": -0.1}, "training.cuts: expected a share of the clips, 0 ... 1, got -0.1"),
        ({"camera": 2}, "training.camera: expected a share of the clips, 0 ... 1, got 2"),
        ({"speeds": ()}, r"training.speeds: expected integers from 1 up, at least one, got \[\]"),
        ({"speeds": [1, 0]}, r"training.speeds: expected integers from 1 up, at least one, got \[1, 0\]"),
    ],
)
def test_what_is_no_share_and_no_speed_is_refused(changes, said):
    with pytest.raises(InputError, match=said):
        TrainConfig(**changes)


def test_raw_frames_take_no_variety():
    class Raw:
        root = "raw"

        def split(self, name: str) -> list:
            clip = PackedClip("mosaic", np.zeros((6, 40, 40, 4), np.uint8))
            return [type("Raw", (PackedClip,), {"bayer": "RGGB"})(*clip)]

    with pytest.raises(
        InputError,
        match=r"training.clipped, gray.*: expected 0, 0, 0, \[1\] and 0, since .*, got 0.5, 0, 0, \[1\] and 0",
    ):
        TrainingSampler(Raw(), patch=32, frames=5, batch=1, seed=1, variety=Variety(clipped=0.5))
