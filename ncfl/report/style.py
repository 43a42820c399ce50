"""How every figure looks, and how it is saved: equal figures give equal bytes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ncfl.common.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by people with any kind of color vision; markers differ as well.
BLUE, ORANGE, VERMILION, GRAY = "#0072B2", "#E69F00", "#D55E00", "#7A7A7A"
INK, FAINT = "#222222", "#666666"
PAPER, MEASURED = INK, BLUE
METHODS = {  # color, marker, line
    "Noisy input": (GRAY, "x", ":"),
    "Median 3x3": (ORANGE, "s", "--"),
    "Median 5x5": (VERMILION, "^", "-."),
    "NCFL": (BLUE, "o", "-"),
}
DPI = 120
_SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "axes.axisbelow": True,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "lines.linewidth": 1.8,
    "lines.markersize": 6.5,
    "legend.frameon": False,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw with these settings alone, whatever the user's own matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "agg", **_SETTINGS}):
        yield


def canvas(width: float, height: float) -> "Figure":
    """An empty white figure, inches, that no global state of matplotlib knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def footer(figure: "Figure", text: str) -> None:
    """The small print at the bottom: where the figures come from."""
    inches = figure.get_size_inches()
    figure.text(0.08 / inches[0], 0.09 / inches[1], text, fontsize=9, color=FAINT, va="bottom")


def empty(axes: "Axes", text: str = "not measured") -> None:
    """Say in an empty panel that it is empty on purpose."""
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)


def save(figure: "Figure", path: Path) -> None:
    """Write a PNG, and beside it a PDF for print, without date or version in them."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})
    nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
    with atomic_path(path.with_suffix(".pdf")) as temporary:
        figure.savefig(temporary, format="pdf", dpi=2 * DPI, metadata=nothing)
