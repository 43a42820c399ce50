"""Rows as text for people."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 100  # characters, of a line that any terminal shows whole
GAP = 2  # between columns


def table(rows: Sequence[Mapping[str, Any]], *, width: int = WIDTH) -> str:
    """Rows of equal keys as a table, numbers as they are given.

    Args:
        rows: what to show.
        width: of a line, in characters; where the columns need more, the cells of the widest are broken into lines.
    """
    from tabulate import tabulate

    # tabulate gives a heading two characters more than it has.
    heads = [(key, len(key) + GAP) for key in (rows[0] if rows else ())]
    natural = [max(head, *(len(str(row[key])) for row in rows)) for key, head in heads]
    cap = _cap(natural, width - GAP * (len(natural) - 1))
    # Broken here: tabulate would read a cell such as 2,661,069 as a number before it breaks it, and fail.
    heads_in_lines = [_in_lines(key, max(1, cap - GAP)) for key, _ in heads]
    cells = [[_in_lines(str(cell), cap) for cell in row.values()] for row in rows]
    return tabulate(cells, headers=heads_in_lines, tablefmt="simple", disable_numparse=True)


def _in_lines(text: str, width: int) -> str:
    return text if len(text) <= width else textwrap.fill(text, width)


def pipe_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells as a table in Markdown, the first column of text and the others of numbers."""
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def paragraph(text: str, *, width: int = WIDTH) -> str:
    """A text in lines of at most ``width`` characters, the later ones indented."""
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _cap(natural: Sequence[int], room: int) -> int:
    """The greatest width of a column with which all fit into the room."""
    cap = max(natural, default=1)
    while cap > 1 and sum(min(needed, cap) for needed in natural) > room:
        cap -= 1
    return cap
