"""A clip that is looked at while a network is trained: what is told of it, and that the training does not notice."""

import numpy as np
import pytest
import torch
from helpers.train_samples import Sampler, numbers, run, tiny
from torch import nn

from ncfl.common.errors import InputError
from ncfl.data.store import ClipStore
from ncfl.data.store_writer import write_store
from ncfl.train import preview
from ncfl.train.config import two_stages
from ncfl.train.preview import KEY, Preview, WatchedClip, preview_of, restore, strip


class Seen:
    def __init__(self) -> None:
        self.points, self.pictures = [], []

    def log(self, step, values):
        self.points.append((step, dict(values)))

    def image(self, key, step, picture):
        self.pictures.append((key, step, picture))


class Held:
    """A clip in place of a store's."""

    def __init__(self, frames: int = 3, side: int = 16) -> None:
        batch = Sampler(seed=5, frames=frames).batch(0)
        self.noisy, self.clean, self.sigma = batch.noisy[0], batch.clean[0], 25.0


def watched(training, stage=0, model=None):
    seen = Seen()
    return seen, Preview(seen, model or tiny(), Held(), training, training.stages[stage])


class WithOne(nn.Module):
    """A network of one parameter."""

    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))


def test_points_are_few_and_have_the_first_and_the_last_of_a_stage():
    training = numbers(stages=two_stages(1000, 1002), log_every=10, batch=2, patch=16)
    _, first = watched(training)
    _, second = watched(training, stage=1)
    # A point costs a sixth of an iteration here (a clip of the patch's size, batches of two, forward alone).
    assert len(first.points) * (1 / 6) <= 0.012 * 1000
    assert (min(first.points), max(first.points), len(first.points)) == (10, 1000, 72)
    assert len(first.pictures) == 3
    assert {10, 1000} < first.pictures < first.points
    assert (min(second.points), max(second.points)) == (1010, 2002)
    assert second.points <= {*range(1010, 2001, 10), 2002}


def test_a_short_stage_has_what_it_has():
    _, found = watched(numbers(stages=two_stages(6, 6), log_every=4))
    assert found.points == found.pictures == {4, 6}


def test_the_curve_is_the_psnr_of_what_the_network_gives():
    class Halves(WithOne):
        def forward(self, x_t, state):
            assert state in (None, "so far")
            return type("Step", (), {"y_tilde": x_t.clamp(0, 1) * 0 + 0.5, "state": "so far"})

    seen, found = watched(numbers(stages=two_stages(6, 6), log_every=4), model=Halves())
    found.clip.clean = torch.full_like(found.clip.clean, 0.6)
    for step in (4, 5, 6):
        found.log(step, {"loss": 1.0})
    assert [step for step, _ in seen.points] == [4, 5, 6]
    # The squared error is 0.01 everywhere: 20 dB.
    assert seen.points[0][1] == {"loss": 1.0, "validation/psnr": pytest.approx(20, abs=1e-4)}
    assert seen.points[1][1] == {"loss": 1.0}
    assert [(key, step) for key, step, _ in seen.pictures] == [(KEY, 4), (KEY, 6)]


def test_a_training_with_a_preview_writes_the_same_bytes_as_without(tmp_path):
    training = numbers(log_every=2)
    run(tmp_path / "without", training)
    model = tiny()
    seen, found = watched(training, model=model)

    def log(step, values):
        torch_state = torch.get_rng_state()
        found.log(step, values)
        assert torch.equal(torch.get_rng_state(), torch_state)
        assert model.training

    run(tmp_path / "with", training, model=model, log=log)
    assert [step for step, values in seen.points if "validation/psnr" in values] == [2, 4, 6]
    for name in ("checkpoint.pt", "metrics.json", "history.csv"):
        assert (tmp_path / "with/stage1" / name).read_bytes() == (tmp_path / "without/stage1" / name).read_bytes()


def test_a_part_that_is_in_evaluation_all_the_time_stays_so():
    model = tiny().train()
    model.frame.eval()
    restore(model, Held())
    assert [module.training for module in (model, model.features, model.frame)] == [True, True, False]


def test_a_network_that_draws_numbers_disturbs_no_training():
    class Drawing(WithOne):
        def supervised(self, frames):
            return range(1, frames)

        def restore_clip(self, clip, sigma):
            assert sigma.tolist() == [25.0]
            return torch.rand_like(clip)[:, 1:]

    before = torch.get_rng_state()
    numbers_of_frames, restored = restore(Drawing(), Held(frames=4))
    assert numbers_of_frames == [1, 2, 3]
    assert restored.shape == (3, 3, 16, 16)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_fails_costs_one_line_and_the_curve(capsys):
    class Broken(WithOne):
        def forward(self, x_t, state):
            raise RuntimeError("no memory\nat all")

    seen, found = watched(numbers(stages=two_stages(6, 6), log_every=4), model=Broken())
    found.log(4, {"loss": 1.0})
    found.log(6, {"loss": 0.5})
    assert seen.points == [(4, {"loss": 1.0}), (6, {"loss": 0.5})]
    assert capsys.readouterr().err == ("warning: training goes on without its validation (RuntimeError: no memory)\n")


def test_three_frames_stand_side_by_side_large_enough_to_see():
    frames = [torch.full((3, 64, 48), value) for value in (0.0, 0.5, 1.0)]
    found = strip(frames)
    # 3 times: 192 rows; 3 frames of 144 columns and two gaps of 3.
    assert (found.shape, found.dtype) == ((192, 3 * 144 + 2 * 3, 3), np.uint8)
    assert [int(found[100, column, 0]) for column in (10, 144, 160, 292, 400)] == [0, 255, 128, 255, 255]


def test_packed_raw_is_shown_in_color():
    raw = torch.zeros(4, 200, 16)
    raw[0] = 1.0  # red alone
    found = strip([raw])
    assert found.shape == (200, 16, 3)
    assert found[0, 0].tolist() == [255, 0, 0]


@pytest.fixture
def store(tmp_path):
    def clips(count, side):
        rng = np.random.default_rng(side)
        return [(f"clip-{n}", list(rng.integers(0, 256, (4, side, side, 3), dtype=np.uint8))) for n in range(count)]

    def make(test: int = 1, side: int = 64) -> ClipStore:
        splits = {"train": clips(2, 64), "test": clips(test, side)}
        write_store(tmp_path / "store", dataset="davis", source="demo", stand_in=True, splits=splits, details={})
        return ClipStore(tmp_path / "store")

    return make


def test_the_clip_is_of_the_test_split_and_larger_than_a_patch_where_it_can_be(store):
    training = numbers(patch=32, frames=3)
    large = WatchedClip(store(), training, (0.0, 55.0))
    assert large.clean.shape == (3, 3, 48, 48)
    assert large.sigma == 27.5
    assert float((large.noisy - large.clean).std()) == pytest.approx(27.5 / 255, rel=0.05)
    assert torch.equal(WatchedClip(store(), training, (0.0, 55.0)).noisy, large.noisy)  # the same in the second stage
    small = WatchedClip(store(side=40), training, None)
    assert small.clean.shape == (3, 3, 32, 32)
    assert torch.equal(small.clean, small.noisy)


@pytest.mark.parametrize(("test", "side"), [(0, 64), (1, 24)])
def test_without_a_clip_to_look_at_the_run_gets_the_points_alone(store, test, side):
    training, seen = numbers(patch=32), Seen()
    with pytest.raises(InputError):
        WatchedClip(store(test, side), training, 25.0)
    assert preview_of(store(test, side), seen, tiny(), training, training.stages[0], 25.0) == seen.log


def test_a_clip_serves_a_training(store):
    training, seen = numbers(patch=32, log_every=3), Seen()
    log = preview_of(store(), seen, tiny(), training, training.stages[0], 25.0)
    log(3, {"loss": 1.0})
    assert "validation/psnr" in seen.points[0][1]
    assert preview.PICTURES >= len(seen.pictures) == 1
