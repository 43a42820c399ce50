"""Tables of the datasets that bring their degradation along, from made-up results."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.report_samples import EXPERIMENTS, find, level, made_up_psnr, read, summary, write, write_results

from ncfl.report.deraining_tables import _below_input
from ncfl.report.results import MeasuredExperiment, Results
from ncfl.report.table_files import write_tables

NCFL = {name: EXPERIMENTS[name] for name in ("ncfl-ntu-rain", "ncfl-crvd", "ncfl-revide")}


def tables(root: Path, experiments: dict[str, MeasuredExperiment] = NCFL) -> Path:
    output = root.parent / "tables"
    write_tables(results=root, output=output, preset="demo", experiments=experiments)
    return output


def change(root: Path, name: str, dataset: str, **values: object) -> None:
    changed = summary(name)
    changed["datasets"][dataset] |= values
    write(root / "experiments" / name / "evaluation" / "summary.json", changed)


def test_a_figure_is_found_by_its_space(root: Path):
    results = Results(root, NCFL)
    psnr = made_up_psnr("ncfl-crvd", "crvd", 0)
    first, raw, srgb, rgb = (results.measured(["ncfl-crvd"], "crvd", 0, s) for s in (None, "raw", "srgb", "rgb"))
    assert first == raw
    assert (raw.space, raw.psnr, raw.input_psnr) == ("raw", psnr, psnr - 2)
    assert (srgb.space, srgb.psnr, srgb.input_ssim) == ("srgb", psnr - 0.25, 0.375)
    assert rgb is None
    assert results.measured(["elsewhere", "ncfl-crvd"], "crvd", 0) == raw
    assert results.measured(["ncfl-crvd"], "crvd", 10) is None


def test_table_4_measures_on_y_with_rgb_and_the_input_beside(root: Path):
    rows = read(tables(root) / "table4.csv")
    psnr = made_up_psnr("ncfl-ntu-rain", "ntu-rain", 0)
    cells = ("paper_psnr_db", "measured_psnr_db", "measured_ssim", "measured_rgb_psnr_db", "measured_rgb_ssim")
    ours = find(rows, method="NCFL", dataset="NTU-Rain")
    assert [ours[key] for key in cells] == ["40.22", f"{psnr:.2f}", "0.5000", f"{psnr - 0.25:.2f}", "0.5000"]
    rainy = find(rows, method="Rainy input", dataset="NTU-Rain")
    assert [rainy[key] for key in cells] == ["", f"{psnr - 2:.2f}", "0.3750", f"{psnr - 2.25:.2f}", "0.3750"]
    assert (rainy["experiment"], rainy["paper_ssim"], rainy["data"]) == ("ncfl-ntu-rain", "", "demo stand-in")
    other = find(rows, method="Rainy input", dataset="RainSynLight25")
    assert {other[key] for key in (*cells, "experiment", "data")} == {""}
    assert len(rows) == 20


def test_table_4_says_on_which_channel(root: Path):
    output = tables(root)
    for kind in ("md", "tex"):
        text = (output / f"table4.{kind}").read_text()
        assert "PSNR and SSIM, measured on the Y channel" in text
        assert "Rainy input" in text


def test_a_deraining_set_that_was_not_compared_on_y_is_left_out(root: Path):
    levels = {"0": level("ncfl-ntu-rain", "ntu-rain", 0)}
    change(root, "ncfl-ntu-rain", "ntu-rain", space="rgb", sigma=levels, spaces={})
    output = tables(root)
    rows = read(output / "table4.csv")
    assert {row["measured_psnr_db"] for row in rows} == {row["measured_rgb_psnr_db"] for row in rows} == {""}
    assert len(rows) == 18
    assert "ncfl-ntu-rain has no figure on ntu-rain at sigma 0 in Y" in (output / "table4.md").read_text()


def test_the_additional_table_has_every_dataset_and_space(root: Path):
    rows = read(tables(root) / "datasets.csv")
    assert [(row["dataset"], row["space"], row["method"]) for row in rows] == [
        ("CRVD", "raw", "NCFL"),
        ("CRVD", "sRGB", "NCFL"),
        ("RainSynComplex25", "Y", "NCFL"),
        ("RainSynComplex25", "RGB", "NCFL"),
        ("RainSynAll100", "Y", "NCFL"),
        ("RainSynAll100", "RGB", "NCFL"),
        ("REVIDE", "RGB", "NCFL"),
    ]
    assert not [key for key in rows[0] if key.startswith("paper_")]


def test_the_additional_table_shows_the_gain(root: Path):
    rows = read(tables(root) / "datasets.csv")
    cells = [key for key in rows[0] if key.startswith("measured_")]
    assert cells == [
        "measured_input_psnr_db",
        "measured_psnr_db",
        "measured_gain_db",
        "measured_input_ssim",
        "measured_ssim",
    ]
    psnr = made_up_psnr("ncfl-crvd", "crvd", 0)
    srgb = find(rows, dataset="CRVD", space="sRGB")
    expected = [f"{psnr - 2.25:.2f}", f"{psnr - 0.25:.2f}", "+2.00", "0.3750", "0.5000"]
    assert [srgb[key] for key in cells] == expected
    origin = {"experiment": "ncfl-crvd", "data": "demo stand-in", "sequences": "3", "frames": "12", "preset": "demo"}
    assert origin.items() <= srgb.items()
    unmeasured = find(rows, dataset="RainSynAll100", space="Y")
    assert {unmeasured[key] for key in (*cells, "experiment", "data")} == {""}


def test_another_method_gets_its_row_where_it_was_measured(root: Path):
    path = root / "experiments" / "basicvsrpp-revide" / "evaluation" / "summary.json"
    write(path, summary("ncfl-revide"))
    rows = read(tables(root, NCFL | {"basicvsrpp-revide": MeasuredExperiment({"revide": (0,)})}) / "datasets.csv")
    assert {row["method"] for row in rows if row["dataset"] == "REVIDE"} == {"NCFL", "BasicVSR++"}
    assert find(rows, method="BasicVSR++")["experiment"] == "basicvsrpp-revide"


def evaluated_too(root: Path, name: str, dataset: str, sigma: str = "0") -> dict[str, MeasuredExperiment]:
    """The experiments, with one more on a dataset that the report has never heard of, compared in Y and RGB."""
    there = summary("ncfl-ntu-rain")["datasets"]["ntu-rain"]
    if sigma != "0":
        there["sigma"] = {sigma: there["sigma"]["0"]}
        there["spaces"] = {"rgb": {sigma: there["spaces"]["rgb"]["0"]}}
    write(root / "experiments" / name / "evaluation" / "summary.json", {"datasets": {dataset: there}})
    return NCFL | {name: MeasuredExperiment({dataset: (float(sigma),)}, "demo stand-in")}


def test_a_new_dataset_appears_by_itself(root: Path):
    rows = read(tables(root, evaluated_too(root, "ncfl-my-rain", "my-rain")) / "datasets.csv")
    assert [(row["dataset"], row["space"], row["method"]) for row in rows[7:]] == [
        ("my-rain", "Y", "NCFL"),
        ("my-rain", "RGB", "NCFL"),
    ]
    psnr = made_up_psnr("ncfl-ntu-rain", "ntu-rain", 0)
    assert (rows[7]["measured_psnr_db"], rows[7]["measured_gain_db"]) == (f"{psnr:.2f}", "+2.00")
    assert rows[7]["experiment"] == "ncfl-my-rain"


@pytest.mark.parametrize(
    ("name", "dataset", "sigma"),
    [
        ("clean-davis", "davis", "0"),
        ("ncfl-my-noise", "my-noise", "10"),
        ("ncfl-rainsynlight25", "rainsynlight25", "0"),
    ],
    ids=["not-trained-on-it", "noise-added", "in-table-4"],
)
def test_what_the_additional_table_leaves_to_others(root: Path, name: str, dataset: str, sigma: str):
    assert len(read(tables(root, evaluated_too(root, name, dataset, sigma)) / "datasets.csv")) == 7


def test_the_additional_table_names_its_stand_ins_and_is_not_called_the_papers(root: Path):
    output = tables(root)
    caption, _, head, *_ = (output / "datasets.md").read_text().splitlines()
    assert caption.startswith("**Additional table. The other datasets: ")
    assert "Preset: demo. Measured on: demo stand-in. A stand-in is not the paper's data" in caption
    assert "PSNR (dB), input (demo stand-in)" in head
    assert "SSIM, restored (demo stand-in)" in head
    text = (output / "datasets.tex").read_text()
    assert "(the paper's Additional" not in text
    assert "(the paper's Table 4)" in (output / "table4.tex").read_text()


def test_the_true_datasets_are_named(tmp_path: Path):
    root = write_results(tmp_path / "results", source="published", stand_in=False)
    output = tables(root, {name: replace(experiment, training_data="CRVD") for name, experiment in NCFL.items()})
    assert find(read(output / "datasets.csv"), dataset="CRVD", space="raw")["data"] == "CRVD"
    assert "Measured on: CRVD; REVIDE." in (output / "datasets.md").read_text()
    assert "stand-in" not in (output / "datasets.md").read_text()


def test_without_experiments_nothing_is_measured(root: Path):
    output = tables(root, {})
    rows = read(output / "datasets.csv")
    assert len(rows) == 7
    assert {row[key] for row in rows for key in row if key.startswith("measured_")} == {""}
    assert "Nothing is measured here yet." in (output / "datasets.md").read_text()


def test_the_made_up_summaries_are_what_an_evaluation_writes(tmp_path: Path):
    """Kept honest by the real thing: one tiny evaluation has the same keys."""
    from helpers.protocol_samples import plain_store, run

    from ncfl.evaluate.protocol import write as write_evaluation
    from ncfl.methods.noisy import Noisy

    store = plain_store(tmp_path / "set8")
    real = write_evaluation([run(Noisy(), store)], tmp_path / "evaluation", experiment="noisy")["datasets"]["set8"]
    made_up = summary("noisy")["datasets"]["set8"]
    made_up.pop("spaces")  # only where there are further ones
    made_up.pop("memory")  # added by the step: ncfl/evaluate/memory_gain.py
    assert made_up.keys() <= real.keys()
    assert made_up["sigma"]["10"].keys() == real["sigma"]["10"].keys()
    assert json.dumps(real)


def test_every_space_of_a_convention_has_a_name():
    from ncfl.evaluate.conventions import STATEMENTS
    from ncfl.report.results import SPACES

    assert {space for spaces in STATEMENTS.values() for space in spaces} == set(SPACES)


def test_trained_methods_that_make_frames_worse_are_named():
    def row(method: str, psnr: str, ssim: str, obtained: str = "own training") -> dict[str, str]:
        keys = ("method", "dataset", "measured_psnr_db", "measured_ssim", "obtained")
        return dict(zip(keys, (method, "NTU-Rain", psnr, ssim, obtained), strict=True))

    rainy = row("Rainy input", "29.55", "0.8900", "")
    records = [
        rainy,
        row("RMFD", "26.00", "0.7900"),
        row("SpacCNN", "29.60", "0.8800", "own training, own initial values"),
        row("FCRVD", "30.70", "0.8960"),
        row("SE", "26.30", "0.7800", "no training"),
        row("J4RNet-P", "29.00", "0.8900", "shipped start, then 80 iterations here"),
    ]
    (note,) = _below_input(records)
    short = "RMFD on NTU-Rain, SpacCNN on NTU-Rain, J4RNet-P on NTU-Rain"
    assert note.startswith(f"Below the rainy input in PSNR or SSIM: {short}. Small forms")
    assert _below_input([rainy, row("FCRVD", "30.70", "0.8960")]) == []
