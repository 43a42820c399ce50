"""The comparison strip: one kept frame, clean, degraded and restored, each with an enlarged crop."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ncfl.common.errors import InputError
from ncfl.report.cells import experiments_of
from ncfl.report.results import Results
from ncfl.report.style import BLUE, canvas, footer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CROP = 1 / 3  # of the frame's height and width: three times as large in the strip
MANY = 5  # panels; above, their heads need smaller letters
_RESTORED_NAME = re.compile(r"(?P<frame>.+_(?P<number>\d+))_sigma(?P<sigma>\d+(\.\d+)?)\.png")


class Panel(NamedTuple):
    """One column of the strip: uint8 RGB [H,W,3], its PSNR in dB against the clean frame (None for that)."""

    name: str
    image: np.ndarray
    psnr: float | None


class Subject(NamedTuple):
    """What a strip is of.

    Attributes:
        dataset: whose kept example is shown.
        trained: the dataset that the experiments were trained on.
        degraded: what the input is called.
        methods: what restored it, as tables call them; NCFL must be among them.
    """

    dataset: str
    trained: str
    degraded: str
    methods: tuple[str, ...]


class Strip(NamedTuple):
    """The panels of one frame, and what the frame is; ``data`` says what the dataset really is."""

    panels: list[Panel]
    data: str
    sequence: str
    frame: int
    sigma: float


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """PSNR in dB of two uint8 images of one shape; infinite where they are equal."""
    error = np.mean((image.astype(np.float64) - clean) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def busiest(clean: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """Top row and left column of the window with the strongest gradients: where detail can be lost."""
    gray = clean.astype(np.float64).mean(axis=2)
    energy = np.abs(np.gradient(gray, axis=0)) + np.abs(np.gradient(gray, axis=1))
    sums = np.pad(energy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(boxes.argmax()), boxes.shape)
    return int(top), int(left)


def load(results: Results, subject: Subject) -> Strip | None:
    """The example frame that NCFL's evaluation kept of a dataset, with the other methods' beside it.

    The highest noise level is taken, then the first sequence by name. A method that did not keep the same
    frame has no panel.

    Returns:
        None where NCFL kept no example.

    Raises:
        InputError: the clean or degraded picture is missing, or one is unreadable or of another size.
    """
    names = {method: _experiment(results, method, subject) for method in subject.methods}
    if names["NCFL"] is None:
        return None
    folder = _examples(results, names["NCFL"], subject.dataset)
    found = [match for path in folder.glob("*.png") if (match := _RESTORED_NAME.fullmatch(path.name))]
    if not found:
        return None
    chosen = min(found, key=lambda match: (-float(match["sigma"]), match["frame"]))
    clean = read_picture(folder / f"{chosen['frame']}_clean.png")
    degraded = read_picture(folder / f"{chosen['frame']}_sigma{chosen['sigma']}_input.png", clean)
    panels = [Panel("Clean", clean, None), Panel(subject.degraded, degraded, psnr(degraded, clean))]
    for method, name in names.items():
        path = _examples(results, name, subject.dataset) / chosen[0] if name else None
        if path is not None and path.exists():
            image = read_picture(path, clean)
            panels.append(Panel(method.replace("x", "×"), image, psnr(image, clean)))
    sequence = chosen["frame"].rpartition("_")[0]
    data = results.label(names["NCFL"], subject.dataset)
    return Strip(panels, data, sequence, int(chosen["number"]), float(chosen["sigma"]))


def draw(strip: Strip, note: str, crop: tuple[int, int, int, int] | None = None) -> "Figure":
    """Draw the panels side by side: name and PSNR, the frame, and an enlarged crop.

    Args:
        strip: what is drawn.
        note: the small print.
        crop: left, top, width and height in pixels; None: a third of the frame each way, where detail is finest.

    Raises:
        InputError: a crop that is not in the frame.
    """
    clean = strip.panels[0].image
    height, width = clean.shape[:2]
    if crop is None:
        crop_size = max(1, round(height * CROP)), max(1, round(width * CROP))
        corner = busiest(clean, *crop_size)
    else:
        left, top, across, tall = crop
        if not (0 <= left < left + across <= width and 0 <= top < top + tall <= height):
            raise InputError(
                f"--crop: expected left,top,width,height within {width}x{height}, got {left},{top},{across},{tall}"
            )
        crop_size, corner = (tall, across), (top, left)
    columns = len(strip.panels)
    total, gap, head, foot = 13.0, 0.12, 0.4, 0.38
    panel = (total - gap * (columns + 1)) / columns
    tall, crop_tall = panel * height / width, panel * crop_size[0] / crop_size[1]
    whole = head + tall + crop_tall + gap + foot
    figure = canvas(total, whole)
    size = 14 if columns <= MANY else 11  # a name and its figure share a panel's width
    for i, (name, image, quality) in enumerate(strip.panels):
        left = (gap + i * (panel + gap)) / total
        frame = figure.add_axes((left, (foot + crop_tall + gap) / whole, panel / total, tall / whole))
        part = figure.add_axes((left, foot / whole, panel / total, crop_tall / whole))
        _show(frame, image, None)
        _mark(frame, corner, crop_size)
        top, start = corner
        _show(part, image[top : top + crop_size[0], start : start + crop_size[1]], BLUE)
        y = (whole - head + 0.1) / whole
        weight = "bold" if name == "NCFL" else "normal"
        figure.text(left, y, name, fontsize=size, fontweight=weight, va="bottom")
        if quality is not None:
            figure.text(left + panel / total, y, f"{quality:.2f} dB", fontsize=size, va="bottom", ha="right")
    footer(figure, note)
    return figure


def _show(axes: "Axes", image: np.ndarray, edge: str | None) -> None:
    # A crop shows the pixels as they are; a frame that is reduced must not alias.
    axes.imshow(image, interpolation="antialiased" if edge is None else "nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=edge is not None, color=edge or "none", linewidth=2)


def _mark(axes: "Axes", corner: tuple[int, int], size: tuple[int, int]) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    top, left = corner
    at_pixel_edge = (left - 0.5, top - 0.5)
    halo = [withStroke(linewidth=4.5, foreground="white")]  # seen on any picture
    shape = {"fill": False, "edgecolor": BLUE, "linewidth": 2, "path_effects": halo}
    axes.add_patch(Rectangle(at_pixel_edge, size[1], size[0], **shape))


def _experiment(results: Results, method: str, subject: Subject) -> str | None:
    names = experiments_of(method, subject.trained)
    return next((name for name in names if results.label(name, subject.dataset)), None)


def _examples(results: Results, name: str, dataset: str) -> Path:
    return results.folder(name) / "evaluation" / "examples" / dataset


def read_picture(path: Path, like: np.ndarray | None = None) -> np.ndarray:
    """A kept picture, uint8 RGB [H,W,3]. InputError: it is unreadable, or of another size than ``like``."""
    import cv2

    # Decoded from bytes, since cv2.imread prints a warning of its own and loses the reason.
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise InputError(f"{path}: not readable as a picture ({error})") from None
    if image is None:
        raise InputError(f"{path}: not readable as a picture")
    if like is not None and image.shape != like.shape:
        raise InputError(f"{path}: expected {_size(like.shape)}, the size of the clean frame, got {_size(image.shape)}")
    return image[..., ::-1]


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]}x{shape[0]}"
