"""The verdict: a repetition that gives the paper's figures is seen, and each departure from them is told."""

from collections.abc import Iterator

import pytest

from ncfl.report.claims import NOT_SEEN, OPEN, SEEN, Claim, Setting
from ncfl.report.denoising_tables import TABLES
from ncfl.report.results import Results
from ncfl.report.table import Table
from ncfl.report.verdict import judge

Tables = dict[str, Table]


@pytest.fixture
def repeated(tmp_path) -> Tables:
    """The tables of a run that gave the paper's figures, on its data."""
    (tmp_path / "complexity").mkdir()
    (tmp_path / "complexity" / "complexity.json").write_text("[]")
    tables = {name: query(Results(tmp_path, {}), "paper") for name, query in TABLES.items()}
    for record in records(tables):
        record |= {f"measured_{key[6:]}": figure for key, figure in record.items() if key.startswith("paper_")}
        record |= {"gflops_deviation_percent": "+0.00"} if record.get("paper_gflops") else {}
        record |= {"experiment": "e", "data": "Set8"}
    return tables


def records(tables: Tables) -> Iterator[dict[str, str]]:
    return (record for table in tables.values() for record in table.records)


def put(tables: Tables, table: str, keys: dict[str, str], **values: str) -> None:
    found = [record for record in tables[table].records if keys.items() <= record.items()]
    assert found
    for record in found:
        record |= values


def verdicts(tables: Tables, preset: str = "paper", edited: tuple[str, ...] = ()) -> dict[str, str]:
    return {claim.text: claim.verdict for claim in judge(tables, Setting(preset, edited))}


def claim(tables: Tables, text: str, preset: str = "paper") -> Claim:
    (found,) = [claim for claim in judge(tables, Setting(preset)) if text in claim.text]
    return found


def test_the_papers_own_figures_are_all_seen(repeated: Tables):
    assert set(verdicts(repeated).values()) == {SEEN}
    assert set(verdicts(repeated, edited=("seed", "machine.device")).values()) == {SEEN}


@pytest.mark.parametrize("change", ["stand-in", "preset", "edited"])
def test_another_experiment_decides_only_what_needs_no_training_of_the_papers(repeated: Tables, change: str):
    for record in records(repeated) if change == "stand-in" else ():
        record["data"] = "demo stand-in"
    edited = ("training.batch",) if change == "edited" else ()
    found = verdicts(repeated, "demo" if change == "preset" else "paper", edited)
    decided = [text for text, verdict in found.items() if verdict != OPEN]
    assert decided[:3] == list(found)[:3]  # what things cost
    assert all("median" in text for text in decided[3:])
    assert len(decided) == 5


@pytest.mark.parametrize(
    ("text", "table", "keys", "values"),
    [
        ("six variants", "table1", {"variant": "M_c"}, {"gflops_deviation_percent": "-1.10"}),
        ("compared methods", "table3", {"method": "EDVR"}, {"gflops_deviation_percent": "+1.01"}),
        ("costs a fraction", "table3", {"method": "BasicVSR++"}, {"measured_gflops": "642.4"}),
        ("far above median", "table5", {"method": "Median 5x5", "sigma": "30"}, {"measured_psnr_db": "31.60"}),
        ("A 3x3 median", "table5", {"method": "Median 3x3", "sigma": "50"}, {"measured_psnr_db": "21.49"}),
        ("NCFL's PSNR", "table5", {"method": "NCFL", "sigma": "50"}, {"measured_psnr_db": "30.20"}),
        ("All modules together", "table1", {"variant": "M_a"}, {"measured_psnr_db": "30.20"}),
        ("compression is worth", "table1", {"variant": "M_e"}, {"measured_psnr_db": "30.40"}),
        ("MV refinement", "table1", {"variant": "M_c"}, {"measured_psnr_db": "29.87"}),
        ("Feature attention", "table1", {"variant": "M_d"}, {"measured_psnr_db": "30.40"}),
        ("weight λ", "table2", {"lambda": "1/256"}, {"measured_psnr_db": "30.46"}),
        ("clean features", "section43", {"method": "NCFL-NoQ"}, {"measured_psnr_db": "31.00"}),
        ("best PSNR on DAVIS", "table3", {"method": "EDVR", "sigma": "20"}, {"measured_psnr_db": "36.78"}),
        ("best SSIM on DAVIS", "table3", {"method": "EDVR", "sigma": "10"}, {"measured_ssim": "0.9800"}),
        ("margin over BasicVSR++", "table3", {"method": "NCFL", "sigma": "10"}, {"measured_psnr_db": "39.85"}),
        ("derainer on NTU-Rain", "table4", {"method": "RMFD"}, {"measured_psnr_db": "40.50"}),
    ],
)
def test_each_departure_is_not_seen(repeated: Tables, text: str, table: str, keys: dict, values: dict):
    before = verdicts(repeated)
    put(repeated, table, keys, **values)
    changed = [name for name, verdict in verdicts(repeated).items() if verdict != before[name]]
    assert any(text in name for name in changed)
    assert claim(repeated, text).verdict == NOT_SEEN


def test_what_was_not_measured_is_not_decided(repeated: Tables):
    for record in records(repeated):
        record |= {key: "" for key in record if key.startswith("measured_")}
        record |= {"experiment": "", "data": ""}
    found = judge(repeated, Setting("paper"))
    assert {claim.verdict for claim in found} == {OPEN}
    assert {claim.measured for claim in found} == {""}


def test_differences_are_those_of_the_printed_figures(repeated: Tables):
    found = claim(repeated, "All modules together")
    assert (found.paper, found.measured, found.experiments) == ("+0.70 dB", "+0.70 dB", ("e",))
    assert claim(repeated, "margin over").paper == "-0.04 dB to +0.18 dB"
    assert claim(repeated, "derainer on NTU-Rain").paper == "+0.74 dB"
    assert claim(repeated, "far above median").paper == "+9.25 to +14.50 dB"
    for record in repeated["table5"].records:
        record["measured_psnr_db"] = "30.00" if record["method"] == "NCFL" else "23.00"
    assert claim(repeated, "far above median").measured == "+7.00 dB"


def test_a_contradiction_is_said_in_words(repeated: Tables):
    put(repeated, "table1", {"variant": "M_a"}, measured_psnr_db="31.00")
    assert "contradicts the paper" in claim(repeated, "All modules", "demo").why
    put(repeated, "table3", {"method": "BasicVSR"}, measured_gflops="469.1")
    assert "contradicts the paper" in claim(repeated, "costs a fraction").why
    put(repeated, "table5", {"method": "Median 3x3", "sigma": "50"}, measured_psnr_db="21.49")
    assert "+5.54 dB at σ = 50" in claim(repeated, "A 3x3 median").why
