"""What is kept of a study, and what it says of a claim."""

import csv
import json
from pathlib import Path

import pytest

from ncfl.common.errors import InputError
from ncfl.release import study, study_curves, study_tables
from ncfl.release.study import Claim, Kept, verdict
from ncfl.report import published


def kept(name: str, seed: int, psnr: float, *, trained: bool = True, worth: float = 1.0) -> Kept:
    summary = {"datasets": {"set8": {"sigma": {"50": {"psnr": psnr}}, "memory": {"50": {"worth": worth}}}}}
    record = {"seed": seed, "checkpoints": {"checkpoint.pt": "0"} if trained else {}, "commits": [], "seconds": {}}
    return Kept(name, seed, record, summary, Path(name))


def results(root: Path, name: str = "modules-a-seed7", seed: int = 7) -> Path:
    """A folder of results with one finished experiment of two stages of 100 and 50 iterations."""
    experiment = root / "experiments" / name
    for stage, iterations in (("stage1", range(10, 101, 10)), ("stage2", range(110, 151, 10))):
        (experiment / stage).mkdir(parents=True)
        points = "".join(f"{n},0.1,{n / 10}\n" for n in iterations)
        (experiment / stage / "history.csv").write_text(f"iteration,loss,psnr\n{points}")
    (experiment / "evaluation").mkdir()
    (experiment / "evaluation/summary.json").write_text(json.dumps(kept(name, seed, 28.5).summary))
    (experiment / "evaluation/sequences.csv").write_text("dataset,psnr\nset8,28.5\n")
    (root / "records").mkdir()
    for step, seconds in (("train-stage1", 60), ("train-stage2", 30), ("evaluate", 5)):
        record = {"seed": seed, "code": {"commit": "abc"}, "machine": {"processor": "one"}, "seconds": seconds}
        record["outputs"] = {f"results/{step}/checkpoint.pt": "12", "results/other": "3"}
        (root / "records" / f"{name}-{step}.json").write_text(json.dumps(record))
    return root


def test_what_is_kept_is_read_again(tmp_path):
    assert study.keep(results(tmp_path / "results"), tmp_path / "kept") == ["modules-a-seed7"]
    found = study.read(tmp_path / "kept")
    (one,) = found["modules-a"]
    assert (one.seed, one.psnr("set8", 50), one.psnr("set8", 40), one.psnr("davis", 50)) == (7, 28.5, None, None)
    assert one.memory("set8", 50) == {"worth": 1.0}
    assert one.record["seconds"] == {"train-stage1": 60, "train-stage2": 30, "evaluate": 5}
    assert list(one.record["checkpoints"]) == [f"results/train-stage{n}/checkpoint.pt" for n in (1, 2)]
    with (one.folder / "history.csv").open() as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == ["50", "100", "150"]


def test_an_evaluation_that_nobody_recorded_is_refused(tmp_path):
    root = results(tmp_path / "results")
    (root / "records/modules-a-seed7-evaluate.json").unlink()
    with pytest.raises(InputError, match="expected a record of the evaluation of modules-a-seed7, got none"):
        study.keep(root, tmp_path / "kept")


def test_what_is_not_evaluated_is_not_kept(tmp_path):
    root = results(tmp_path / "results")
    (root / "experiments/modules-a-seed7/evaluation/summary.json").unlink()
    assert study.keep(root, tmp_path / "kept") == []


@pytest.mark.parametrize(
    ("differences", "said"),
    [
        ([], "open"),
        ([0.5], "open"),
        ([0.3, 0.4], "seen"),
        ([0.01, 0.5], "not decidable"),  # mean 0.255, standard deviation 0.346
        ([0.3, -0.1], "not decidable"),
        ([-0.3, -0.4], "not seen"),
        ([-0.01, -0.5], "not decidable"),
    ],
)
def test_a_verdict(differences, said):
    assert verdict(differences).startswith(said)


def test_seeds_are_compared_with_themselves_and_what_nobody_trained_with_all():
    found = {
        "a": [kept("a", 1, 30.0), kept("a", 2, 31.0), kept("a", 3, 40.0)],
        "b": [kept("b", 2, 30.5), kept("b", 1, 29.0)],
        "median": [kept("median", 1, 20.0, trained=False)],
    }
    assert Claim("", "a", "b").differences(found) == [1.0, 0.5]
    assert Claim("", "a", "median").differences(found) == [10.0, 11.0, 20.0]
    assert Claim("", "a", "missing").differences(found) == []


def test_the_claims_are_the_papers():
    """Differences by hand: 30.45 - 29.75, 30.29 - 29.87, 30.45 - 30.25."""
    found = {claim.text: claim.paper for claim in study_tables.claims()}
    together = next(paper for text, paper in found.items() if "M_f over M_a" in text)
    compression = next(paper for text, paper in found.items() if "M_d over M_b" in text)
    weight = next(paper for text, paper in found.items() if text.startswith("Table 2"))
    assert [together, compression, weight] == pytest.approx([0.70, 0.42, 0.20])
    assert {row["variant"] for row in published.rows("table1_modules")} == set(study_tables.MODULES)


def test_a_table_has_mean_and_spread_and_a_dash_for_what_is_missing():
    found = {"modules-a": [kept("modules-a", 1, 28.0, worth=0.9), kept("modules-a", 2, 29.0, worth=1.1)]}
    table = study_tables.modules(found, {"modules-a": 138.4, "modules-b": 142.4}).splitlines()
    assert table[2] == "| M_a | 28.50 ± 0.71 | 2 | 1.00 ± 0.14 | - | - | 138 |"
    assert table[3] == "| M_b | - | 0 | - | - | - | 142 |"


def test_networks_trained_in_another_way_take_their_place_in_the_claims_that_they_are_in():
    ours = {
        "modules-b": [kept("modules-b", 1, 29.0), kept("modules-b", 2, 29.1)],
        "modules-d": [kept("modules-d", 1, 28.0), kept("modules-d", 2, 28.0)],
    }
    others = {"modules-d": [kept("modules-d", 1, 29.2), kept("modules-d", 2, 29.2)]}
    gflops = {"modules-b": 142.4, "modules-d": 159.0, "ncfl-davis": 186.0}
    text = study_tables.tried(ours, others, gflops)
    assert "| M_d | 29.20 ± 0.00 | 2 |" in text
    assert "M_b |" not in text.split("\n\n")[0]
    rows = [line for line in text.split("\n\n")[1].splitlines() if "M_d" in line]
    assert "M_d over M_b" in rows[0]
    assert "| +0.20, +0.10 | seen |" in rows[0]
    assert "M_d over M_e" in rows[1]
    assert "| - | open: fewer than two seeds |" in rows[1]
    assert len(rows) == 2  # M_f was trained in the study's way alone
    both = study_tables.tried(ours, {**others, "ncfl-davis": [kept("ncfl-davis", 1, 30.0)]}, dict.fromkeys(gflops, 1.0))
    assert "M_f over M_d" in both


def test_curves_are_drawn_of_what_there_is(tmp_path):
    assert not study_curves.draw({}, tmp_path / "curves.png")
    study.keep(results(tmp_path / "results"), tmp_path / "kept")
    assert study_curves.draw(study.read(tmp_path / "kept"), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
