"""Best and second best: of the published figures among themselves, and of the measured ones."""

from collections.abc import Sequence

from ncfl.report.table import Table

BEST, SECOND = "best", "second"
FEWEST = 3  # of two figures one is always the better


def marks(table: Table) -> list[list[str]]:
    """For each cell of ``table.rows`` :data:`BEST`, :data:`SECOND` or ``""``.

    Each ranked column is a race of its own; where a column ``metric`` tells PSNR from SSIM, each metric of it. Figures
    that are printed alike share their mark. A race of fewer than three figures has none.
    """
    found = [["" for _ in row] for row in table.rows]
    metric = next((i for i, column in enumerate(table.columns) if column.head == "metric"), None)
    for i, column in enumerate(table.columns):
        if not column.ranked:
            continue
        for name in dict.fromkeys(row[metric] if metric is not None else "" for row in table.rows):
            racing = [n for n, row in enumerate(table.rows) if row[i] and (metric is None or row[metric] == name)]
            for n, mark in zip(racing, rank([table.rows[n][i] for n in racing]), strict=True):
                found[n][i] = mark
    return found


def rank(figures: Sequence[str]) -> list[str]:
    """The mark of each figure among these; an empty one does not take part."""
    means = [float(figure.split()[0]) if figure else None for figure in figures]  # less the spread over seeds
    places = sorted({mean for mean in means if mean is not None}, reverse=True)
    if sum(map(bool, figures)) < FEWEST:
        return [""] * len(figures)
    names = dict(zip(places, (BEST, SECOND), strict=False))
    return [names.get(mean, "") for mean in means]
