"""What a pretraining draws: windows whose size follows its phases, and how often real clips are among them."""

import numpy as np
import pytest
import torch
from helpers.clip_samples import pan

from ncfl.common.errors import InputError
from ncfl.data.footage import REAL_SHARE, PackStore, Phase, PhasedSampler, render, single_frames
from ncfl.data.packed import Pack, PackedClip
from ncfl.data.synthetic.photographs import TRAIN_PHOTOGRAPHS, load

NOISE = (0.0, 55.0)


@pytest.fixture(scope="module")
def pack() -> Pack:
    clips = [PackedClip("long", pan(45, 48, 48)), PackedClip("short", pan(6, 48, 48))]
    return Pack(load(TRAIN_PHOTOGRAPHS[:2]), {}, clips, {}, "0" * 64)


def test_real_clips_are_drawn_as_often_as_stated_and_both_ways(pack):
    clips = PackStore(pack, 1, scenes=8).split("train")
    scenes = sum(clip.name.startswith("scene") for clip in clips)
    assert scenes == 8
    assert 1 - scenes / len(clips) == pytest.approx(REAL_SHARE, abs=0.05)
    by_name = {clip.name: clip.frames for clip in clips}
    assert np.array_equal(by_name["long backwards"], by_name["long"][::-1])
    names = [clip.name for clip in clips]
    assert names.count("long") == 2 * names.count("short")  # 45 // 20 against at least one


def test_the_windows_follow_the_phases(pack):
    phases = (Phase(0.25, 3, 1, 32), Phase(0.75, 1, 4, 16))
    sampler = PhasedSampler(PackStore(pack, 1, scenes=0), phases=phases, iterations=8, seed=1, sigma=NOISE)
    shapes = [tuple(sampler.batch(iteration).noisy.shape) for iteration in (0, 1, 2, 7, 8)]
    assert shapes == [(3, 1, 3, 32, 32)] * 2 + [(1, 4, 3, 16, 16)] * 3
    again = PhasedSampler(PackStore(pack, 1, scenes=0), phases=phases, iterations=8, seed=1, sigma=NOISE)
    assert torch.equal(sampler.batch(5).noisy, again.batch(5).noisy)


def test_what_cannot_be_drawn_is_refused(pack):
    footage = PackStore(pack, 1, scenes=0)
    for phases in ((), (Phase(0.5, 1, 1, 32),)):
        with pytest.raises(InputError, match="expected shares whose sum is 1"):
            PhasedSampler(footage, phases=phases, iterations=8, seed=1, sigma=NOISE)
    with pytest.raises(InputError, match="short: expected at least 7 frames in a row, for training, got 6"):
        PhasedSampler(footage, phases=(Phase(1.0, 1, 7, 32),), iterations=8, seed=1, sigma=NOISE)
    with pytest.raises(InputError, match="64 x 64"):
        PhasedSampler(footage, phases=(Phase(1.0, 1, 1, 64),), iterations=8, seed=1, sigma=NOISE)


def test_scenes_are_functions_of_their_seed_and_move(pack):
    one, again = (render(pack.photographs, 1, seed=3)[0].frames for _ in range(2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one[0], one[-1])
    assert not np.array_equal(one, render(pack.photographs, 1, seed=4)[0].frames)


def test_the_memory_is_fitted_to_single_noisy_frames(pack):
    wide = pack._replace(clips=[PackedClip("wide", pan(2, 96, 96))])
    frames = single_frames(PackStore(wide, 1, scenes=0), seed=1, sigma=NOISE)
    assert {tuple(frame.shape) for frame in frames} == {(4, 3, 96, 96)}
