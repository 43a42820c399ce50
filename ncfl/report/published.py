"""The paper's own numbers, read from ``published/*.csv``: they stand nowhere else in the package.

The files hold the supplement's tables figure by figure, checked against its text. Every report prints them as
``paper_*``, never as something measured here.
"""

import csv
import functools
from pathlib import Path

FOLDER = Path(__file__).with_name("published")
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))

Row = dict[str, str]


@functools.cache
def _read(name: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return tuple(tuple(row.items()) for row in csv.DictReader(file))


def rows(name: str) -> list[Row]:
    """The rows of one published table, as text, in the paper's order.

    Args:
        name: one of :data:`NAMES`, e.g. ``"table1_modules"``.

    Raises:
        KeyError: there is no such table.
    """
    if name not in NAMES:
        raise KeyError(f"published table: expected one of {', '.join(NAMES)}, got {name!r}")
    return [dict(row) for row in _read(name)]


def gflops(method: str) -> float | None:
    """The GFLOPs that the paper prints for a variant of Table 1 (``M_a`` ... ``M_f``) or a method of Table 3.

    Returns:
        GFLOPs at 2 FLOPs per multiply-accumulate and 544 x 960, or None where the paper gives none.
    """
    for row in (*rows("table1_modules"), *rows("table3_gflops")):
        if method in (row.get("variant"), row.get("method")):
            return float(row["gflops"])
    return None
