"""Motion estimation level by level: real pairs, reduced noise, and a level that learns while the others rest."""

import numpy as np
import pytest
import torch

from ncfl.data.synthetic.photographs import TRAIN_PHOTOGRAPHS, load
from ncfl.models.motion import SPyNet
from ncfl.pretraining.levels import Level, draw, reduced, train_level
from ncfl.pretraining.pack import PackedClip
from ncfl.pretraining.real_pairs import real_pairs
from ncfl.train.flow_pairs import Pairs
from ncfl.train.flow_start import start


def panning(shift: int = 3) -> PackedClip:
    """A photograph that moves to the left by whole pixels: x_t(p) = x_prev(p + shift)."""
    photograph = load(TRAIN_PHOTOGRAPHS[:1])[TRAIN_PHOTOGRAPHS[0]]
    return PackedClip("pan", np.stack([photograph[:96, t * shift : t * shift + 128] for t in range(6)]))


def test_the_motion_of_real_pairs_is_that_of_the_pan():
    pairs = real_pairs([panning()], 4, 64, seed=1)
    found = pairs.mv[:, 0].flatten(1).median(1).values.abs()
    assert torch.allclose(found, torch.full((4,), 3.0), atol=0.3)
    assert pairs.x_t.shape == (4, 3, 64, 64)
    assert 0 <= pairs.x_t.min() <= pairs.x_t.max() <= 1


def test_windows_are_a_function_of_their_seed():
    one, other = (real_pairs([panning()], 3, 64, seed=1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one.x_t, real_pairs([panning()], 3, 64, seed=2).x_t)


def test_noise_of_reduced_frames_is_that_of_the_mean():
    pool = reduced(Pairs(torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256), torch.zeros(1, 2, 256, 256)), 4)
    batch = draw(pool, Level(1, 1e-3, 2, 256), 4, (40.0, 40.0), np.random.default_rng(0))
    # The pool may be inverted, which moves the mean, not the spread.
    assert (batch.x_t - batch.x_t.mean((2, 3), keepdim=True)).std().item() == pytest.approx(40 / 255 / 4, rel=0.05)


def test_a_level_learns_and_the_others_rest(tmp_path):
    torch.manual_seed(0)
    spynet = SPyNet(levels=2, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    before = [parameter.clone() for parameter in spynet.levels[1].parameters()]
    x = torch.nn.functional.avg_pool2d(torch.rand(4, 3, 68, 68), 5, 1)
    pool = reduced(Pairs(x[..., :64, 2:], x[..., :64, :-2], torch.full((4, 2, 64, 62), 2.0)[..., :62]), 2)
    pool = Pairs(pool.x_t, pool.x_prev, torch.stack((torch.ones(4, 32, 31), torch.zeros(4, 32, 31)), 1))
    train_level(spynet, 0, Level(30, 1e-3, 4, 56), pool, 2, 0, (0.0, 0.0), tmp_path, 60.0)
    assert any(parameter.abs().max() > 0 for parameter in spynet.levels[0][-1].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, spynet.levels[1].parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in spynet.parameters())
