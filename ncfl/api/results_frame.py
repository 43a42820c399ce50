"""Every figure of the paper's tables, published and measured, as one tidy frame."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ncfl.common.errors import InputError
from ncfl.config import layout

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "table",
    "row",
    "dataset",
    "sigma",
    "space",
    "metric",
    "origin",
    "value",
    "data",
    "experiment",
    "obtained",
    "preset",
)
# The published figures of each table, and what its caption says of all its rows.
_TABLES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "table1": (("table1_modules",), {"dataset": "Set8", "sigma": "50"}),
    "table2": (("table2_lambda",), {"dataset": "Set8", "sigma": "50"}),
    "table3": (("table3_davis", "table3_gflops"), {"dataset": "DAVIS"}),
    "table4": (("table4_deraining",), {}),
    "table5": (("table5_median",), {"dataset": "Set8"}),
    "section43": (("section43_clean_features",), {"dataset": "DAVIS"}),
    "datasets": ((), {}),
}
_ORIGINS = ("data", "experiment", "obtained", "preset")
_PUBLISHED = ("psnr_db", "ssim", "gflops")
_FIGURE = re.compile(r"(paper|measured)_(?:(rgb)_)?(\w+)")


def results(project: str | Path = ".", *, by: Literal["table", "sequence", "frame"] = "table") -> "DataFrame":
    """Every published figure, and every one that was measured in a project.

    Args:
        project: the folder of the project, whose ``results/`` are read.
        by: ``table`` for the figures that the tables show; ``sequence`` or ``frame`` for the measured PSNR and
            SSIM of each sequence or frame, as the evaluations wrote them.

    Returns:
        For ``table`` one row a figure: ``table``; ``row`` (method, variant or weight); ``dataset``; ``sigma`` (0..255;
        missing where no noise is added); ``space``, where it is not the table's own; ``metric`` (psnr_db, ssim,
        gflops, ...); ``origin``, ``paper`` or ``measured``; ``value``; and for a measured one ``data`` (what it was
        measured on: a stand-in is named there, and is never to be compared with the paper's), ``experiment``,
        ``obtained`` and ``preset``. Tables that were not made yet have their published figures alone.
        For ``sequence`` and ``frame`` the columns of the evaluations' files, and ``experiment``.

    Raises:
        InputError: an unknown ``by``, or a file that is no table of figures.
    """
    import pandas

    root = Path(project)
    if by in ("sequence", "frame"):
        pattern = str(layout.EXPERIMENTS / "*" / "evaluation" / f"{by}s.csv")
        found = [pandas.read_csv(path).assign(experiment=path.parts[-3]) for path in sorted(root.glob(pattern))]
        return pandas.concat(found, ignore_index=True) if found else pandas.DataFrame()
    if by != "table":
        raise InputError(f"results: expected by='table', 'sequence' or 'frame', got {by!r}")
    nothing = dict.fromkeys(COLUMNS, "")
    rows = [nothing | row for name in _TABLES for row in _rows(name, root / layout.TABLES / f"{name}.csv")]
    frame = pandas.DataFrame(rows, columns=list(COLUMNS))
    for column in ("value", "sigma"):
        frame[column] = pandas.to_numeric(frame[column])
    return frame


def _rows(name: str, path: Path) -> Iterator[dict[str, str]]:
    """The figures of a table, once each: GFLOPs stand beside every noise level of their method."""
    seen = set()
    for record in _measured(path) if path.exists() else _published(name):
        for key, value in record.items():
            match = _FIGURE.fullmatch(key)
            if match is None or not value:
                continue
            origin, space, metric = match.groups()
            about = _about(name, record, metric, space) | {"metric": metric, "origin": origin}
            if tuple(about.values()) in seen:
                continue
            seen.add(tuple(about.values()))
            measured = origin == "measured" and metric != "gflops"  # the complexity is no experiment's
            yield about | {"value": value} | ({key: record.get(key, "") for key in _ORIGINS} if measured else {})


def _about(name: str, record: dict[str, str], metric: str, space: str | None) -> dict[str, str]:
    row = record.get("variant") or record.get("lambda") or record.get("method", "")
    if metric == "gflops":  # of no dataset and no noise level
        return {"table": name, "row": row}
    common = {"dataset": "", "sigma": "", "space": ""} | _TABLES[name][1]
    own = {key: record[key] for key in common if record.get(key)}
    return {"table": name, "row": row} | common | own | ({"space": space.upper()} if space else {})


def _published(name: str) -> Iterator[dict[str, str]]:
    from ncfl.report import published

    for source in _TABLES[name][0]:
        for row in published.rows(source):
            yield {f"paper_{key}" if key in _PUBLISHED else key: value for key, value in row.items()}


def _measured(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and not any(_FIGURE.fullmatch(key or "") for key in rows[0]):
        raise InputError(
            f"{path}: expected columns of figures (paper_..., measured_...), got none; make it again: ncfl tables"
        )
    return rows
