"""The data of the page's interactive charts: quality against GFLOPs, and PSNR by sequence and by frame.

The page draws them with Plotly, which it carries along. Only figures are collected here; how they look stands in
``templates/charts.js``.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.report.cells import SLUGS, distinct, experiments_of
from ncfl.report.denoising_tables import MODULES, WEIGHTS, table3
from ncfl.report.results import SPACES, TITLES, Results
from ncfl.report.table import Record, labels

PUBLISHED = "paper"  # the preset whose networks have the sizes at which GFLOPs are counted
_OWN = {name: row for row, name in MODULES.items()} | {name: f"λ = {row}" for row, name in WEIGHTS.items()}
_TITLES = _OWN | {name: title for title in SLUGS for dataset in TITLES for name in experiments_of(title, dataset)}


def charts(results: Results, preset: str) -> dict[str, Any]:
    """What both charts show, as JSON knows it.

    Returns:
        ``tradeoff``: see :func:`tradeoff`; ``frames``: see :func:`frames`.

    Raises:
        InputError: a ``frames.csv`` is malformed. One that is missing leaves its experiment out.
    """
    return {"tradeoff": tradeoff(results, preset), "frames": frames(results)}


def tradeoff(results: Results, preset: str) -> dict[str, Any]:
    """PSNR on DAVIS against GFLOPs a frame of 544 x 960, of every method of Table 3 that has both.

    Returns:
        ``axis``: what the GFLOPs are of; ``sides``: two objects with ``title`` and ``sigma``, which has for each noise
        level the points ``{method, gflops, psnr}``, the published ones first.
    """
    records = table3(results, preset).records
    measured = "; ".join(labels(records)) or "nothing yet"
    sides = [
        {"title": "Paper, on DAVIS", "sigma": _points(records, "paper")},
        {"title": f"Measured, on {measured}", "sigma": _points(records, "measured")},
    ]
    smaller = "" if preset == PUBLISHED else "; those measured here are smaller"
    return {"axis": f"GFLOPs a frame of 544 × 960 at the published size{smaller}", "sides": sides}


def _points(records: Sequence[Record], side: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for sigma in distinct(records, "sigma"):
        rows = [r for r in records if r["sigma"] == sigma and r[f"{side}_psnr_db"] and r[f"{side}_gflops"]]
        found[sigma] = [
            {"method": r["method"], "gflops": float(r[f"{side}_gflops"]), "psnr": float(r[f"{side}_psnr_db"])}
            for r in rows
        ]
    return {sigma: points for sigma, points in found.items() if points}


def frames(results: Results) -> dict[str, Any]:
    """PSNR of every frame, in the space that tables print.

    Returns:
        dataset -> ``label``, ``space`` and ``sigma``: noise level -> sequence -> method -> PSNR in dB of each frame.
    """
    found: dict[str, Any] = {}
    for name in results.experiments:
        for row in _rows(results.folder(name) / "evaluation" / "frames.csv"):
            label = results.label(name, row["dataset"])
            if not label:
                continue  # of a dataset that the parameters no longer name
            new = {"label": label, "first": row["space"], "space": SPACES.get(row["space"], row["space"]), "sigma": {}}
            dataset = found.setdefault(row["dataset"], new)
            if row["space"] == dataset["first"]:
                sequences = dataset["sigma"].setdefault(row["sigma"], {})
                methods = sequences.setdefault(row["sequence"], {})
                methods.setdefault(_TITLES.get(name, name), []).append(row["psnr"])
    return {name: {key: dataset[key] for key in dataset if key != "first"} for name, dataset in found.items()}


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                kept = {key: row[key] for key in ("dataset", "sequence", "sigma", "space")}
                yield kept | {"psnr": round(float(row["psnr"]), 2)}
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{path}: line {number}: expected a row of frames, got {error!r:.100}") from None
