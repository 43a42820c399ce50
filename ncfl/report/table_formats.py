"""A table as Markdown and as LaTeX. Plain code, so that equal input gives equal bytes everywhere."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from ncfl.report.marks import BEST, SECOND, marks, rank
from ncfl.report.table import Column, Table, labels, measured_head, shown_cell, warning

_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\`*_|<>[]"})
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "σ": r"$\sigma$",
        "λ": r"$\lambda$",
        "×": r"$\times$",
        "±": r"$\pm$",
        "−": "$-$",
        "–": "--",
        "✓": r"$\checkmark$",
        "\n": " ",
    }
)
_VARIANT = re.compile(r"\bM\\_([a-f])\b")
_UPRIGHT = 105  # characters in a line, with the gaps between columns: what two text columns hold at 7 points
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
    """A ``table`` environment for ``\\input``, no wider than the text; the best figures bold, the second underlined.

    What would be less than 7 points high lies sideways on a page of its own.
    """
    columns, rows, marked = _printed(table)
    wide, sideways = len(columns) > 8, _line(columns, rows) > _UPRIGHT
    kind = "sidewaystable*" if sideways else "table*" if len(columns) > 4 else "table"  # two text columns wide, or one
    # LaTeX numbers its tables itself, so the paper's number is said in words.
    number = "" if table.own else f" (the paper's {table.number})"
    caption = f"{table.title}{number}. {table.origin}{warning(labels(table.records))}"
    body = [
        " & ".join(_latex_cell(cell, mark) for cell, mark in zip(row, marked[n], strict=True)) + r" \\"
        for n, row in enumerate(once(rows))
    ]
    if not columns[0].head:  # sides of a table that are told apart by rows
        body = [rf"\midrule{chr(10)}{line}" if n and not line.startswith(" &") else line for n, line in enumerate(body)]
    notes = [rf"\par {escape_latex(note)}" for note in table.notes]
    lines = [
        r"% needs \usepackage{booktabs,amssymb,graphicx,rotating}",
        rf"\begin{{{kind}}}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{tab:ncfl-{table.name}}}",
        *([r"\scriptsize", rf"\setlength{{\tabcolsep}}{{{2 if sideways else 3}pt}}"] if wide else [r"\small"]),
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join('r' if column.number else 'l' for column in columns)}}}",
        r"\toprule",
        *_latex_groups(columns),
        " & ".join(_latex_head(column, wide) for column in columns) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *([r"\begin{flushleft}\scriptsize", *notes, r"\end{flushleft}"] if notes else []),
        rf"\end{{{kind}}}",
    ]
    return "\n".join(lines) + "\n"


def document(names: Iterable[str]) -> str:
    """A LaTeX document of tables that lie beside it, by their names."""
    lines = [
        r"\documentclass[10pt,twocolumn]{article}",
        r"\usepackage[a4paper,margin=2cm]{geometry}",
        r"\usepackage{booktabs,amssymb,graphicx,rotating}",
        r"\begin{document}",
        *(rf"\input{{{name}}}" for name in names),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


Printed = tuple[Sequence[Column], Sequence[Sequence[str]], Sequence[Sequence[str]]]


def _printed(table: Table) -> Printed:
    """Columns, rows and marks as the paper prints them: Table 3 has a row for each sigma, a column for each method."""
    if "ssim" not in "".join(table.header) or "sigma" not in table.header:
        return table.columns, table.rows, marks(table)
    return by_method(table)


def by_method(table: Table) -> Printed:
    """Methods side by side, ``PSNR/SSIM`` for each sigma, the paper's figures above the measured ones.

    A cell's mark joins those of its two figures with a slash.
    """
    methods, sigmas = (list(dict.fromkeys(r[key] for r in table.records)) for key in ("method", "sigma"))
    cells = {(r["method"], r["sigma"]): r for r in table.records}
    measured = measured_head(table.records)
    rows, marked = [], []
    for side, name in (("paper", "paper"), ("measured", measured)):
        for sigma in sigmas:
            qualities = [[shown_cell(cells[m, sigma], f"{side}_{key}") for m in methods] for key in ("psnr_db", "ssim")]
            pairs = zip(*qualities, strict=True)
            rows.append((name, sigma, *("/".join(filter(None, pair)) for pair in pairs)))
            races = zip(*map(rank, qualities), strict=True)
            marked.append(("", "", *("/".join(race) if any(race) else "" for race in races)))
        rows.append((name, "GFLOPs", *(cells[m, sigmas[0]][f"{side}_gflops"] for m in methods)))
        marked.append(("",) * len(rows[-1]))
    columns = [Column("", number=False), Column("σ", number=False), *(Column(method) for method in methods)]
    return columns, rows, marked


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


def _line(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """How many characters a table is wide, gaps and all; a heading that is broken into lines counts as eight."""
    heads = [8 if column.kind and "(" in column.head else len(column.head) for column in columns]
    return sum(max(head, *(len(row[i]) for row in rows)) + 1 for i, head in enumerate(heads))


def _latex_cell(text: str, mark: str) -> str:
    if "/" in mark:
        return "/".join(map(_latex_cell, text.split("/"), mark.split("/")))
    command = {BEST: r"\textbf{%s}", SECOND: r"\underline{%s}"}.get(mark, "%s")
    return command % escape_latex(text)


def _latex_head(column: Column, wide: bool) -> str:
    if "(" not in column.head or not column.kind:
        return escape_latex(column.head)
    # A heading that names its data is longer than any figure under it, so it is broken into lines.
    return rf"\parbox[b]{{{'1.15' if wide else '2.4'}cm}}{{\raggedleft {escape_latex(column.head)}}}"
