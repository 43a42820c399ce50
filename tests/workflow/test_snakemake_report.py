"""Snakemake's own report of a graph that has been run: our tables and figures are in it, and say what they show."""

import json
import re
from typing import Any

from helpers.engines import run

SHOWN = {
    "tables/table1.csv": ("Table 1", "The effect of the modules: PSNR on Set8 at sigma = 50, and GFLOPs"),
    "tables/datasets.csv": (
        "Additional table",
        "The other datasets: PSNR and SSIM of the degraded input and of what is restored from it",
    ),
    "figures/psnr_sigma.png": (
        "psnr_sigma",
        "PSNR against the noise level: the paper's on Set8, and the one measured here.",
    ),
}


def embedded(page: str, name: str) -> dict[str, Any]:
    (found,) = re.findall(rf"^ *var {name} = (\{{.*\}});?$", page, re.M)
    return json.loads(found)


def test_tables_and_figures_are_in_it_with_what_they_show(project):
    run("snakemake --report report.html", project)
    page = (project / "report.html").read_text(encoding="utf-8")
    assert "the paper's tables and figures" in page
    results = embedded(page, "results")
    assert set(embedded(page, "categories")) == {"Tables", "Figures"}
    for path, labels in SHOWN.items():
        assert tuple(results[f"results/{path}"]["labels"].values()) == labels
        assert results[f"results/{path}"]["caption"]
    names = {path.removeprefix("results/") for path in results}
    assert {f"tables/table{n}.csv" for n in range(1, 6)} | {f"figures/figure{n}.png" for n in range(1, 5)} <= names
