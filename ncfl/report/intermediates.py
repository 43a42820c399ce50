"""The figure that shows what one frame meets inside the network; see :mod:`ncfl.evaluate.intermediates`."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ncfl.common.errors import InputError
from ncfl.report.style import FAINT, canvas, footer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARRAYS = ("attention", "bits", "c_check", "c_tilde", "mv", "mv_refined", "step")


class InsidePanel(NamedTuple):
    """One picture: its title, which array or image it shows, and the color map of an array of one channel."""

    title: str
    key: str
    colors: str = ""


# Rows of the figure: what goes in, how the past is aligned, what of it is kept.
PANELS = (
    (
        InsidePanel("degraded frame $x_t$", "degraded"),
        InsidePanel("motion before refinement", "mv"),
        InsidePanel("motion after refinement", "mv_refined"),
    ),
    (
        InsidePanel("attention $m_t$, mean of the channels", "attention", "gray"),
        InsidePanel("features before compression, $|č_t|$", "c_check", "magma"),
        InsidePanel(r"features after compression, $|\tilde{c}_t|$", "c_tilde", "magma"),
    ),
    (
        InsidePanel("quantization step $q_t$, mean of the latents", "step", "viridis"),
        InsidePanel("bits of each position", "bits", "viridis"),
        InsidePanel(r"restored frame $\tilde{y}_t$", "restored"),
    ),
)
SHARED = (("mv", "mv_refined"), ("c_check", "c_tilde"))  # what is compared has one scale


def read_inside(path: Path) -> dict[str, np.ndarray]:
    """The arrays that an evaluation kept.

    Raises:
        InputError: not the file that an evaluation writes.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            return {key: np.asarray(found[key], dtype=np.float32) for key in ARRAYS}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected the arrays {', '.join(ARRAYS)}, got {error!r:.150}") from None


def draw(arrays: dict[str, np.ndarray], degraded: np.ndarray, restored: np.ndarray, note: str) -> "Figure":
    """Nine panels: what goes in, how the past is aligned, what of it is kept, and what comes out.

    Args:
        arrays: as :func:`read_inside` gives them.
        degraded, restored: uint8 RGB [H,W,3].
        note: the small print.
    """
    height, width = degraded.shape[:2]
    across, gap, head, foot, bar = 4.1, 0.25, 0.34, 0.4, 0.75
    tall = across * height / width
    total = (3 * (across + gap + bar), 3 * (tall + head + 0.05) + foot)
    figure = canvas(*total)
    images = {"degraded": degraded, "restored": restored}
    tops = {key: max(_top(arrays, name) for name in pair) for pair in SHARED for key in pair}
    for row, panels in enumerate(PANELS):
        for column, panel in enumerate(panels):
            left = gap + column * (across + gap + bar)
            bottom = total[1] - (row + 1) * (tall + head + 0.05)
            place = (left / total[0], bottom / total[1], across / total[0], tall / total[1])
            axes = figure.add_axes(place)
            axes.set_title(panel.title, fontsize=11)
            axes.set_axis_off()
            if panel.key in images:
                axes.imshow(images[panel.key], interpolation="nearest", aspect="auto")
                continue
            top = tops.get(panel.key, _top(arrays, panel.key))
            side = ((left + across + 0.08) / total[0], place[1], 0.1 / total[0], place[3])
            if panel.key.startswith("mv"):
                axes.imshow(flow_colors(arrays[panel.key], top), interpolation="nearest", aspect="auto")
                wheel = figure.add_axes(((left + across + 0.05) / total[0], place[1], 0.6 / total[0], 0.6 / total[1]))
                _wheel(wheel, top)
                continue
            shown = axes.imshow(arrays[panel.key], cmap=panel.colors, vmin=0, vmax=top, aspect="auto")
            figure.colorbar(shown, cax=figure.add_axes(side)).ax.tick_params(labelsize=9)
    footer(figure, note)
    return figure


def flow_colors(mv: np.ndarray, top: float) -> np.ndarray:
    """Motion as colors: the direction is the hue, the length the saturation.

    Args:
        mv: [2,H,W], pixels (x, y).
        top: the length in pixels that has the full color.

    Returns:
        float RGB [H,W,3] in [0,1]; no motion is white.
    """
    from matplotlib.colors import hsv_to_rgb

    x, y = mv
    hue = (np.arctan2(y, x) / (2 * np.pi)) % 1
    return hsv_to_rgb(np.stack([hue, np.clip(np.hypot(x, y) / top, 0, 1), np.ones_like(x)], axis=-1))


def _top(arrays: dict[str, np.ndarray], key: str) -> float:
    """Where an array's scale ends: few positions lie far above all others."""
    if key == "attention":
        return 1.0
    values = np.hypot(*arrays[key]) if key.startswith("mv") else arrays[key]
    return max(float(np.percentile(values, 99.5)), 1e-6)


def _wheel(axes: "Axes", top: float) -> None:
    """The legend of motion's colors: each direction's color, full at the rim, and what the rim is."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    colors = flow_colors(np.stack([x, y]), 1.0)
    colors[np.hypot(x, y) > 1] = 1
    axes.imshow(colors)
    axes.set_axis_off()
    axes.set_title(f"{top:.1f} px", fontsize=9, color=FAINT, loc="center", fontweight="normal")
