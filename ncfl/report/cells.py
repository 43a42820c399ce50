"""Cells that the tables share: which experiments hold a method's figures, and how a figure is written."""

from collections.abc import Sequence

from ncfl.methods import METHODS
from ncfl.report.results import MeasuredFigure
from ncfl.report.table import Column, Record, measured_head, shown_cell

# A method of Tables 3 to 5 -> the name its experiments carry: <slug>-<dataset> where trained, else <slug>.
SLUGS = {method.title: method.name for method in METHODS}


BEGUN = "shipped start"  # how ``obtained`` begins of what was trained on from one
COUNTED = "complexity"  # the run that counted GFLOPs


def experiments_of(method: str, dataset: str) -> tuple[str, ...]:
    """The experiment names that may hold a method's figures, trained on ``dataset`` or learning nothing."""
    slug = SLUGS[method]
    return f"{slug}-{dataset}", slug


def psnr_cells(row: Record, figure: MeasuredFigure | None) -> Record:
    """The paper's PSNR of a published row, and the measured one with its spread over seeds."""
    measured = f"{figure.psnr:.2f}" if figure else ""
    return {"paper_psnr_db": row["psnr_db"], "measured_psnr_db": measured, "spread_psnr_db": _spread(figure, "psnr", 2)}


def ssim_cells(row: Record, figure: MeasuredFigure | None) -> Record:
    """The paper's SSIM of a published row, and the measured one with its spread over seeds."""
    measured = f"{figure.ssim:.4f}" if figure else ""
    return {"paper_ssim": row["ssim"], "measured_ssim": measured, "spread_ssim": _spread(figure, "ssim", 4)}


def _spread(figure: MeasuredFigure | None, key: str, digits: int) -> str:
    """The spread of a figure over seeds; empty where it is of one."""
    spread = getattr(figure, f"spread_{key}", None)
    return "" if spread is None else f"{spread:.{digits}f}"


def gflops_cells(paper: str, measured: float | None) -> Record:
    """The paper's GFLOPs, those counted here, and how far they are apart."""
    deviation = 100 * (measured / float(paper) - 1) if paper and measured is not None else None
    return {
        "paper_gflops": paper,
        "measured_gflops": "" if measured is None else f"{measured:.1f}",
        "gflops_deviation_percent": "" if deviation is None else f"{deviation:+.2f}",
    }


def origin_cells(figure: MeasuredFigure | None, preset: str) -> Record:
    """Where a measured figure comes from; empty where there is none."""
    if figure is None:
        keys = ("experiment", "obtained", "data", "sequences", "frames", "seeds")
        return dict.fromkeys(keys, "") | {"preset": preset}
    return {
        "experiment": figure.experiment,
        "obtained": figure.obtained,
        "data": figure.data,
        "sequences": str(figure.sequences),
        "frames": str(figure.frames),
        "seeds": str(figure.seeds) if figure.seeds > 1 else "",
        "preset": preset,
    }


def pair(group: str, records: Sequence[Record]) -> list[Column]:
    """The two columns of a quality; the measured one names the data where they are a stand-in's."""
    head = measured_head(records)
    return [Column("paper", group, kind="paper", ranked=True), Column(head, group, kind="measured", ranked=True)]


def run_of(record: Record, key: str) -> str:
    """The run that gave a cell of a record: see :attr:`ncfl.report.table.Table.runs`."""
    if not key.startswith("measured_") or not record[key]:
        return ""
    return COUNTED if key == "measured_gflops" else record["experiment"]


def runs_of(records: Sequence[Record], keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The runs of rows that show these keys of their record; keys that are none are names."""
    return [tuple(run_of(record, key) for key in keys) for record in records]


def by_sigma(
    records: Sequence[Record], sigmas: Sequence[str], metrics: Sequence[str]
) -> tuple[list[Column], list[tuple[str, ...]], list[tuple[str, ...]]]:
    """One row per method and metric (named where there are several), a pair of columns per sigma; and the runs."""
    columns = [Column(head, number=False) for head in ("method", "metric")[: len(metrics)]]
    for sigma in sigmas:
        columns += pair(f"σ = {sigma}", [r for r in records if r["sigma"] == sigma])
    cell = {(r["method"], r["sigma"]): r for r in records}
    suffix = {"PSNR": "psnr_db", "SSIM": "ssim"}
    rows, runs = [], []
    for method in distinct(records, "method"):
        for metric in metrics:
            of_method = [cell[method, sigma] for sigma in sigmas]
            shown = [(r, f"{side}_{suffix[metric]}") for r in of_method for side in ("paper", "measured")]
            names = (method, *([metric] if len(metrics) > 1 else []))
            rows.append((*names, *(shown_cell(r, key) for r, key in shown)))
            runs.append((*("" for _ in names), *(run_of(r, key) for r, key in shown)))
    return columns, rows, runs


def distinct(records: Sequence[Record], key: str) -> list[str]:
    """The different values of one key, in order of first use."""
    return list(dict.fromkeys(record[key] for record in records))
