"""The comparison behind the paper's claim: networks that differ in one thing, and the table of what came out."""

import csv

import pytest
import torch
from helpers.clip_samples import pan
from helpers.data_samples import pictures
from helpers.tiny_networks import SIZES

from ncfl.data import footage
from ncfl.data.footage import Phase
from ncfl.data.packed import Pack, PackedClip
from ncfl.data.synthetic.photographs import TRAIN_PHOTOGRAPHS, load
from ncfl.models import variants
from ncfl.release.claim import NETWORKS, compare, started, tables
from ncfl.train.recipes import Recipe
from ncfl.weights import checkpoint


@pytest.fixture
def source(tmp_path) -> checkpoint.Checkpoint:
    torch.manual_seed(3)
    path = tmp_path / "source.pt"
    checkpoint.save(path, model=variants.m_f(**SIZES), extra={})
    return checkpoint.load(path)


def test_all_start_from_the_same_restoration_and_motion_estimation(source):
    models = [started(compared, source, None) for compared in NETWORKS.values()]
    assert [model.compression is None for model in models] == [True, False, False, False]
    for model in models:
        assert model.attention is None
        for part in ("restoration", "motion"):
            own = getattr(model, part).state_dict()
            assert own
            assert all(torch.equal(own[key], source.state[f"{part}.{key}"]) for key in own)


def test_the_table_says_what_was_measured_and_what_differs(tmp_path):
    def of(psnr, memory):
        return {"pan": {"30": {"psnr": psnr, "memory": memory}, "50": {"psnr": psnr - 2, "memory": memory}}}

    figures = {
        "M_b": {1: of(30.0, 0.5), 2: of(30.2, 0.5)},
        "M_d": {1: of(30.3, 0.8), 2: of(30.3, 0.9)},
        "M_d, weak rate term": {1: of(30.4, 0.8), 2: of(30.6, 0.9)},
        "M_d, no rate term": {1: of(30.3, 0.8), 2: of(30.4, 0.9)},
    }
    text = tables(figures, {"noisy input": {"pan": {"30": 18.6, "50": 14.2}}}, tmp_path / "claim.csv")
    assert "| M_d | 30.30 (+0.80) | 30.30 (+0.90) | 28.30 (+0.80) | 28.30 (+0.90) |" in text
    assert "- M_d against M_b, sigma 30: mean +0.20 dB, +0.10 to +0.30" in text
    assert "- M_d, weak rate term against M_d, no rate term, sigma 50: mean +0.15 dB, +0.10 to +0.20" in text
    assert "| noisy input | 18.60 | 18.60 | 14.20 | 14.20 |" in text
    with (tmp_path / "claim.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 4 + 2
    assert rows[0] == {
        "clip": "pan",
        "network": "M_b",
        "sigma": "30",
        "seed": "1",
        "psnr_db": "30.0000",
        "memory_gain_db": "0.5000",
    }


def test_trains_measures_and_goes_on(tmp_path, source, monkeypatch):
    photograph = load(TRAIN_PHOTOGRAPHS[:1])[TRAIN_PHOTOGRAPHS[0]]
    pack = Pack({TRAIN_PHOTOGRAPHS[0]: photograph}, {}, [PackedClip("pan", pan(8, 128, 160))], {}, "0" * 64)
    clip = pictures(tmp_path / "other", pan(7, 32, 48, top=100, left=50))
    monkeypatch.setattr(footage, "STATISTICS_BATCHES", 1)
    phases = (Phase(0.5, 2, 1, 32), Phase(0.5, 1, 2, 32))
    training = {"learning_rate": 1e-4, "motion_learning_rate": 1e-5, "warmup": 1, "freeze_motion": 0}
    recipe = Recipe(
        name="tiny",
        sizes=SIZES,
        flow={},
        training=training,
        phases=phases,
        going_on=phases,
        again={},
        with_memory=phases,
        iterations=(1, 1, 1),
    )
    given = {
        "pack": pack,
        "recipe": recipe,
        "source": source,
        "motion": None,
        "clips": [clip],
        "seeds": [1],
        "iterations": (1, 1),
        "output": tmp_path / "out",
    }
    text = compare(**given)
    assert text.count("| M_") == 4
    assert (tmp_path / "out" / "claim.md").read_text() == text
    written = (tmp_path / "out" / "seed-1" / "m-d" / "stage2" / "checkpoint.pt").stat().st_mtime_ns
    assert compare(**given) == text
    assert (tmp_path / "out" / "seed-1" / "m-d" / "stage2" / "checkpoint.pt").stat().st_mtime_ns == written
