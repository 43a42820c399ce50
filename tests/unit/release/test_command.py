"""``tools/pretrain`` as it is typed: pack, train, bench, export; and what it says to bad input."""

import csv
import dataclasses
import functools
import json

import pytest
import torch
from helpers.clip_samples import pan
from helpers.command_line import pretrain as run
from helpers.data_samples import pictures
from helpers.tiny_networks import SIZES

from ncfl.common.errors import InputError
from ncfl.data import footage
from ncfl.data.footage import Phase
from ncfl.models.motion import SPyNet
from ncfl.models.variants import m_f
from ncfl.profile import schedule_time as bench
from ncfl.profile import time_budget
from ncfl.release import background, starts
from ncfl.release.starts import write_motion
from ncfl.train import recipes
from ncfl.train.motion import from_pack
from ncfl.train.motion.pretraining import Level
from ncfl.weights import checkpoint
from ncfl.weights import shipped as pretrained

PHASES = (Phase(0.5, 2, 1, 32), Phase(0.5, 1, 2, 32))


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The recipe called ``half`` at a size that trains in seconds."""
    made = dataclasses.replace(
        recipes.HALF,
        sizes=SIZES,
        flow={"width": 0.125, "max_motion": 4.0},
        phases=PHASES,
        going_on=PHASES,
        with_memory=PHASES,
    )
    monkeypatch.setitem(recipes.RECIPES, "half", made)
    plan = from_pack.FromPack(
        rendered=(from_pack.Rendered(2, 4.0),),
        real=2,
        window=64,
        levels=(Level(2, 1e-3, 2, 64), *[Level(2, 1e-3, 1, 32)] * 3),
        together=Level(2, 3e-4, 4, 32),
        held_out=(from_pack.Rendered(48, 4.0, 1),),
        held_out_window=96,
    )
    for module, name, value in (
        (from_pack, "level_by_level", lambda max_motion: plan),
        (time_budget, "level_by_level", lambda max_motion: plan),
        (footage, "SCENES", 2),
        (footage, "STATISTICS", 32),
        (footage, "STATISTICS_BATCHES", 1),
    ):
        monkeypatch.setattr(module, name, value)
    quick = functools.partial(time_budget.plan_iterations, seconds=0.01)
    monkeypatch.setattr("ncfl.release.training_from_pack.plan_iterations", quick)


@pytest.fixture
def pack(tmp_path):
    pictures(tmp_path / "clips" / "one", pan(8, 96, 128))
    pictures(tmp_path / "clips" / "two", pan(8, 96, 128, top=40))
    file = tmp_path / "pack.npz"
    assert run("pack", file, "--clips", tmp_path / "clips", "--hold-out", "two", "--licence", "CC0") == 0
    return file


def test_what_is_in_a_pack_is_said(tmp_path, capsys):
    pictures(tmp_path / "one", pan(2, 96, 128))
    assert run("pack", tmp_path / "a.npz", "--clips", tmp_path / "one", "--licence", "CC0", "--width", 256, 64) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.rpartition(",")[0] for line in said[:2]] == ["one: 2 frames of 128x96", "one 64: 2 frames of 64x48"]
    assert said[-1] == f"{tmp_path / 'a.npz'}: {(tmp_path / 'a.npz').stat().st_size} bytes"


def test_packs_trains_goes_on_with_a_memory_and_exports(pack, tmp_path, capsys):
    capsys.readouterr()
    train = ("train", "--pack", pack, "--output", tmp_path / "run")
    assert run(*train, "--stage-iterations", 2, 2, "--flow-iterations", 10) == 0
    first = tmp_path / "run" / "experiments" / "ncfl-half" / "stage2" / "checkpoint.pt"
    assert capsys.readouterr().out == f"{first}: written\n"
    metrics = json.loads((first.parent / "metrics.json").read_text())
    assert (metrics["iterations"], metrics["iterations_in_all"]) == (2, 4)
    stage1 = list(csv.DictReader((first.parents[1] / "stage1" / "history.csv").open(newline="")))
    assert [row["iteration"] for row in stage1] == ["2"]
    assert float(stage1[0]["loss"]) > float(stage1[0]["l2"])  # the rate term
    told = background.read_background(tmp_path / "run")
    assert told.iterations == {"stage1": 2, "stage2": 2}
    assert [clip["name"] for clip in told.clips] == ["one"]
    assert told.seconds > 0

    motion = ("--flow", tmp_path / "run" / "flow" / "spynet.pt")
    more = ("train", "--pack", pack, "--output", tmp_path / "more", "--start", first, *motion, "--memory")
    assert run(*more, "--stage-iterations", 0, 2) == 0
    second = checkpoint.load(tmp_path / "more" / "experiments" / "ncfl-half" / "stage2" / "checkpoint.pt")
    assert second.extra["started_from"]["iterations"] == 4
    spynet = checkpoint.load(motion[1]).state
    assert all(torch.equal(second.state[f"motion.{key}"], value) for key, value in spynet.items())  # it rested

    model = checkpoint.load_model(first)
    torch.nn.init.constant_(model.motion.levels[0][0].bias, 0.25)
    write_motion(tmp_path / "motion.safetensors", model.motion, "as it ships")
    again = ("train", "--pack", pack, "--output", tmp_path / "again", "--start", first, "--freeze-motion")
    assert run(*again, "--flow", tmp_path / "motion.safetensors", "--stage-iterations", 0, 1) == 0
    third = checkpoint.load(tmp_path / "again" / "experiments" / "ncfl-half" / "stage2" / "checkpoint.pt").state
    assert third["motion.levels.0.0.bias"].tolist() == [0.25] * len(third["motion.levels.0.0.bias"])

    words = ("--sigma", 0, 55, "--default", "--description", "tiny", "--licence", "MIT", "--folder", tmp_path / "out")
    assert run("export", second.path, "tiny", *words) == 0
    shipped = pretrained.find(str(tmp_path / "out" / "tiny.safetensors"))
    assert shipped.load().state_dict().keys() == second.state.keys()


def test_a_finished_training_is_not_done_again_and_another_is_refused(pack, tmp_path, capsys):
    start = tmp_path / "start.pt"
    torch.manual_seed(1)
    checkpoint.save(start, model=m_f(**SIZES), extra={})
    given = ("train", "--pack", pack, "--output", tmp_path / "run", "--start", start, "--freeze-motion", "--gray", 0.2)
    assert run(*given, "--stage-iterations", 0, 2) == 0
    done = tmp_path / "run" / "experiments" / "ncfl-half" / "stage2" / "checkpoint.pt"
    written = done.stat().st_mtime_ns
    numbers = checkpoint.load(done).extra["training"]
    assert (numbers["gray"], numbers["clipped"]) == (0.2, recipes.FILES["clipped"])  # its own, and the recipe's
    assert run(*given) == 0
    assert done.stat().st_mtime_ns == written
    assert run(*given, "--stage-iterations", 0, 3) == 2
    assert run(*given, "--memory") == 2
    assert run(*given, "--speeds", 1, 2) == 2
    assert capsys.readouterr().err.count("expected the same pretraining, or another --output") == 3
    assert run(*given[:3], "--output", tmp_path / "no", *given[5:-1], 20) == 2
    assert capsys.readouterr().err.endswith("training.gray: expected a share of the clips, 0 ... 1, got 20.0\n")


def test_minutes_are_planned_by_a_measurement(pack, tmp_path, capsys):
    given = ("train", "--pack", pack, "--output", tmp_path / "run", "--minutes", 0.02)
    assert run(*given) == 0
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["minutes"] == 0.02
    assert min(plan["iterations"]) >= 1
    assert run(*given, "--stage-iterations", 1, 1) == 2
    assert "minutes: expected minutes or iterations, got both" in capsys.readouterr().err


def test_a_plan_fills_the_minutes(monkeypatch):
    """Of 10 minutes 92 % at 0.1 s per iteration: 5,520; 12 % for the motion, 18 % and 70 % for the stages."""
    monkeypatch.setattr(time_budget, "seconds_each", lambda *_: 0.1)
    machine = {"device": "cpu", "threads": 1}
    recipe = recipes.RECIPES["half"]
    assert time_budget.plan_iterations(recipe, 10, machine, warm=False) == (662, 994, 3864)
    assert time_budget.plan_iterations(recipe, 10, machine, warm=True) == (0, 0, 5520)


@pytest.mark.parametrize("option", ["--memory", "--freeze-motion", "--gray=0.5"])
def test_what_needs_weights_to_start_from_says_so(pack, tmp_path, capsys, option):
    assert run("train", "--pack", pack, "--output", tmp_path / "run", option) == 2
    assert "expected weights to start from (--start), got none" in capsys.readouterr().err


def test_no_pack_is_one_line(tmp_path, capsys):
    assert run("train", "--pack", tmp_path / "none.npz", "--output", tmp_path / "run") == 2
    assert capsys.readouterr().err.startswith("pretrain: ")
    assert not (tmp_path / "run").exists()


def test_the_bench_projects_the_papers_schedule(capsys, monkeypatch):
    monkeypatch.setitem(bench.MATRIX, "cpu", 64)
    assert run("bench", "--recipe", "half", "--device", "cpu", "--seconds", 0.01, "--window", 1, 2, 32) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["window"] == [1, 2, 32]
    for stage in ("stage1", "stage2"):
        measured = found[stage]
        assert measured["iterations"] == 50_000  # section 3 of the supplement
        larger = 16 * 5 * 128**2 / (1 * 2 * 32**2)  # the paper's window against the one measured
        assert measured["hours"] == pytest.approx(measured["seconds_per_iteration"] * 50_000 / 3600 * larger)
    assert found["hours"] == pytest.approx(found["stage1"]["hours"] + found["stage2"]["hours"])
    rate = found["share"] * found["matrix_gflops_per_second"]
    assert rate == pytest.approx(found["gflops"] / found["stage2"]["seconds_per_iteration"])


def test_the_bench_counts_what_a_convolution_costs(monkeypatch):
    """A network of one 3x3 convolution has 2 * 9 * C * C operations a pixel forward, and twice that backward."""
    convolution = torch.nn.Conv2d(8, 8, 3, padding=1)

    def step(*_, **__):
        x = torch.rand(1, 8, 32, 32, requires_grad=True)
        return lambda: convolution(x).sum().backward()

    monkeypatch.setattr(bench, "timed_step", step)
    monkeypatch.setitem(bench.MATRIX, "cpu", 64)
    found = bench.bench(recipes.RECIPES["half"], device="cpu", seconds=0.01, window=(1, 1, 32))
    assert found["gflops"] * 1e9 == pytest.approx(3 * 2 * 9 * 8 * 8 * 32 * 32)


def test_the_bench_refuses_a_window_that_no_training_takes(capsys):
    assert run("bench", "--recipe", "half", "--window", 1, 0, 32) == 2
    assert "training.frames" in capsys.readouterr().err


def test_motion_estimation_is_read_from_what_has_it(tmp_path, capsys):
    torch.manual_seed(3)
    spynet, other = SPyNet(levels=2, width=0.125), m_f(**SIZES)
    checkpoint.save(tmp_path / "spynet.pt", model=spynet, extra={})
    checkpoint.save(tmp_path / "network.pt", model=other, extra={})
    read = starts.motion_of(tmp_path / "spynet.pt").state_dict()
    assert all(torch.equal(read[name], value) for name, value in spynet.state_dict().items())
    with pytest.raises(InputError, match=r"network\.pt: expected a SPyNet, got ncfl"):
        starts.motion_of(tmp_path / "network.pt")
    with pytest.raises(InputError, match=r"none\.pt: no such file"):
        starts.motion_of(tmp_path / "none.pt")
