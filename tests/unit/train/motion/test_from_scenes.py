"""Pretraining of motion estimation: the pairs' geometry, the first filters, and that it learns, stops and goes on."""

import csv
import json

import numpy as np
import pytest
import torch
from helpers.train_samples import Silent

from ncfl.common.errors import InputError
from ncfl.models.motion import SPyNet, warp
from ncfl.train.motion import from_scenes as flow
from ncfl.train.motion import objectives
from ncfl.train.motion.first_filters import gradient_filters, start
from ncfl.train.motion.held_out import measure
from ncfl.train.motion.objectives import coarse_error, end_point_error
from ncfl.train.motion.pairs import MARGIN, Pairs, draw, noisy, render_pairs
from ncfl.weights import checkpoint


def photographs(seed):
    """Blurred noise: texture everywhere, at two scales."""
    import cv2

    rng = np.random.default_rng(seed)
    found = {}
    for name in ("a", "b"):
        fine, coarse = (
            cv2.GaussianBlur(rng.standard_normal((300, 300, 3)).astype(np.float32), (0, 0), s) * s for s in (2, 6)
        )
        found[name] = np.clip(128 + 60 * (fine + coarse), 0, 255).astype(np.uint8)
    return found


@pytest.fixture(scope="module")
def train_photographs():
    return photographs(0)


def numbers(**changes):
    few = {
        "levels": 2,
        "width": 0.25,
        "iterations": 6,
        "batch": 4,
        "patch": 32,
        "learning_rate": 2e-3,
        "max_motion": 1.5,
        "device": "cpu",
        "log_every": 2,
        "checkpoint_seconds": 1e9,
    }
    return flow.FlowTraining(**{**few, **changes})


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(flow, "POOL", 8)
    monkeypatch.setattr(flow, "HELD_OUT", 4)


def pretrain(folder, training, train_photographs, **changes):
    return flow.pretrain_flow(
        training=training,
        photographs=train_photographs,
        held_out=photographs(1),
        output=folder / "flow",
        resume=folder / "resume",
        progress=Silent,
        **changes,
    )


def test_end_point_error_by_hand():
    mv = torch.zeros(1, 2, 1, 2)
    target = torch.tensor([[[[3.0, 0.0]], [[4.0, 1.0]]]])  # (3, 4) and (0, 1): lengths 5 and 1
    assert end_point_error(mv, target).item() == pytest.approx(3.0)


def test_rate_rises_for_a_twentieth_and_falls_as_a_cosine():
    training = numbers(iterations=100, learning_rate=1.0)
    recipe = training.recipe()
    config = recipe.config(recipe.together)
    rates = np.array([config.rates(i)["rest"] for i in range(100)])
    fall = (1 + np.cos(np.pi * np.arange(100) / 100)) / 2
    np.testing.assert_allclose(rates[:5], fall[:5] * np.array([0.2, 0.4, 0.6, 0.8, 1.0]), rtol=1e-12)
    np.testing.assert_allclose(rates[5:], fall[5:], rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_turned_pairs_keep_their_motion(seed):
    # A ramp in x and y per channel shifted by a whole vector field: warping must undo it however the pair is turned.
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    u, v = 1.5, -2.0
    image = torch.stack((columns, rows, columns + 2 * rows))[None] / 200
    shifted = torch.stack((columns + u, rows + v, columns + u + 2 * (rows + v)))[None] / 200
    mv = torch.tensor([u, v]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    pool = Pairs(shifted, image, mv)  # x_t(p) = x_prev(p + mv)
    x_t, x_prev, turned = draw(pool, 4, 64 - MARGIN, (0.0, 0.0), np.random.default_rng(seed))
    inner = np.s_[..., 4:-4, 4:-4]
    torch.testing.assert_close(warp(x_prev, turned)[inner], x_t[inner], atol=1e-5, rtol=0)


def test_draws_are_functions_of_their_generator(train_photographs):
    pool = render_pairs(train_photographs, 3, 32 + MARGIN, 0, 2.0)
    one, two, other = (draw(pool, 5, 32, (0.0, 55.0), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(map(torch.equal, one, two))
    assert not torch.equal(one.x_t, other.x_t)
    assert one.x_t.shape == one.x_prev.shape == (5, 3, 32, 32)
    assert one.mv.shape == (5, 2, 32, 32)


def test_noise_has_its_level_and_differs_between_frames():
    level = np.array([0.1, 0.2]).reshape(2, 1, 1, 1)
    rng = np.random.default_rng(0)
    first, second = (noisy(torch.zeros(2, 3, 64, 64), level, rng) for _ in range(2))
    assert first.std(dim=(1, 2, 3)).numpy() == pytest.approx([0.1, 0.2], rel=0.03)
    assert abs(torch.corrcoef(torch.stack((first[0].flatten(), second[0].flatten())))[0, 1]) < 0.03


def test_first_filters_answer_to_differences_in_time_and_space():
    filters = gradient_filters(8).double()
    assert filters.flatten(1).norm(dim=1).numpy() == pytest.approx(np.ones(8))
    assert not filters[:, 6:].any()  # the flow itself is left out
    k = torch.arange(-3.0, 4.0, dtype=torch.float64)
    still = torch.ones(7, 7, dtype=torch.float64).expand(3, 7, 7)
    ramp_x, ramp_y = (k.expand(7, 7), k[:, None].expand(7, 7))

    def answer(x_t, x_prev):
        window = torch.cat((x_t.expand(3, 7, 7), x_prev.expand(3, 7, 7), torch.zeros(2, 7, 7, dtype=torch.float64)))
        return (filters * window).sum((1, 2, 3))

    zero = 0 * still
    signs = torch.tensor([1, 1, -1, -1] * 2, dtype=torch.float64)
    assert torch.equal(answer(still, zero).sign(), signs)  # brighter than before
    assert answer(still, still).numpy() == pytest.approx(np.zeros(8), abs=1e-7)  # no change, no edge
    edges = torch.tensor([1, -1, 1, -1], dtype=torch.float64)
    assert torch.equal(answer(ramp_x, ramp_x)[:4].sign(), edges)
    assert torch.equal(answer(ramp_y, ramp_y)[4:].sign(), edges)
    assert answer(ramp_y, ramp_y)[:4].numpy() == pytest.approx(np.zeros(4), abs=1e-6)


def test_starts_at_zero_motion():
    spynet = SPyNet(levels=3, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert not spynet(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)).any()
    again = SPyNet(levels=3, width=0.25)
    start(again, torch.Generator().manual_seed(0))
    assert all(map(torch.equal, spynet.state_dict().values(), again.state_dict().values()))


def test_measure_knows_the_truth(train_photographs):
    pairs = render_pairs(train_photographs, 2, 48, 3, 2.0)

    class Oracle(SPyNet):
        def forward(self, x_t, x_prev):
            return pairs.mv

    class Still(SPyNet):
        def forward(self, x_t, x_prev):
            return 0 * pairs.mv

    known = measure(Oracle(width=0.1), pairs, 0)
    assert known["epe"] == known["epe_sigma40"] == 0
    assert known["warp_gain_db"] > 3
    length = np.hypot(*pairs.mv.double().numpy().transpose(1, 0, 2, 3)).mean()
    assert known["epe_zero"] == pytest.approx(length, rel=1e-5)
    still = measure(Still(width=0.1), pairs, 0)
    assert still["epe"] == still["epe_zero"]
    assert still["warp_gain_db"] == pytest.approx(0, abs=1e-4)


def test_learns_motion(tmp_path, train_photographs, monkeypatch):
    monkeypatch.setattr(flow, "POOL", 48)
    monkeypatch.setattr(flow, "HELD_OUT", 8)
    training = numbers(iterations=120, batch=8, sigma=(0.0, 10.0))
    metrics = pretrain(tmp_path, training, train_photographs)
    assert metrics["epe"] < 0.85 * metrics["epe_zero"]
    assert metrics["warp_gain_db"] > 1


def test_writes_weights_metrics_and_curve(tmp_path, train_photographs, few):
    logged = []
    metrics = pretrain(tmp_path, numbers(), train_photographs, log=lambda *line: logged.append(line), extra={"a": 1})
    found = checkpoint.load(tmp_path / "flow/spynet.pt")
    assert (found.kind, found.arguments, found.extra["a"]) == ("spynet", {"levels": 2, "width": 0.25}, 1)
    SPyNet(**found.arguments).load_state_dict(found.state)
    written = json.loads((tmp_path / "flow/metrics.json").read_text())
    assert metrics.items() <= written.items()
    assert set(metrics) == {"epe_zero", "epe", "epe_sigma40", "warp_gain_db", "warp_gain_db_sigma40"}
    with (tmp_path / "flow/history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["iteration"]) for row in rows] == [step for step, _ in logged] == [2, 4, 6]
    assert float(rows[-1]["epe"]) == pytest.approx(logged[-1][1]["epe"], rel=1e-5)
    assert not (tmp_path / "resume").exists()


def files(folder):
    return [(folder / "flow" / name).read_bytes() for name in ("spynet.pt", "metrics.json", "history.csv")]


def test_going_on_changes_no_byte(tmp_path, train_photographs, few, monkeypatch):
    training = numbers(checkpoint_seconds=0)
    pretrain(tmp_path / "whole", training, train_photographs)

    class Stop(Exception):
        pass

    calls, draw_once = [], objectives.EVERY_LEVEL.draw

    def stopping(*given):
        calls.append(given[-1])
        if len(calls) == 6:  # two identify the training
            raise Stop
        return draw_once(*given)

    monkeypatch.setattr(flow, "EVERY_LEVEL", objectives.EVERY_LEVEL._replace(draw=stopping))
    with pytest.raises(Stop):
        pretrain(tmp_path / "cut", training, train_photographs)
    before = len(calls)
    pretrain(tmp_path / "cut", training, train_photographs)
    assert calls[before + 2] == 3  # 0, 1 and 2 were done
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_adopts_own_weights(tmp_path, few):
    training = numbers()
    spynet = SPyNet(levels=2, width=0.25)
    start(spynet, torch.Generator().manual_seed(0))
    torch.save(spynet.state_dict(), tmp_path / "plain.pt")
    checkpoint.save(tmp_path / "ours.pt", model=spynet, extra={})
    for name in ("plain.pt", "ours.pt"):
        metrics = flow.adopt_weights(
            weights=tmp_path / name, training=training, held_out=photographs(1), output=tmp_path / name[:-3]
        )
        assert metrics["epe"] == metrics["epe_zero"]  # untrained: zero motion
        assert (tmp_path / name[:-3] / "history.csv").exists()
        state = checkpoint.load(tmp_path / name[:-3] / "spynet.pt").state
        assert all(map(torch.equal, state.values(), spynet.state_dict().values()))


def test_takes_published_names_as_imported_weights_have_them(tmp_path):
    """The names of BasicSR's files, written down by hand from its published module tree."""
    from safetensors.torch import save_file

    training, spynet = numbers(levels=2), SPyNet(levels=2, width=numbers().width)
    published = {
        f"basic_module.{level}.basic_module.{layer}.{kind}": tensor
        for name, tensor in spynet.state_dict().items()
        for _, level, layer, kind in [name.split(".")]
    }
    save_file(published, tmp_path / "spynet.safetensors")
    flow.adopt_weights(
        weights=tmp_path / "spynet.safetensors", training=training, held_out=photographs(1), output=tmp_path / "flow"
    )
    state = checkpoint.load(tmp_path / "flow" / "spynet.pt").state
    assert state.keys() == spynet.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in spynet.state_dict().items())
    with pytest.raises(InputError, match=r"expected a SPyNet of 3 levels, .*, got 2"):
        flow.adopt_weights(
            weights=tmp_path / "spynet.safetensors", training=numbers(levels=3), held_out={}, output=tmp_path / "no"
        )


def test_refuses_foreign_weights(tmp_path):
    def refused(content, **changes):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(InputError) as caught:
            flow.adopt_weights(
                weights=tmp_path / "a.pt", training=numbers(**changes), held_out={}, output=tmp_path / "flow"
            )
        assert not (tmp_path / "flow").exists()
        return str(caught.value)

    assert "1 unknown: moduleBasic.0.weight)" in refused({"moduleBasic.0.weight": torch.zeros(1)})
    assert "expected a state dict of a SPyNet, got Tensor" in refused(torch.zeros(1))
    narrow = SPyNet(levels=2, width=0.125).state_dict()
    assert "levels.0.0.weight: expected [8, 8, 7, 7], got [4, 8, 7, 7]" in refused(narrow)
    deep = SPyNet(levels=3, width=0.25).state_dict()
    assert "expected a SPyNet of 2 levels, as motion.levels says, got 3" in refused(deep)
    with pytest.raises(InputError, match=r"none\.pt: no such file"):
        flow.adopt_weights(weights=tmp_path / "none.pt", training=numbers(), held_out={}, output=tmp_path)


def test_a_patch_that_the_coarsest_level_would_split_is_refused():
    with pytest.raises(InputError, match=r"motion\.patch: expected multiples of 8.*, got 36"):
        flow.FlowTraining(levels=4, iterations=1, batch=1, patch=36, learning_rate=1e-3, max_motion=4.0)


def test_coarser_levels_are_held_against_the_mean_motion_in_their_own_pixels():
    """A motion of (4, -2) pixels is one of (2, -1) at half size; a level that says (2, 0) is off by 1 there, 2 here."""
    target = torch.tensor([4.0, -2.0])[None, :, None, None].expand(1, 2, 8, 8)
    half = torch.tensor([2.0, 0.0])[None, :, None, None].expand(1, 2, 4, 4)
    assert coarse_error([half], target).item() == pytest.approx(2.0)
    quarter = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 2, 2)
    assert coarse_error([quarter, half], target).item() == pytest.approx(2.0 + 4 * 0.5)
