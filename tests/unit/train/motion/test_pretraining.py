"""Motion estimation level by level: real pairs, reduced noise, and a level that learns while the others rest."""

import numpy as np
import pytest
import torch
from helpers.clip_samples import pan
from helpers.train_samples import Silent

from ncfl.common.errors import InputError
from ncfl.data.packed import Pack, PackedClip
from ncfl.data.synthetic.photographs import TRAIN_PHOTOGRAPHS, load
from ncfl.models.motion import SPyNet
from ncfl.train.motion import first_filters as begin
from ncfl.train.motion import from_pack
from ncfl.train.motion.first_filters import start
from ncfl.train.motion.objectives import WARPING, warping_error
from ncfl.train.motion.pairs import Pairs
from ncfl.train.motion.pretraining import Level, MotionRecipe, draw, pretrain_motion, reduced, train_level
from ncfl.train.motion.real_pairs import real_pairs

NONE = Level(0, 1e-3, 1, 32)


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
    with pytest.raises(InputError, match=r"levels\.0\.2\.weight: expected channels that double, got 1"):
        begin.widened(SPyNet(levels=1, width=0.02), torch.Generator())


def test_a_level_learns_and_the_others_rest(tmp_path):
    torch.manual_seed(0)
    spynet = SPyNet(levels=2, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    before = [parameter.clone() for parameter in spynet.levels[1].parameters()]
    x = torch.nn.functional.avg_pool2d(torch.rand(4, 3, 68, 68), 5, 1)
    motion = torch.stack((torch.full((4, 64, 62), 2.0), torch.zeros(4, 64, 62)), 1)
    pool = Pairs(x[..., :64, 2:64], x[..., :64, :62], motion)
    recipe = MotionRecipe(levels=(Level(30, 1e-3, 4, 56),), together=NONE, sigma=(0.0, 0.0), seed=0)
    train_level(spynet, 0, pool, recipe, resume=tmp_path, progress=Silent)
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
    assert warping_error(pairs, pairs.mv).item() < 1e-6
    # Two columns on the right come from outside the frame before, and don't count.
    still = torch.zeros_like(pairs.mv)
    by_hand = (pairs.x_prev - pairs.x_t).abs()[..., :62].mean().item()
    assert warping_error(pairs, still).item() == pytest.approx(by_hand, rel=1e-5)


def test_all_levels_together_learn_what_to_look_up(tmp_path):
    torch.manual_seed(0)
    spynet = SPyNet(levels=2, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    pairs = shifted()
    before = warping_error(pairs, spynet(pairs.x_t, pairs.x_prev)).item()
    together = Level(30, 1e-3, 4, 64)
    recipe = MotionRecipe(together=together, criterion=WARPING, seed=1, sigma=(0.0, 10.0))
    given = {"output": tmp_path, "resume": tmp_path / "resume", "progress": Silent}
    done = pretrain_motion(spynet, pairs, recipe, write=lambda state: state.done, **given)
    assert done == 30
    assert warping_error(pairs, spynet(pairs.x_t, pairs.x_prev)).item() < 0.9 * before
    assert not (tmp_path / "resume").exists()


@pytest.mark.parametrize("together", [NONE, NONE._replace(iterations=2)])
def test_the_whole_leaves_its_levels_and_is_not_done_twice(together, tmp_path):
    photographs = load(TRAIN_PHOTOGRAPHS[:2])
    pack = Pack(photographs, photographs, [panning()], {}, "0" * 64)
    plan = from_pack.level_by_level(4.0)._replace(
        rendered=(from_pack.Rendered(2, 4.0),),
        real=2,
        window=64,
        levels=(Level(2, 1e-3, 2, 64), Level(2, 1e-3, 1, 32)),
        together=together,
        held_out=(from_pack.Rendered(4, 4.0, 1),),
    )

    def pretrain() -> dict[str, float]:
        spynet = from_pack.begun(0.125, 1, levels=2)
        given = {"pack": pack, "output": tmp_path, "resume": tmp_path / "resume", "seed": 1, "sigma": (0.0, 10.0)}
        return from_pack.pretrain(plan, spynet=spynet, **given)["4"]

    found = pretrain()
    assert {"epe", "epe_zero", "warp_gain_db_sigma40"} <= set(found)
    written = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("level*.pt")}
    assert sorted(written) == ["level0.pt", "level1.pt"]
    assert pretrain() == found
    assert written == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("level*.pt")}


def test_so_many_times_the_iterations():
    plan = from_pack.level_by_level(16.0)
    assert plan.iterations == 3000 + 1500 + 1000 + 800 + 3000
    short = plan.times(93 / plan.iterations)
    assert [level.iterations for level in short.levels] == [30, 15, 10, 8]
    assert short.together == (30, 3e-4, 4, 128)
    assert min(level.iterations for level in plan.times(0).levels) == 1
