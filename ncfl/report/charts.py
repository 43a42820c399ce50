"""The charts: published and measured figures side by side, each in a panel and on an axis of its own.

Only GFLOPs share one axis, because both count the same network; a PSNR on a stand-in says nothing about one
on the paper's data.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ncfl.report.denoising_tables import parts, table1, table2, table5
from ncfl.report.history import CURVES, history
from ncfl.report.results import Results
from ncfl.report.style import FAINT, MEASURED, METHODS, PAPER, canvas, empty, footer
from ncfl.report.table import Record, Table, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sides(table: Table, dataset: str = "Set8") -> list[tuple[str, str, str]]:
    """Of each of the two panels: the prefix of its columns, its color and its title."""
    measured = "; ".join(labels(table.records)) or "nothing yet"
    return [("paper", PAPER, f"Paper, on {dataset}"), ("measured", MEASURED, f"Measured, on {measured}")]


def psnr_by_sigma(results: Results, preset: str) -> "Figure":
    """PSNR against sigma on Set8 for NCFL, the medians and the noisy input."""
    table = table5(results, preset)
    figure = canvas(10.0, 4.6)
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.075, right=0.985, top=0.84, bottom=0.2, wspace=0.2)
    for axes, (side, _, title) in zip(panels, sides(table), strict=True):
        axes.set_title(title)
        drawn = [_line(axes, table.records, method, side) for method in METHODS]
        if not any(drawn):
            empty(axes)
            continue
        axes.set_xlabel("noise level σ (of 255)")
        axes.set_ylabel("PSNR (dB)")
        axes.set_xticks(sorted({float(r["sigma"]) for r in table.records}))
        axes.locator_params(axis="y", integer=True)
    handles = {line.get_label(): line for axes in panels for line in axes.get_lines()}
    figure.legend(handles.values(), handles, loc="upper center", ncols=len(handles))
    footer(figure, table.origin)
    return figure


def modules(results: Results, preset: str) -> "Figure":
    """Table 1: PSNR of the six variants, and their GFLOPs."""
    table = table1(results, preset)
    figure = canvas(12.0, 4.0)
    panels = figure.subplots(1, 3, sharey=True)
    figure.subplots_adjust(left=0.185, right=0.985, top=0.9, bottom=0.22, wspace=0.1)
    names = [f"${record['variant']}$  {parts(record)}" for record in table.records]
    for axes, (side, color, title) in zip(panels[:2], sides(table), strict=True):
        _dots(axes, table.records, f"{side}_psnr_db", color, filled=side == "measured")
        axes.set(title=title, xlabel="PSNR (dB), σ = 50")
    _dots(panels[2], table.records, "paper_gflops", PAPER, filled=False)
    _dots(panels[2], table.records, "measured_gflops", MEASURED, filled=True, text=False)
    panels[2].set(title="GFLOPs at the published sizes", xlabel="GFLOPs a frame of 544 × 960")
    panels[2].legend(["paper", "counted here"][: len(panels[2].collections)], loc="lower left", fontsize=10)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.4, -0.8)
    for axes in panels:
        axes.grid(axis="y", visible=False)
    footer(figure, table.origin)
    return figure


def weights(results: Results, preset: str) -> "Figure":
    """Table 2: PSNR for each weight of the cross-entropy."""
    table = table2(results, preset)
    figure = canvas(10.0, 4.0)
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.08, right=0.985, top=0.9, bottom=0.23, wspace=0.2)
    names = [record["lambda"] for record in table.records]
    for axes, (side, color, title) in zip(panels, sides(table), strict=True):
        axes.set_title(title)
        points = _points(table.records, f"{side}_psnr_db")
        if not points:
            empty(axes)
            continue
        face = color if side == "measured" else "white"
        axes.plot(*zip(*points, strict=True), color=color, marker="o", markerfacecolor=face)
        for x, y in points:
            _label(axes, x, y, f"{y:.2f}")
        axes.set_xticks(range(len(names)), names)
        axes.set(xlabel="λ", ylabel="PSNR (dB), σ = 50")
        axes.margins(x=0.1, y=0.25)
    footer(figure, table.origin)
    return figure


def training(results: Results, preset: str, name: str) -> "Figure | None":
    """Training curves of one experiment (:func:`ncfl.report.history.history`); None where no stage kept one."""
    from matplotlib.ticker import LogLocator, NullFormatter

    stages = [history(results.folder(name) / f"stage{number}" / "history.csv") for number in (1, 2)]
    if not any(stages):
        return None
    figure = canvas(12.0, 3.8)
    shown = [key for key in CURVES if any(key in row for stage in stages for row in stage)]
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    figure.subplots_adjust(left=0.07, right=0.985, top=0.88, bottom=0.24, wspace=0.25)
    for axes, key in zip(panels, shown, strict=True):
        for number, (stage, color) in enumerate(zip(stages, (PAPER, MEASURED), strict=True), start=1):
            points = [(row["iteration"], row[key]) for row in stage if key in row]
            if points:
                what = "L2 + λ cross-entropy" if number == 1 else "L2"
                axes.plot(*zip(*points, strict=True), color=color, lw=1.4, label=f"stage {number}: {what}")
        axes.set(title=CURVES[key], xlabel="iteration")
        if key == "loss":
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
    panels[0].legend(fontsize=9)
    footer(figure, training_origin(results, preset, name))
    return figure


def training_origin(results: Results, preset: str, name: str) -> str:
    """The small print of a training's curves: the preset, and the data where they are known."""
    data = results.experiments[name].training_data
    return f"Preset: {preset}.{f' Trained on {data}.' if data else ''}"


def _line(axes: "Axes", records: Sequence[Record], method: str, side: str) -> bool:
    found = [(float(r["sigma"]), r[f"{side}_psnr_db"]) for r in records if r["method"] == method]
    points = [(sigma, float(figure)) for sigma, figure in found if figure]
    if points:
        color, marker, line = METHODS[method]
        axes.plot(*zip(*points, strict=True), color=color, marker=marker, linestyle=line, label=method)
    return bool(points)


def _points(records: Sequence[Record], key: str) -> list[tuple[int, float]]:
    return [(i, float(record[key])) for i, record in enumerate(records) if record[key]]


def _dots(axes: "Axes", records: Sequence[Record], key: str, color: str, *, filled: bool, text: bool = True) -> None:
    points = _points(records, key)
    if not points:
        if not axes.has_data():
            axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=FAINT)
        return
    y, x = zip(*points, strict=True)
    # Hollow rings are drawn larger, so that a dot that agrees with one is seen inside it.
    size = 40 if filled else 100
    axes.scatter(x, y, s=size, color=color if filled else "none", edgecolor=color, linewidth=1.6, zorder=3)
    for row, value in points if text else ():
        _label(axes, value, row, f"{value:.2f}" if key.endswith("db") else f"{value:.0f}")
    axes.margins(x=0.18)


def _label(axes: "Axes", x: float, y: float, text: str) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")]  # a line may run through it
    offset = {"xytext": (0, 8), "textcoords": "offset points", "ha": "center"}
    axes.annotate(text, (x, y), **offset, fontsize=10, path_effects=halo)
