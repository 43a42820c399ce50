"""Tables of experiments with several seeds: the mean and the spread, worked by hand, and how many seeds they are of."""

import re
from dataclasses import replace

import pytest
from helpers.report_samples import EXPERIMENTS, MODEL, find, read, summary, write, write_examples, write_results

from ncfl.report.figures import write_figures
from ncfl.report.marks import rank
from ncfl.report.page import write_page
from ncfl.report.table_files import write_tables

# M_a of Table 1 measured with three seeds: 20.0, 20.3 and 20.9 dB. The mean is 61.2 / 3 = 20.4; the deviations are
# -0.4, -0.1 and 0.5, their squares 0.16 + 0.01 + 0.25 = 0.42, and sqrt(0.42 / 2) = sqrt(0.21) = 0.4583.
PSNR = {"modules-a": 20.0, "modules-a-seed1": 20.3, "modules-a-seed2": 20.9}
MEAN, SPREAD = "20.40", "0.46"
SEEDED = {
    "modules-a": replace(EXPERIMENTS["modules-a"], seed=0),
    "modules-a-seed1": replace(EXPERIMENTS["modules-a"], seed=1, repeats="modules-a"),
    "modules-a-seed2": replace(EXPERIMENTS["modules-a"], seed=2, repeats="modules-a"),
}
SEVERAL = EXPERIMENTS | SEEDED


@pytest.fixture
def root(tmp_path):
    root = write_results(tmp_path / "results")
    for place, (name, psnr) in enumerate(PSNR.items()):
        found = summary("modules-a")
        level = found["datasets"]["set8"]["sigma"]["50"]
        level |= {"psnr": psnr, "ssim": 0.5}
        found["datasets"]["set8"]["memory"] = {"50": {"worth": 0.25 * place}}  # the mean is 0.25
        write(root / "experiments" / name / "evaluation" / "summary.json", found)
    return root


@pytest.fixture
def output(root, tmp_path):
    write_tables(results=root, output=tmp_path / "t", preset="demo", experiments=SEVERAL)
    return tmp_path / "t"


def test_the_csv_has_the_mean_and_the_spread(output):
    rows = read(output / "table1.csv")
    row = find(rows, variant="M_a")
    assert (row["measured_psnr_db"], row["spread_psnr_db"], row["seeds"]) == (MEAN, SPREAD, "3")
    assert row["experiment"] == "modules-a"
    other = find(rows, variant="M_f")
    assert (other["spread_psnr_db"], other["seeds"]) == ("", "")
    assert other["measured_psnr_db"]


def test_a_table_of_single_seeds_has_no_such_columns(output):
    assert not {"spread_psnr_db", "spread_ssim", "seeds"} & set(read(output / "table2.csv")[0])
    assert "seeds" not in (output / "table2.md").read_text()


def test_people_read_both_and_over_how_many_seeds(output):
    markdown, latex = ((output / f"table1.{kind}").read_text() for kind in ("md", "tex"))
    assert f" {MEAN} ± {SPREAD} |" in markdown
    assert "Mean ± standard deviation over 3 seeds. Figures without ± are of one seed." in markdown
    assert rf"{MEAN} $\pm$ {SPREAD} &" in latex
    assert r"M\_a +0.25 dB" in markdown  # of the memory's worth too it is the mean


def test_table_3_of_the_paper_has_them_in_both_qualities(root, tmp_path):
    more = {"ncfl-davis-seed1": replace(EXPERIMENTS["ncfl-davis"], repeats="ncfl-davis")}
    for name, psnr, ssim in (("ncfl-davis", 30.0, 0.8), ("ncfl-davis-seed1", 31.0, 0.82)):
        found = summary("ncfl-davis")
        found["datasets"]["davis"]["sigma"]["50"] |= {"psnr": psnr, "ssim": ssim}
        write(root / "experiments" / name / "evaluation" / "summary.json", found)
    write_tables(results=root, output=tmp_path / "t", preset="demo", experiments=EXPERIMENTS | more)
    # The deviations of two figures from their mean are half their distance: sqrt(2 * 0.5 ** 2) = 0.71.
    latex = (tmp_path / "t" / "table3.tex").read_text()
    assert r"\textbf{30.50 $\pm$ 0.71}/\textbf{0.8100 $\pm$ 0.0141}" in latex
    row = find(read(tmp_path / "t" / "table3.csv"), method="NCFL", sigma="50")
    assert (row["spread_psnr_db"], row["spread_ssim"], row["seeds"]) == ("0.71", "0.0141", "2")


def test_means_are_ranked_whatever_their_spread():
    assert rank(["20.40 ± 0.46", "20.50", "19.00 ± 2.00", ""]) == ["second", "best", "", ""]


def test_the_page_shows_them_and_the_run_of_each_seed(root, tmp_path):
    write_examples(root)
    common = {"results": root, "preset": "demo", "experiments": SEVERAL}
    write_figures(output=root / "figures", model=MODEL, **common)
    page = write_page(output=tmp_path / "index.html", **common).read_text(encoding="utf-8")
    assert f"{MEAN} ± {SPREAD}" in page
    for name, seed in (("modules-a", 0), ("modules-a-seed1", 1), ("modules-a-seed2", 2)):
        assert re.search(rf'id="run-{name}"', page), name
        assert f"seed {seed}" in page
