"""A table as Markdown and as LaTeX. Plain code, so that equal input gives equal bytes everywhere."""

import re
from collections.abc import Sequence
from itertools import groupby

from ncfl.report.marks import BEST, SECOND, marks
from ncfl.report.table import Column, Table, labels, warning

_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\`*_|<>[]"})
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#",
        "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", "σ": r"$\sigma$", "λ": r"$\lambda$", "×": r"$\times$",
        "−": "$-$", "–": "--", "✓": r"$\checkmark$", "\n": " ",
    }
)  # fmt: skip
_VARIANT = re.compile(r"\bM\\_([a-f])\b")
_SIGNED = re.compile(r"[+-]\d+(\.\d+)?")


def escape_markdown(text: str) -> str:
    """Text as Markdown prints it literally, on one line."""
    return " ".join(text.split()).translate(_MARKDOWN)


def escape_latex(text: str) -> str:
    """Text as LaTeX prints it literally; Greek letters and the variants' names become mathematics."""
    if _SIGNED.fullmatch(text):
        return f"${text}$"
    quoted = re.sub(r'"([^"]*)"', r"``\1''", text)
    return _VARIANT.sub(r"$M_\1$", quoted.translate(_LATEX))


def once(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows with a first cell that repeats the one above left empty."""
    first = [None, *(row[0] for row in rows)]
    return [["" if row[0] == above else row[0], *row[1:]] for row, above in zip(rows, first, strict=False)]


def markdown(table: Table) -> str:
    """The caption, the view as a pipe table padded to equal widths, and the notes."""
    heads = [escape_markdown(column.flat) for column in table.columns]
    rows = [[escape_markdown(cell) for cell in row] for row in once(table.rows)]
    widths = [max(3, *(len(row[i]) for row in [heads, *rows])) for i in range(len(heads))]
    rule = ["-" * (w - 1) + ":" if c.number else "-" * w for c, w in zip(table.columns, widths, strict=True)]
    lines = [_pipe(heads, table.columns, widths), _pipe(rule, table.columns, widths)]
    lines += [_pipe(row, table.columns, widths) for row in rows]
    notes = [f"- {escape_markdown(note)}" for note in table.notes]
    return "\n".join([f"**{escape_markdown(table.caption)}**", "", *lines, *([""] if notes else []), *notes, ""])


def latex(table: Table) -> str:
    """A ``table`` environment for ``\\input``, no wider than the text; the best figures bold, the second underlined."""
    wide = len(table.columns) > 8
    kind = "table" if len(table.columns) < 5 else "table*"  # two text columns wide
    # LaTeX numbers its tables itself, so the paper's number is said in words.
    number = "" if table.own else f" (the paper's {table.number})"
    caption = f"{table.title}{number}. {table.origin}{warning(labels(table.records))}"
    marked = marks(table)
    body = [
        " & ".join(_latex_cell(cell, mark) for cell, mark in zip(row, marked[n], strict=True)) + r" \\"
        for n, row in enumerate(once(table.rows))
    ]
    notes = [rf"\par {escape_latex(note)}" for note in table.notes]
    lines = [
        r"% needs \usepackage{booktabs,amssymb,graphicx}",
        rf"\begin{{{kind}}}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{tab:ncfl-{table.name}}}",
        *([r"\scriptsize", r"\setlength{\tabcolsep}{3pt}"] if wide else [r"\small"]),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join('r' if column.number else 'l' for column in table.columns)}}}",
        r"\toprule",
        *_latex_groups(table.columns),
        " & ".join(_latex_head(column, wide) for column in table.columns) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *([r"\begin{flushleft}\scriptsize", *notes, r"\end{flushleft}"] if notes else []),
        rf"\end{{{kind}}}",
    ]
    return "\n".join(lines) + "\n"


def groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """The shared headings with the number of columns under each; an empty one where a column has none."""
    return [(name, len(list(members))) for name, members in groupby(columns, key=lambda column: column.group)]


def _pipe(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    sides = [str.rjust if column.number else str.ljust for column in columns]
    return f"| {' | '.join(side(cell, w) for side, cell, w in zip(sides, cells, widths, strict=True))} |"


def _latex_groups(columns: Sequence[Column]) -> list[str]:
    spans = groups(columns)
    if not any(name for name, _ in spans):
        return []
    heads, rules, at = [], [], 1
    for name, span in spans:
        heads.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(name)}}}")
        if name:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    return [" & ".join(heads) + r" \\", "".join(rules)]


def _latex_cell(text: str, mark: str) -> str:
    command = {BEST: r"\textbf{%s}", SECOND: r"\underline{%s}"}.get(mark, "%s")
    return command % escape_latex(text)


def _latex_head(column: Column, wide: bool) -> str:
    if "(" not in column.head or not column.kind:
        return escape_latex(column.head)
    # A heading that names its data is longer than any figure under it, so it is broken into lines.
    return rf"\parbox[b]{{{'1.15' if wide else '2.4'}cm}}{{\raggedleft {escape_latex(column.head)}}}"
