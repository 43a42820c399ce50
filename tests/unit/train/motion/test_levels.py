"""Motion estimation level by level: real pairs, reduced noise, and a level that learns while the others rest."""

import numpy as np
import pytest
import torch
from helpers.clip_samples import pan

from ncfl.common.errors import InputError
from ncfl.data.packed import Pack, PackedClip
from ncfl.data.synthetic.photographs import TRAIN_PHOTOGRAPHS, load
from ncfl.models.motion import SPyNet
from ncfl.train.motion import alignment, levels
from ncfl.train.motion import start as begin
from ncfl.train.motion.levels import Level, draw, reduced, train_level
from ncfl.train.motion.pairs import Pairs
from ncfl.train.motion.real_pairs import real_pairs
from ncfl.train.motion.start import start


def panning(shift: int = 3) -> PackedClip:
    """A photograph that moves to the left by whole pixels: x_t(p) = x_prev(p + shift)."""
    return PackedClip("pan", pan(5 * shift + 1, 96, 128)[::shift])


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


def test_a_network_of_twice_the_channels_computes_the_same(monkeypatch):
    monkeypatch.setattr(begin, "TWINS", 0.0)
    torch.manual_seed(0)
    narrow = SPyNet(levels=3, width=0.25)
    for level in narrow.levels:
        torch.nn.init.normal_(level[-1].weight, std=0.01)
    x_t, x_prev = torch.rand(2, 1, 3, 32, 48)
    wide = begin.widened(narrow, torch.Generator())
    assert wide.arguments == {"levels": 3, "width": 0.5}
    assert narrow(x_t, x_prev).abs().max() > 0.01
    assert torch.allclose(wide(x_t, x_prev), narrow(x_t, x_prev), atol=1e-5)


def test_the_noise_that_tells_twins_apart_is_faint():
    torch.manual_seed(0)
    narrow = SPyNet(levels=2, width=0.5)
    wide = begin.widened(narrow, torch.Generator().manual_seed(0)).levels[0][0].weight
    assert not torch.equal(wide[0], wide[1])
    assert torch.allclose(wide[0], wide[1], atol=0.2 * wide.std().item())


def test_channels_that_do_not_double_are_refused():
    with pytest.raises(InputError, match=r"levels\.0\.2\.weight has 1 channels, which do not double"):
        begin.widened(SPyNet(levels=1, width=0.02), torch.Generator())


def test_a_level_learns_and_the_others_rest(tmp_path):
    torch.manual_seed(0)
    spynet = SPyNet(levels=2, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    before = [parameter.clone() for parameter in spynet.levels[1].parameters()]
    x = torch.nn.functional.avg_pool2d(torch.rand(4, 3, 68, 68), 5, 1)
    pool = reduced(Pairs(x[..., :64, 2:], x[..., :64, :-2], torch.full((4, 2, 64, 62), 2.0)[..., :62]), 2)
    pool = Pairs(pool.x_t, pool.x_prev, torch.stack((torch.ones(4, 32, 31), torch.zeros(4, 32, 31)), 1))
    train_level(spynet, 0, Level(30, 1e-3, 4, 56), pool, 2, 0, (0.0, 0.0), tmp_path)
    assert any(parameter.abs().max() > 0 for parameter in spynet.levels[0][-1].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, spynet.levels[1].parameters(), strict=True))
    assert all(parameter.requires_grad for parameter in spynet.parameters())


def test_clips_smaller_than_the_window_are_enlarged_and_single_frames_passed_over():
    small = PackedClip("small", panning().frames[:, :48, :64])
    single = PackedClip("single", panning().frames[:1])
    pairs = real_pairs([small, single], 4, 64, seed=1)
    # Enlarged by 64 / 48, the pan of 3 pixels becomes one of 4.
    found = pairs.mv[:, 0].flatten(1).median(1).values.abs()
    assert torch.allclose(found, torch.full((4,), 4.0), atol=0.5)
    with pytest.raises(InputError, match="two frames"):
        real_pairs([single], 1, 64, seed=1)


def shifted(count: int = 4) -> Pairs:
    """Smooth random frames that pan: x_t(p) = x_prev(p + (2, 0))."""
    x = torch.nn.functional.avg_pool2d(torch.rand(count, 3, 68, 70, generator=torch.Generator().manual_seed(5)), 5, 1)
    motion = torch.tensor([2.0, 0.0])[None, :, None, None].expand(count, 2, 64, 64).contiguous()
    return Pairs(x[..., 2:66], x[..., :64], motion)


def test_the_warping_error_of_the_true_motion_is_zero_wherever_the_past_has_it():
    pairs = shifted()
    assert alignment.warping_error(pairs, pairs.mv).item() < 1e-6
    # Two columns on the right come from outside the frame before, and don't count.
    still = torch.zeros_like(pairs.mv)
    by_hand = (pairs.x_prev - pairs.x_t).abs()[..., :62].mean().item()
    assert alignment.warping_error(pairs, still).item() == pytest.approx(by_hand, rel=1e-5)


def test_all_levels_together_learn_what_to_look_up(tmp_path, monkeypatch):
    monkeypatch.setattr(alignment, "PATCH", 64)
    monkeypatch.setattr(alignment, "LEARNING_RATE", 1e-3)
    torch.manual_seed(0)
    spynet = SPyNet(levels=2, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    pairs = shifted()
    before = alignment.warping_error(pairs, spynet(pairs.x_t, pairs.x_prev)).item()
    alignment.align(spynet, pairs, iterations=30, seed=1, sigma=(0.0, 10.0), resume=tmp_path / "resume")
    assert alignment.warping_error(pairs, spynet(pairs.x_t, pairs.x_prev)).item() < 0.9 * before
    assert not (tmp_path / "resume").exists()


def test_the_whole_leaves_its_levels_and_is_not_done_twice(tmp_path, monkeypatch):
    for name, value in {"WINDOW": 64, "RENDERED": 2, "REAL": 2}.items():
        monkeypatch.setattr(levels, name, value)
    monkeypatch.setattr(alignment, "PATCH", 32)
    photographs = load(TRAIN_PHOTOGRAPHS[:2])
    pack = Pack(photographs, photographs, [panning()], {}, "0" * 64)
    given = {
        "pack": pack,
        "output": tmp_path,
        "resume": tmp_path / "resume",
        "width": 0.125,
        "seed": 1,
        "max_motion": 4.0,
        "sigma": (0.0, 10.0),
        "levels": (Level(2, 1e-3, 2, 64), Level(2, 1e-3, 1, 32)),
        "aligned": 2,
    }
    found = levels.pretrain_levels(**given)
    assert {"epe", "epe_zero", "warp_gain_db_sigma40"} <= set(found)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("level*.pt")}
    assert sorted(written) == ["level0.pt", "level1.pt"]
    assert levels.pretrain_levels(**given) == found
    assert written == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("level*.pt")}
