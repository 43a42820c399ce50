"""The data of the interactive charts, against figures written by hand."""

import json
from pathlib import Path

import pytest
from helpers.report_samples import EXPERIMENTS, write, write_results

from ncfl.common.errors import InputError
from ncfl.report import published
from ncfl.report.interactive import charts, frames, tradeoff
from ncfl.report.results import Results

HEAD = "dataset,sequence,frame,sigma,space,psnr,ssim,input_psnr,input_ssim\n"


def write_frames(root: Path, name: str, *rows: str) -> None:
    path = root / "experiments" / name / "evaluation" / "frames.csv"
    path.write_text(HEAD + "".join(f"{row},0.5,10,0.1\n" for row in rows))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    root = write_results(tmp_path / "results")
    counts = [{"method": m, "parameters": 1, "gflops": g} for m, g in {"M_f": 770.0, "FastDVDNet": 660.0}.items()]
    write(root / "complexity" / "complexity.json", counts)
    return Results(root, EXPERIMENTS)


def test_frames_are_listed_by_sequence_and_method_in_the_first_space(results: Results):
    write_frames(results.root, "ncfl-davis", "set8,a,0,50,rgb,20.126", "set8,a,1,50,rgb,21", "set8,b,0,10,rgb,30")
    write_frames(results.root, "modules-a", "set8,a,0,50,rgb,19")
    write_frames(results.root, "median-3x3", "set8,a,0,50,rgb,18")
    write_frames(results.root, "ncfl-ntu-rain", "ntu-rain,r,0,0,y,25", "ntu-rain,r,0,0,rgb,24", "gone,r,0,0,rgb,1")
    found = frames(results)
    assert found == {
        "set8": {
            "label": "demo stand-in",
            "space": "RGB",
            "sigma": {
                "50": {"a": {"NCFL": [20.13, 21.0], "M_a": [19.0], "Median 3x3": [18.0]}},
                "10": {"b": {"NCFL": [30.0]}},
            },
        },
        "ntu-rain": {"label": "demo stand-in", "space": "Y", "sigma": {"0": {"r": {"NCFL": [25.0]}}}},
    }


def test_the_tradeoff_has_what_has_both_figures(results: Results):
    found = tradeoff(results, "demo")
    paper, measured = found["sides"]
    with_gflops = {row["method"] for row in published.rows("table3_gflops")}
    assert {point["method"] for point in paper["sigma"]["50"]} <= with_gflops
    assert {"method": "NCFL", "gflops": 770.0, "psnr": 11.55} in measured["sigma"]["50"]
    assert {point["method"] for point in measured["sigma"]["50"]} == {"NCFL", "FastDVDNet"}
    assert measured["title"] == "Measured, on demo stand-in"
    assert "those measured here are smaller" in found["axis"]
    assert "smaller" not in tradeoff(results, "paper")["axis"]


def test_without_frames_there_is_nothing_to_choose_from(results: Results):
    assert charts(results, "demo")["frames"] == {}
    json.dumps(charts(results, "demo"))


@pytest.mark.parametrize("row", ["set8,a,0,50,rgb,no", "set8,a,0"])
def test_a_malformed_row_is_named(results: Results, row: str):
    (results.root / "experiments" / "noisy" / "evaluation" / "frames.csv").write_text(HEAD + row + "\n")
    with pytest.raises(InputError, match=r"frames.csv: line 2: expected a row of frames, got "):
        frames(results)
