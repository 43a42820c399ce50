"""Draws a module's diagram: columns are the order of its steps, rows the scales of its feature maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ncfl.report.structure import Box, Diagram
from ncfl.report.style import FAINT, INK, canvas, footer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Light tints of Okabe and Ito's palette, so that dark letters are read on each.
COLORS = {
    "conv": "#CFE4F3",
    "deconv": "#FBE3B5",
    "norm": "#CDEBDF",
    "block": "#EFDCE8",
    "net": "#EFDCE8",
    "act": "#EEEEEE",
    "op": "#FFFFFF",
}
SYMBOLS = {
    "x": "$x$",
    "y": "$y$",
    "x_t": "$x_t$",
    "mv": "MV",
    "c_hat": r"$\hat{c}_t$",
    "c_check": "$č_t$",
    "c_tilde": r"$\tilde{c}_t$",
    "y_tilde": r"$\tilde{y}_t$",
    "c_t": "$c_t$",
    "m_t": "$m_t$",
    "bits": "bits",
}
COLUMN, WIDTH, HEIGHT = 0.43, 0.27, 1.5  # inches: of a column, and of a box
TALL, FLAT = 1.85, 0.5  # of a row with boxes, and of one with symbols alone
TRACK = 0.065  # between the ways that lead around boxes, above them
MARGIN, HEAD, FOOT = 0.6, 0.45, 0.4
SYMBOL = 0.1  # half of what a symbol takes


class BoxPlace(NamedTuple):
    """Where a box stands: its column, and its row from the top; boxes of one scale may need several rows."""

    column: int
    row: int


def draw(diagrams: Sequence[Diagram], note: str) -> "Figure":
    """The diagrams one above the other, with a line of small print below."""
    drawings = [_Drawing(diagram) for diagram in diagrams]
    width, height = max(7.0, *(d.width for d in drawings)), sum(d.height for d in drawings) + FOOT
    figure = canvas(width, height)
    top = height
    for drawing in drawings:
        axes = figure.add_axes((0, (top - drawing.height) / height, 1, drawing.height / height))
        axes.set(xlim=(0, width), ylim=(drawing.height, 0))
        axes.axis("off")
        drawing.draw(axes)
        top -= drawing.height
    footer(figure, note)
    return figure


def places(boxes: Sequence[Box]) -> list[BoxPlace]:
    """A place for each box: behind all that it reads, and in the rows of its scale."""
    columns: list[int] = []
    lanes: list[int] = []
    taken: set[tuple[int, int, int]] = set()
    for box in boxes:
        column = max((columns[source] for source in box.sources), default=-1) + 1
        lane = 0
        while (box.scale, lane, column) in taken:
            lane += 1
        taken.add((box.scale, lane, column))
        columns.append(column)
        lanes.append(lane)
    rows = sorted({(scale, lane) for scale, lane, _ in taken})
    found = zip(boxes, columns, lanes, strict=True)
    return [BoxPlace(column, rows.index((box.scale, lane))) for box, column, lane in found]


def _is_symbol(box: Box) -> bool:
    return box.kind == "end" or len(box.label) == 1


class _Drawing:
    """A diagram with its places in inches from the upper left corner."""

    def __init__(self, diagram: Diagram) -> None:
        self.title, self.boxes = diagram.title, diagram.boxes
        self.places = places(self.boxes)
        self.centers: list[float] = []  # of the rows
        self.tracks: dict[int, int] = {}  # ways that lead around, by row
        below = HEAD if self.title else HEAD / 2
        for row in range(max(place.row for place in self.places) + 1):
            boxes = (box for box, place in zip(self.boxes, self.places, strict=True) if place.row == row)
            height = FLAT if all(map(_is_symbol, boxes)) else TALL
            self.centers.append(below + height / 2)
            below += height
        self.width = 2 * MARGIN + COLUMN * (max(place.column for place in self.places) + 1)
        self.height = below

    def draw(self, axes: "Axes") -> None:
        axes.text(0.15, 0.22, self.title, fontweight="bold", va="center")
        rows: dict[int, int] = {}
        for box, place in zip(self.boxes, self.places, strict=True):
            rows.setdefault(box.scale, place.row)
            for source in box.sources:
                self._arrow(axes, source, box, place)
            self._box(axes, box, place)
        for scale, row in rows.items():
            size = "H × W" if scale == 0 else f"H/{2**scale}"
            axes.text(0.08, self.centers[row], size, fontsize=8, color=FAINT, va="center")

    def _center(self, place: BoxPlace) -> tuple[float, float]:
        return MARGIN + (place.column + 0.5) * COLUMN, self.centers[place.row]

    def _arrow(self, axes: "Axes", source: int, target: Box, end: BoxPlace) -> None:
        """From the right of a box through the gap behind its column; around the boxes where some are in the way."""
        start, box = self.places[source], self.boxes[source]
        (x, y), (to_x, to_y) = self._center(start), self._center(end)
        if any(p.row == end.row and start.column < p.column < end.column for p in self.places):
            track = self.tracks[end.row] = self.tracks.get(end.row, 0) + 1
            level = to_y - HEIGHT / 2 - TRACK * track
            gap = x + COLUMN / 2 - 0.02 * track
            same = start.row == end.row
            way = [(x, y - _tall(box)), (x, level)] if same else [(x + _reach(box), y), (gap, y), (gap, level)]
            way += [(to_x + 0.02 * (track - 1), level), (to_x + 0.02 * (track - 1), to_y - _tall(target))]
        else:
            gap = x + COLUMN / 2
            way = [(x + _reach(box), y), (gap, y), (gap, to_y), (to_x - _reach(target), to_y)]
        axes.plot(*zip(*way, strict=True), color=INK, linewidth=0.9, solid_joinstyle="round", zorder=2)
        head = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7}
        axes.annotate("", way[-1], way[-2], arrowprops=head)

    def _box(self, axes: "Axes", box: Box, place: BoxPlace) -> None:
        from matplotlib.patches import Circle, FancyBboxPatch

        x, y = self._center(place)
        if box.kind == "end":
            side, at = ("left", x - SYMBOL) if box.sources else ("right", x + SYMBOL)
            axes.text(at, y, SYMBOLS.get(box.label, box.label), ha=side, va="center", fontsize=12)
            return
        if _is_symbol(box):
            axes.add_patch(Circle((x, y), SYMBOL, facecolor="white", edgecolor=INK, linewidth=0.9, zorder=3))
            axes.text(x, y, box.label, ha="center", va="center", fontsize=10, zorder=4)
            return
        how = {"boxstyle": "round,pad=0,rounding_size=0.05", "facecolor": COLORS[box.kind], "edgecolor": FAINT}
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, linewidth=0.8, zorder=3, **how))
        axes.text(x, y, box.label, rotation=90, ha="center", va="center", fontsize=8.5, zorder=4)


def _reach(box: Box) -> float:
    return SYMBOL if _is_symbol(box) else WIDTH / 2


def _tall(box: Box) -> float:
    return SYMBOL if _is_symbol(box) else HEIGHT / 2
