"""Tables from made-up results: every row and figure in its place, nothing invented, stand-ins named."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.report_samples import EXPERIMENTS, SIGMAS, find, made_up_psnr, read, summary, write, write_results

from ncfl.common.errors import InputError
from ncfl.report.denoising_tables import _short_note
from ncfl.report.results import MeasuredExperiment, data_label
from ncfl.report.table_files import OUTPUTS, write_tables

ROWS = {"table1": 6, "table2": 5, "table3": 45, "table4": 18, "table5": 15, "section43": 2}


def tables(root: Path, output: Path, experiments: dict[str, MeasuredExperiment] = EXPERIMENTS) -> Path:
    write_tables(results=root, output=output, preset="demo", experiments=experiments)
    return output


@pytest.fixture
def output(root: Path, tmp_path: Path) -> Path:
    return tables(root, tmp_path / "tables")


def test_writes_the_files_it_promises(root: Path, tmp_path: Path):
    paths = write_tables(results=root, output=tmp_path / "t", preset="demo", experiments=EXPERIMENTS)
    assert sorted(path.name for path in paths) == sorted(OUTPUTS)
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == sorted(OUTPUTS)


def test_an_edited_preset_never_passes_as_itself(root: Path, tmp_path: Path):
    keys = [f"schedules.davis.stage_{n}" for n in range(8)]
    paths = write_tables(results=root, output=tmp_path, preset="paper", experiments=EXPERIMENTS, edited=keys)
    named = f"paper, edited in {', '.join(keys[:6])} and 2 more"
    for path in paths:
        if path.suffix == ".csv":
            assert {row["preset"] for row in read(path)} == {named}
        elif path.name != "tables.tex":
            assert f"Preset: {named}.".replace("_", r"\_") in path.read_text()


@pytest.mark.parametrize(("name", "count"), ROWS.items())
def test_every_row_of_the_paper_is_there(output: Path, name: str, count: int):
    rows = read(output / f"{name}.csv")
    assert sum(row["paper_psnr_db"] != "" for row in rows) == count
    assert {row["preset"] for row in rows} == {"demo"}


def test_every_measured_figure_stands_in_its_row(output: Path):
    def check(table: str, experiment: str, data: str, level: int, **keys: str) -> None:
        row = find(read(output / f"{table}.csv"), **keys)
        assert row["measured_psnr_db"] == f"{made_up_psnr(experiment, data, level):.2f}"
        origin = {"experiment": experiment, "data": "demo stand-in", "sequences": "3", "frames": "12"}
        assert origin.items() <= row.items()

    check("table1", "modules-a", "set8", 50, variant="M_a")
    check("table1", "ncfl-davis", "set8", 50, variant="M_f")
    check("table2", "lambda-256", "set8", 50, **{"lambda": "1/256"})
    check("table2", "ncfl-davis", "set8", 50, **{"lambda": "1/2048"})
    check("section43", "clean-adapq", "davis", 0, method="NCFL-AdapQ")
    check("section43", "clean-noq", "davis", 0, method="NCFL-NoQ")
    for sigma in SIGMAS:
        check("table3", "ncfl-davis", "davis", sigma, method="NCFL", sigma=str(sigma))
        check("table3", "noisy", "davis", sigma, method="Noisy input", sigma=str(sigma))
        check("table5", "ncfl-davis", "set8", sigma, method="NCFL", sigma=str(sigma))
        check("table5", "median-3x3", "set8", sigma, method="Median 3x3", sigma=str(sigma))
        check("table5", "median-5x5", "set8", sigma, method="Median 5x5", sigma=str(sigma))
        check("table5", "noisy", "set8", sigma, method="Noisy input", sigma=str(sigma))
        check("table3", "fastdvdnet-davis", "davis", sigma, method="FastDVDNet", sigma=str(sigma))
        check("table5", "fastdvdnet-davis", "set8", sigma, method="FastDVDNet", sigma=str(sigma))
    check("table4", "fastderain", "ntu-rain", 0, method="FastDerain", dataset="NTU-Rain")


def test_the_worth_of_memories_stands_below_the_tables_of_variants_and_weights(output: Path):
    first, second, third = ((output / f"table{n}.md").read_text() for n in (1, 2, 3))
    assert r"M\_a +0.25 dB; M\_f -0.12 dB (0.50 bpp, 6.2%)." in first
    assert r"By exact motion from the frame before, of M\_f: 0 to 1 px +0.38 dB, 3 to 12 px -0.25 dB." in first
    assert "1/2048 -0.12 dB (0.50 bpp, 6.2%)." in second
    assert "memory emptied" not in third


def test_a_figure_says_how_its_weights_were_obtained(output: Path):
    fast = find(read(output / "table3.csv"), method="FastDVDNet", sigma="50")
    assert fast["obtained"] == "own training"
    derained = read(output / "table4.csv")
    assert find(derained, method="FastDerain", dataset="NTU-Rain")["obtained"] == "no training"
    assert find(derained, method="FastDerain", dataset="RainSynLight25")["obtained"] == ""
    assert find(derained, method="Rainy input", dataset="NTU-Rain")["obtained"] == ""
    shown = [line for line in (output / "table4.md").read_text().splitlines() if line.startswith("| FastDerain")]
    assert [line.split("|")[-2].strip() for line in shown] == ["no training"]
    assert "own training" in (output / "table3.md").read_text()


def test_ssim_has_four_decimals(output: Path):
    row = find(read(output / "table3.csv"), method="NCFL", sigma="20")
    assert (row["paper_ssim"], row["measured_ssim"]) == ("0.9596", "0.5200")


def test_rows_that_the_paper_lacks_have_no_paper_figure(output: Path):
    rows = [row for row in read(output / "table5.csv") if row["method"] == "Noisy input"]
    assert [row["paper_psnr_db"] for row in rows] == [""] * 5


def test_gflops_and_their_deviation_worked_by_hand(output: Path):
    rows = read(output / "table1.csv")
    keys = ("paper_gflops", "measured_gflops", "gflops_deviation_percent")
    assert [find(rows, variant="M_a")[key] for key in keys] == ["534", "540.0", "+1.12"]  # 6 / 534
    assert [find(rows, variant="M_f")[key] for key in keys] == ["771", "770.0", "-0.13"]  # -1 / 771
    assert [find(rows, variant="M_b")[key] for key in keys] == ["548", "", ""]
    assert find(read(output / "table3.csv"), method="NCFL", sigma="10")["measured_gflops"] == "770.0"


def test_without_experiments_nothing_is_measured(root: Path, tmp_path: Path):
    # The summaries lie there all the same: what the parameters do not name is not shown.
    write(root / "complexity" / "complexity.json", [])
    output = tables(root, tmp_path / "tables", {})
    for name, count in ROWS.items():
        rows = read(output / f"{name}.csv")
        assert len(rows) == count
        empty = [key for key in rows[0] if key.startswith("measured_") or key in ("experiment", "data")]
        assert empty
        assert {row[key] for row in rows for key in empty} == {""}
        assert "Nothing is measured here yet." in (output / f"{name}.md").read_text()


def test_deraining_rows_find_their_experiments_by_name(root: Path, tmp_path: Path):
    levels = {"0": {"psnr": 21.0, "ssim": 0.6, "input_psnr": 20.0, "input_ssim": 0.5}}
    entry = {"source": "demo", "stand_in": True, "space": "y", "sequences": 1, "frames": 9, "sigma": levels}
    for name in (
        "ncfl-ntu-rain",
        "basicvsrpp-ntu-rain",
        "se",
    ):  # SE learns nothing: one name for all datasets
        write(root / "experiments" / name / "evaluation" / "summary.json", {"datasets": {"ntu-rain": entry}})
    experiments = {n: MeasuredExperiment({"ntu-rain": (0,)}) for n in ("ncfl-ntu-rain", "basicvsrpp-ntu-rain", "se")}
    rows = read(tables(root, tmp_path / "tables", experiments) / "table4.csv")
    measured = {(row["method"], row["dataset"]) for row in rows if row["measured_psnr_db"]}
    methods = ("Rainy input", "NCFL", "BasicVSR++", "SE")
    assert measured == {(method, "NTU-Rain") for method in methods}


def test_an_experiment_that_is_not_what_the_row_says_is_left_out(root: Path, tmp_path: Path):
    changed = dict(EXPERIMENTS)
    changed["lambda-256"] = replace(changed["lambda-256"], lambda_=1 / 300)
    changed["modules-a"] = replace(changed["modules-a"], variant="m_b")
    output = tables(root, tmp_path / "tables", changed)
    assert find(read(output / "table2.csv"), **{"lambda": "1/256"})["measured_psnr_db"] == ""
    assert "lambda-256 was trained with lambda = 0.00333333" in (output / "table2.md").read_text()
    assert find(read(output / "table1.csv"), variant="M_a")["measured_psnr_db"] == ""
    assert "modules-a was not trained as M\\_a" in (output / "table1.md").read_text()


def test_equal_results_give_equal_bytes(root: Path, output: Path, tmp_path: Path):
    again = tables(root, tmp_path / "again", dict(reversed(EXPERIMENTS.items())))
    for name in OUTPUTS:
        assert (output / name).read_bytes() == (again / name).read_bytes()
        assert b"\r" not in (output / name).read_bytes()


# A figure of a stand-in must never pass for one on the paper's data.

SHOWN = ("table1", "table2", "table3", "table4", "table5", "section43")
STAND_INS = [
    ("demo", True, "demo stand-in"),
    ("demo", False, "demo stand-in"),
    ("clips", True, "clips stand-in"),
]


@pytest.mark.parametrize(("source", "stand_in", "words"), STAND_INS)
@pytest.mark.parametrize("name", SHOWN)
def test_stand_ins_are_named_in_every_format(tmp_path: Path, name: str, source: str, stand_in: bool, words: str):
    root = write_results(tmp_path / "results", source=source, stand_in=stand_in)
    experiments = {n: replace(e, training_data="") for n, e in EXPERIMENTS.items()}
    output = tables(root, tmp_path / "tables", experiments)
    for row in read(output / f"{name}.csv"):
        assert row["data"] == (words if row["measured_psnr_db"] else "")
    caption, _, head, *_ = (output / f"{name}.md").read_text().splitlines()
    assert f"Measured on: {words}. A stand-in is not the paper's data" in caption
    assert "Preset: demo." in caption
    assert f"measured ({words})" in head
    before, _, after = (output / f"{name}.tex").read_text().partition(r"\toprule")
    assert f"Preset: demo. Measured on: {words}. A stand-in is not" in before.partition(r"\caption{")[2]
    # Table 3 is printed as in the paper, where each row is the paper's or the measured one.
    named = after if name == "table3" else after.partition(r"\midrule")[0]
    assert f"measured ({words})" in named


def test_the_true_dataset_is_named_and_nothing_is_called_a_stand_in(tmp_path: Path):
    root = write_results(tmp_path / "results", source="clips", stand_in=False)
    experiments = {n: replace(e, training_data="DAVIS") for n, e in EXPERIMENTS.items()}
    output = tables(root, tmp_path / "tables", experiments)
    assert find(read(output / "table1.csv"), variant="M_f")["data"] == "Set8"
    assert "Measured on: DAVIS." in (output / "table3.md").read_text()
    assert not [name for name in OUTPUTS if "stand-in" in (output / name).read_text()]


def test_weights_trained_on_a_stand_in_are_named_on_the_true_test_set(tmp_path: Path):
    root = write_results(tmp_path / "results", source="set8", stand_in=False)
    output = tables(root, tmp_path / "tables")  # trained on: demo stand-in
    assert find(read(output / "table1.csv"), variant="M_f")["data"] == "Set8, trained on demo stand-in"
    assert "A stand-in is not the paper's data" in (output / "table1.md").read_text()


@pytest.mark.parametrize("name", SHOWN)
def test_a_part_is_named_in_every_format_and_never_held_against_the_paper(tmp_path: Path, name: str):
    root = write_results(tmp_path / "results", source="published", stand_in=False, part=["a", "b", "c", "d"])
    output = tables(root, tmp_path / "tables", {n: replace(e, training_data="") for n, e in EXPERIMENTS.items()})
    for row in read(output / f"{name}.csv"):
        assert not row["measured_psnr_db"] or re.fullmatch(r"part of [-\w]+ \(a, b, c and 1 more\)", row["data"])
    caption, _, head, *_ = (output / f"{name}.md").read_text().splitlines()
    assert "A part of a dataset is not the paper's data: never compare" in caption
    assert "measured (part of " in head


def test_weights_trained_on_a_part_are_named(tmp_path: Path):
    root = write_results(tmp_path / "results", source="published", stand_in=False)
    trained = data_label("davis", "published", False, ["tennis"])
    output = tables(root, tmp_path / "tables", {n: replace(e, training_data=trained) for n, e in EXPERIMENTS.items()})
    assert find(read(output / "table1.csv"), variant="M_f")["data"] == "Set8, trained on part of DAVIS (tennis)"


def test_labels():
    assert data_label("set8", "published", False, ["tractor"]) == "part of Set8 (tractor)"
    assert data_label("ntu-rain", "ntu-rain", False) == "NTU-Rain"
    assert data_label("my-own", "clips", True) == "clips stand-in"


# Refusals: one line that names the file.


def refusal(root: Path, tmp_path: Path) -> str:
    with pytest.raises(InputError) as caught:
        tables(root, tmp_path / "tables")
    assert not (tmp_path / "tables").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_summary_is_named(root: Path, tmp_path: Path):
    path = root / "experiments" / "lambda-256" / "evaluation" / "summary.json"
    path.unlink()
    assert str(path) in refusal(root, tmp_path)


def test_a_missing_complexity_is_named(root: Path, tmp_path: Path):
    (root / "complexity" / "complexity.json").unlink()
    assert "complexity.json" in refusal(root, tmp_path)


MALFORMED = [
    ("not json", "{", "not readable as JSON"),
    ("list", "[]", "the file: expected a JSON object, got list"),
    ("no datasets", "{}", "'datasets': expected a JSON object, got NoneType"),
]


@pytest.mark.parametrize(("text", "message"), [entry[1:] for entry in MALFORMED], ids=[e[0] for e in MALFORMED])
def test_a_malformed_summary_is_named(root: Path, tmp_path: Path, text: str, message: str):
    path = root / "experiments" / "noisy" / "evaluation" / "summary.json"
    path.write_text(text)
    found = refusal(root, tmp_path)
    assert str(path) in found
    assert message in found


BROKEN = [
    (("source",), None, "expected 'source' (text) and 'stand_in' (true or false), got None and True"),
    (("stand_in",), "yes", "expected 'source' (text) and 'stand_in' (true or false), got 'demo' and 'yes'"),
    (("part",), "tractor", "'part': expected a list of sequences, got 'tractor'"),
    (("part",), [], "'part': expected a list of sequences, got []"),
    (("sequences",), 0, "'sequences' and 'frames' above 0"),
    (("frames",), True, "'sequences' and 'frames' above 0"),
    (("sigma",), {}, "expected sigma 50 in rgb, which modules-a evaluates, got none"),
    (("sigma",), {"ten": {"psnr": 1.0, "ssim": 1.0}}, "sigma: expected a number, got 'ten'"),
    (("sigma", "50"), 3, "sigma.50: expected a JSON object, got int"),
    (("sigma", "50", "psnr"), None, "'psnr': expected a finite number, got None"),
    (("sigma", "50", "psnr"), True, "'psnr': expected a finite number, got True"),
    (("sigma", "50", "ssim"), float("nan"), "'ssim': expected a finite number, got nan"),
    (("sigma", "50", "input_psnr"), None, "'input_psnr': expected a finite number, got None"),
    (("sigma", "50", "input_ssim"), "1", "'input_ssim': expected a finite number, got '1'"),
    (("space",), None, "expected comparisons in rgb, y, raw, srgb, got None; evaluate it again"),
    (("space",), ["rgb"], "expected comparisons in rgb, y, raw, srgb, got ['rgb']"),
    (("spaces",), [], "'datasets.set8'.spaces: expected a JSON object, got list"),
    (("spaces",), {"lab": {}}, "expected comparisons in rgb, y, raw, srgb, got rgb, lab"),
    (("spaces",), {"y": {}}, "expected sigma 50 in y, which modules-a evaluates, got none"),
    (("spaces",), {"y": {"50": {"psnr": 1.0}}}, "'ssim': expected a finite number, got None"),
]


@pytest.mark.parametrize(("keys", "value", "message"), BROKEN)
def test_a_summary_with_a_broken_entry_is_named(
    root: Path, tmp_path: Path, keys: tuple[str, ...], value: object, message: str
):
    path = root / "experiments" / "modules-a" / "evaluation" / "summary.json"
    broken = summary("modules-a")
    place = broken["datasets"]["set8"]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(broken))
    found = refusal(root, tmp_path)
    assert str(path) in found
    assert message in found


def test_a_dataset_that_was_not_evaluated_is_named(root: Path, tmp_path: Path):
    path = root / "experiments" / "noisy" / "evaluation" / "summary.json"
    changed = summary("noisy")
    del changed["datasets"]["set8"]
    path.write_text(json.dumps(changed))
    assert f"{path}: expected 'set8', which noisy evaluates, got davis" in refusal(root, tmp_path)


@pytest.mark.parametrize(
    "entries",
    [{}, [3], [{"gflops": 1.0}], [{"method": "M_a", "gflops": None}], [{"method": "M_a", "gflops": "5"}]],
)
def test_a_malformed_complexity_is_named(root: Path, tmp_path: Path, entries: object):
    write(root / "complexity" / "complexity.json", entries)
    assert "complexity.json: " in refusal(root, tmp_path)


def test_gflops_of_another_preset_are_not_shown(root: Path, tmp_path: Path):
    write(root / "complexity" / "complexity.json", [{"method": "M_a", "gflops": 9.0, "preset": "demo"}])
    rows = read(tables(root, tmp_path / "tables") / "table1.csv")
    assert find(rows, variant="M_a")["measured_gflops"] == ""


def test_the_made_up_figures_are_all_different():
    figures = [made_up_psnr(n, d, s) for n, e in EXPERIMENTS.items() for d in e.evaluate for s in e.evaluate[d]]
    assert all(round(a, 2) != round(b, 2) for a, b in itertools.combinations(figures, 2))


def test_methods_that_are_short_of_the_better_median_are_named_with_the_reason():
    def row(method: str, sigma: str, psnr: str, obtained: str) -> dict[str, str]:
        return {"method": method, "sigma": sigma, "measured_psnr_db": psnr, "obtained": obtained}

    ours = "own training, own initial values"
    medians = [row(f"Median {k}x{k}", s, p, "no training") for k, s, p in ((3, "50", "21.0"), (5, "50", "23.0"))]
    records = [
        *medians,
        row("EDVR", "50", "23.4", ours),
        row("EMVD-S", "50", "23.5", ours),
        row("EDVR", "10", "20.0", ours),
        row("VNLnet", "50", "15.0", "own training"),
        row("BasicVSR", "50", "", ""),
        row("BasicVSR++", "50", "23.0", "shipped start, then 320 iterations here"),
    ]
    (note,) = _short_note(records)
    assert note.startswith(
        "Not 0.5 dB above the better median: EDVR at sigma = 50, BasicVSR++ at sigma = 50. EDVR, BasicVSR and"
    )
    assert _short_note([*medians, row("EDVR", "50", "23.5", ours)]) == []
