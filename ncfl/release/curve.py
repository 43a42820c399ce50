"""The training's curve in a model card: loss and PSNR of both stages, faint as logged, bold as running means."""

import statistics
from pathlib import Path

from ncfl.release.background import FinishedTraining
from ncfl.report.style import MEASURED, PAPER, canvas, footer, save, style

AROUND = 20  # logged points that a running mean takes on either side: a batch's noise level moves its loss tenfold


def draw_curve(background: FinishedTraining, path: Path) -> bool:
    """Write the picture; False where no stage kept a curve."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if not any(background.curves.values()):
        return False
    with style():
        figure = canvas(10.0, 3.6)
        panels = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.9, bottom=0.24, wspace=0.2)
        for axes, (key, title) in zip(panels, (("loss", "loss"), ("psnr", "PSNR of the batches (dB)")), strict=True):
            for (stage, rows), color in zip(background.curves.items(), (PAPER, MEASURED), strict=True):
                points = [(row["iteration"], row[key]) for row in rows if key in row]
                if not points:
                    continue
                steps, values = zip(*points, strict=True)
                axes.plot(steps, values, color=color, lw=0.6, alpha=0.25)
                name = "stage 1: L2 + λ cross-entropy" if stage == "stage1" else "stage 2: L2"
                axes.plot(steps, smoothed(values), color=color, label=name)
            axes.set(title=title, xlabel="iteration")
        panels[0].set_yscale("log")
        panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panels[0].yaxis.set_major_formatter("{x:g}")
        panels[0].yaxis.set_minor_formatter(NullFormatter())
        panels[0].legend(fontsize=9)
        footer(figure, f"Training of {background.experiment}; bold: means of {2 * AROUND + 1} logged points.")
        save(figure, path)
    return True


def smoothed(values: tuple[float, ...] | list[float], around: int = AROUND) -> list[float]:
    """The mean of each value and up to ``around`` on either side."""
    windows = [values[max(0, i - around) : i + around + 1] for i in range(len(values))]
    return [statistics.fmean(window) for window in windows]
