"""Claims about the results in results/, checked on the files that a run left: `make results`, then `make claims`."""

import csv
import json
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ncfl.config import layout
from ncfl.config.params import load
from ncfl.data.sources.demo import DemoSource
from ncfl.data.store import ClipStore
from ncfl.weights.checkpoint import load_model

ROOT = Path(__file__).resolve().parents[2]
SIGMAS = ("10", "20", "30", "40", "50")
MEDIANS = ("median-3x3", "median-5x5")
CAST = 12.0  # of 255, between the mean shifts of two colors


@pytest.fixture(scope="module")
def params():
    return load(ROOT / "params.yaml")


def psnr(experiment: str, dataset: str, sigma: str) -> float:
    summary = json.loads((ROOT / layout.evaluation(experiment) / "summary.json").read_text())
    return summary["datasets"][dataset]["sigma"][sigma]["psnr"]


def table(name: str) -> list[dict[str, str]]:
    with (ROOT / layout.TABLES / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("dataset", ["set8", "davis"])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_ncfl_is_above_the_noisy_input_and_both_medians(sigma, dataset):
    ours = psnr("ncfl-davis", dataset, sigma)
    for other in ("noisy", *MEDIANS):
        assert ours > psnr(other, dataset, sigma), other


@pytest.mark.parametrize("sigma", ["30", "40", "50"])
def test_ncfl_is_a_decibel_above_the_better_median_under_strong_noise(sigma):
    assert psnr("ncfl-davis", "set8", sigma) >= 1 + max(psnr(median, "set8", sigma) for median in MEDIANS)


@pytest.fixture
def begun(params):
    """For claims that hold where NCFL's networks begin from a start: minutes from nothing say nothing of a memory."""
    if params.training.start is None:
        pytest.skip("params.yaml trains from nothing")


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("sigma", ["30", "40", "50"])
def test_from_the_start_ncfl_is_three_decibels_above_the_better_median(sigma):
    assert psnr("ncfl-davis", "set8", sigma) >= 3 + max(psnr(median, "set8", sigma) for median in MEDIANS)


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("name", [*(f"modules-{letter}" for letter in "bcde"), "ncfl-davis"])
def test_the_past_is_worth_something_to_every_variant_that_refines_it(name):
    summary = json.loads((ROOT / layout.evaluation(name) / "summary.json").read_text())
    assert summary["datasets"]["set8"]["memory"]["50"]["worth"] >= 0.3


@pytest.mark.usefixtures("begun")
def test_the_whole_method_is_above_the_plain_one():
    assert psnr("ncfl-davis", "set8", "50") >= 0.2 + psnr("modules-a", "set8", "50")


DENOISERS = ("vnlnet", "dvdnet", "fastdvdnet", "emvd-s", "emvd-l", "edvr", "basicvsr", "basicvsrpp")
QUARTER = ("edvr", "basicvsr", "basicvsrpp")  # learn slowly; the table names which are short of it, and why
ANEW = ("rmfd", "spaccnn")  # do not start from the frame; the table names which are below it, and why
DERAINERS = ("spaccnn", "j4rnet-p", "fcrvd", "rmfd", "basicvsrpp")
DEHAZERS = ("msbdn", "cg-idn", "basicvsrpp")


@pytest.fixture
def prepared(params):
    """For claims on the small forms of the compared methods, whose sizes and trainings only the demo chooses."""
    if params.preset != "demo":
        pytest.skip("params.yaml is not the demo")


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("method", DENOISERS)
@pytest.mark.parametrize("sigma", ["30", "40", "50"])
def test_every_learned_denoiser_is_half_a_decibel_above_the_better_median_or_the_table_names_it(method, sigma):
    medians = max(psnr(median, "davis", sigma) for median in MEDIANS)
    gain = psnr(f"{method}-davis", "davis", sigma) - medians
    if gain < 0.5:
        assert method in QUARTER, gain
        assert gain > -1.0
        rows = [row for row in table("table3") if row["sigma"] == sigma and row["experiment"] == f"{method}-davis"]
        named = f"{rows[0]['method']} at sigma = {sigma}"
        note = next(
            line
            for line in (ROOT / layout.TABLES / "table3.md").read_text().splitlines()
            if "above the better median" in line
        )
        assert named in note


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("method", DENOISERS)
def test_no_learned_denoiser_is_below_the_noisy_input_under_faint_noise(method):
    assert psnr(f"{method}-davis", "davis", "10") >= psnr("noisy", "davis", "10")


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("dataset", ["ntu-rain", "rainsynlight25"])
@pytest.mark.parametrize("method", DERAINERS)
def test_every_learned_derainer_is_above_its_rainy_input_or_the_table_names_it(method, dataset):
    summary = json.loads((ROOT / layout.evaluation(f"{method}-{dataset}") / "summary.json").read_text())
    found = summary["datasets"][dataset]["sigma"]["0"]
    if found["psnr"] <= found["input_psnr"] or found["ssim"] <= found["input_ssim"]:
        assert method in ANEW, found
        row = next(row for row in table("table4") if row["experiment"] == f"{method}-{dataset}")
        lines = (ROOT / layout.TABLES / "table4.md").read_text().splitlines()
        note = next(line for line in lines if "Below the rainy input" in line)
        assert f"{row['method']} on {row['dataset']}" in note


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("method", DEHAZERS)
def test_every_learned_dehazer_is_above_its_hazy_input(method):
    summary = json.loads((ROOT / layout.evaluation(f"{method}-revide") / "summary.json").read_text())
    found = summary["datasets"]["revide"]["sigma"]["0"]
    assert found["psnr"] > found["input_psnr"]


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("method", DEHAZERS)
def test_a_learned_dehazer_casts_no_color(method):
    folder = ROOT / layout.evaluation(f"{method}-revide") / "examples"
    restored, clean = (cv2.imread(str(next(folder.glob(f"*/*_{kind}.png")))) for kind in ("sigma0", "clean"))
    # A cast moves the colors of a whole frame apart; too dark or too bright a frame moves them together.
    shift = (restored.astype(float) - clean).mean((0, 1))
    assert np.ptp(shift) < CAST, shift


PAIRED = ("crvd", "rainsynlight25", "rainsyncomplex25", "rainsynall100", "ntu-rain", "revide")


@pytest.mark.parametrize("dataset", PAIRED)
def test_ncfl_improves_on_its_degraded_input(params, dataset):
    if f"ncfl-{dataset}" not in params.experiments:
        pytest.skip(f"params.yaml trains nothing on {dataset}")
    summary = json.loads((ROOT / layout.evaluation(f"ncfl-{dataset}") / "summary.json").read_text())
    found = summary["datasets"][dataset]
    spaces = {found["space"]: found["sigma"], **found.get("spaces", {})}
    assert set(spaces) == ({"raw", "srgb"} if dataset == "crvd" else {"rgb"} if dataset == "revide" else {"y", "rgb"})
    for space, levels in spaces.items():
        assert levels["0"]["psnr"] > levels["0"]["input_psnr"], space


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_noisy_baseline_is_the_input_that_every_evaluation_measures(sigma):
    """Two ways to the same figure: restored by nothing, and measured as the input of NCFL."""
    summary = json.loads((ROOT / layout.evaluation("ncfl-davis") / "summary.json").read_text())
    assert summary["datasets"]["set8"]["sigma"][sigma]["input_psnr"] == psnr("noisy", "set8", sigma)


def test_every_experiment_was_evaluated_on_all_that_params_name(params):
    for name, experiment in params.evaluated.items():
        summary = json.loads((ROOT / layout.evaluation(name) / "summary.json").read_text())
        assert set(summary["datasets"]) == set(experiment.evaluate)
        for dataset, spec in experiment.evaluate.items():
            assert {float(s) for s in summary["datasets"][dataset]["sigma"]} == set(spec.sigma)


def test_motion_estimation_is_better_than_no_motion():
    metrics = json.loads((ROOT / layout.FLOW / "metrics.json").read_text())
    assert metrics["epe"] < 0.8 * metrics["epe_zero"]


def test_motion_is_found_within_seven_tenths_of_a_pixel_in_the_scenes_held_out(params):
    """Clean frames of Set8's stand-in, whose exact motion is rendered again; zero motion is 0.86 pixels off."""
    settings = params.datasets["set8"].model_dump()
    if settings.pop("source") != "demo":
        pytest.skip("params.yaml has real footage, whose motion nobody knows")
    moves = DemoSource(**settings).motion("set8", "test", seed=params.seed)
    spynet, off, still = load_model(ROOT / layout.SPYNET).eval(), [], []
    for number, clip in enumerate(ClipStore(ROOT / layout.prepared("set8")).split("test")):
        frames = torch.from_numpy(clip.unit(clip.frames)).permute(0, 3, 1, 2)
        for t in range(1, len(frames)):
            exact = moves(number, t)
            with torch.inference_mode():
                found = spynet(frames[t : t + 1], frames[t - 1 : t])[0].permute(1, 2, 0).numpy()
            off.append(np.linalg.norm(found - exact, axis=2).mean())
            still.append(np.linalg.norm(exact, axis=2).mean())
    assert np.mean(off) <= min(0.7, 0.6 * np.mean(still)), (np.mean(off), np.mean(still))


def test_tables_1_2_and_5_have_every_measured_figure():
    for name, rows in (("table1", 6), ("table2", 5), ("section43", 2)):
        found = table(name)
        assert len(found) == rows, name
        for row in found:
            assert float(row["measured_psnr_db"]) > 15, (name, row)
    # The paper's rows, and those without training, at every sigma; the compared networks where they were measured.
    full = ("NCFL", "Median 3x3", "Median 5x5", "Noisy input")
    measured = {(row["method"], float(row["sigma"])): row["measured_psnr_db"] for row in table("table5")}
    assert all(measured[method, float(sigma)] for method in full for sigma in SIGMAS)
    assert all(float(psnr) > 10 for psnr in measured.values() if psnr)


@pytest.mark.parametrize("name", ["table4", "datasets"])
def test_ncfl_is_measured_on_every_paired_dataset(params, name):
    if "ncfl-ntu-rain" not in params.experiments:
        pytest.skip("params.yaml trains nothing on rain")
    ours = [row for row in table(name) if row["method"] == "NCFL"]
    assert len(ours) == (2 if name == "table4" else 7)  # CRVD in two spaces, two RainSyn sets in two, REVIDE in one
    for row in ours:
        assert float(row["measured_psnr_db"]) > 15, row


@pytest.mark.parametrize(("name", "methods", "rows"), [("table3", 9, 45), ("table4", 9, 18)])
def test_every_method_of_the_table_is_measured_and_says_how_its_weights_were_obtained(params, name, methods, rows):
    if not params.all_compared or "ncfl-ntu-rain" not in params.experiments:
        pytest.skip("params.yaml does not name all of the table's methods")
    of_paper = [row for row in table(name) if row["paper_psnr_db"]]
    assert len(of_paper) == rows
    assert len({row["method"] for row in of_paper}) == methods
    classical = {"MS-CSC", "SE", "FastDerain"}
    for row in of_paper:
        assert 5 < float(row["measured_psnr_db"]) < 60, row
        if row["method"] in classical:
            assert row["obtained"] == "no training", row
        else:
            assert row["obtained"].startswith(("shipped start, then ", "own training")), row


def test_no_compared_training_drifts_away(params):
    """Seconds of training do not make a good network, and some of them barely start to learn; none may get worse."""
    for name in params.all_compared:
        with (ROOT / layout.stage(name, 1) / "history.csv").open(newline="") as file:
            losses = [float(row["loss"]) for row in csv.DictReader(file)]
        third = len(losses) // 3
        # The noise level is drawn anew for each batch, so that the loss of an identity varies too.
        assert sum(losses[-third:]) < 1.2 * sum(losses[:third]), name


def test_table_1_counts_the_papers_gflops():
    for row in table("table1"):
        assert float(row["measured_gflops"]) == pytest.approx(float(row["paper_gflops"]), rel=0.01), row


def test_no_figure_of_a_stand_in_passes_for_the_papers(params):
    if not all(data.stand_in for data in params.datasets.values()):
        pytest.skip("params.yaml names real datasets")
    for name in ("table1", "table2", "table3", "table4", "table5", "datasets"):
        anything = False
        for row in table(name):
            if any(value for key, value in row.items() if key.startswith("measured_psnr")):
                assert "stand-in" in row["data"], row
                anything = True
        for kind in ("md", "tex"):
            assert ("stand-in" in (ROOT / layout.TABLES / f"{name}.{kind}").read_text()) == anything, name
    assert "stand-in" in (ROOT / layout.REPORT / "index.html").read_text()


def test_one_training_serves_the_main_model_the_full_variant_and_the_default_lambda():
    full = next(row for row in table("table1") if row["variant"] == "M_f")
    default = next(row for row in table("table2") if row["lambda"] == "1/2048")
    ours = next(row for row in table("table5") if row["method"] == "NCFL" and float(row["sigma"]) == 50)
    assert full["measured_psnr_db"] == default["measured_psnr_db"] == ours["measured_psnr_db"]


def test_every_step_left_a_finished_run_nested_under_its_experiment(params):
    with sqlite3.connect(f"file:{ROOT / layout.MLFLOW / 'mlflow.db'}?mode=ro", uri=True) as database:
        tags: dict[str, dict[str, str]] = {}
        for run, key, value in database.execute("select run_uuid, key, value from tags"):
            tags.setdefault(run, {})[key] = value
        status = dict(database.execute("select run_uuid, status from runs"))
        metrics = {run for (run,) in database.execute("select distinct run_uuid from metrics")}
    assert status
    for name in params.trained:
        parents = [run for run, found in tags.items() if found.get("ncfl.experiment") == name]
        assert len(parents) == 1, name
        finished = {
            tags[run]["ncfl.step"]
            for run in tags
            if tags[run].get("mlflow.parentRunId") == parents[0] and status[run] == "FINISHED"
        }
        stages = {f"train-stage{n + 1}" for n in range(params.stages(name))}
        assert finished == {*stages, "evaluate"}, name
    steps = [found.get("ncfl.step") for run, found in tags.items() if status[run] == "FINISHED"]
    assert {"fetch", "prepare", "pretrain-flow", "complexity", "tables", "figures", "report"} <= set(steps)
    assert steps.count("evaluate") >= len(params.evaluated)
    for run, found in tags.items():
        if status[run] == "FINISHED" and "ncfl.step" in found:
            assert run in metrics
            assert found["preset"] == params.preset
            assert len(found["commit"]) == 40


def test_no_step_took_3_gb():
    records = [json.loads(path.read_text()) for path in (ROOT / layout.RUNS).glob("*.json")]
    assert records
    assert {r["step"]: r["figures"]["peak_memory_mb"] for r in records if r["figures"]["peak_memory_mb"] > 3000} == {}
