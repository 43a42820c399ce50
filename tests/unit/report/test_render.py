"""Markdown and LaTeX: text comes out literally, and every row has as many cells as there are columns."""

import re
from dataclasses import replace

import pytest

from ncfl.report.render import escape_latex, escape_markdown, groups, latex, markdown, once
from ncfl.report.table import Column, Table

TABLE = Table(
    name="sample",
    number="Table 9",
    title="A 100 % made-up title | with a bar",
    preset="demo_1",
    records=[{"method": "a", "data": "demo stand-in"}],
    columns=[
        Column("method", number=False),
        Column("paper", "σ = 10", kind="paper"),
        Column("measured (demo stand-in)", "σ = 10", kind="measured"),
    ],
    rows=[("M_a", "1.00", "-0.50"), ("M_a", "2.00", ""), ("b & c", "", "3.00")],
    notes=['Said "so" _here_.'],
)


def test_markdown_of_a_sample():
    assert markdown(TABLE).splitlines() == [
        "**Table 9. A 100 % made-up title \\| with a bar. Preset: demo\\_1. Measured on: demo stand-in. "
        "A stand-in is not the paper's data: never compare its figures with the paper's.**",
        "",
        "| method | σ = 10, paper | σ = 10, measured (demo stand-in) |",
        "| ------ | ------------: | -------------------------------: |",
        "| M\\_a   |          1.00 |                            -0.50 |",
        "|        |          2.00 |                                  |",
        "| b & c  |               |                             3.00 |",
        "",
        '- Said "so" \\_here\\_.',
    ]


def test_latex_of_a_sample():
    lines = latex(TABLE).splitlines()
    assert lines[1] == r"\begin{table}"
    assert lines[-1] == r"\end{table}"
    assert r"\caption{A 100 \% made-up title \textbar{} with a bar (the paper's Table 9). Preset: demo\_1." in lines[3]
    body = [line for line in lines if line.endswith(r"\\")]
    assert body[2:] == [r"$M_a$ & 1.00 & $-0.50$ \\", r" & 2.00 &  \\", r"b \& c &  & 3.00 \\"]
    assert r"\multicolumn{2}{c}{$\sigma$ = 10}" in body[0]
    assert r"\par Said ``so'' \_here\_." in lines


def test_latex_marks_the_best_and_the_second_and_never_leaves_the_text():
    columns = [Column("method", number=False), Column("measured", kind="measured", ranked=True)]
    rows = [("a", "1.00"), ("b", "3.00"), ("c", "2.00")]
    text = latex(replace(TABLE, columns=columns, rows=rows))
    rows = [line for line in text.splitlines() if line[:4] in ("a & ", "b & ", "c & ")]
    assert rows == [r"a & 1.00 \\", r"b & \textbf{3.00} \\", r"c & \underline{2.00} \\"]
    assert r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%" in text


def test_latex_has_equal_cells_and_balanced_braces():
    text = latex(TABLE)
    lines = [line for line in text.splitlines() if line.endswith(r"\\")][1:]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(TABLE.columns) - 1}
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of $5 & #1", r"50 \% of \$5 \& \#1"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
        ("M_f and xM_f", r"$M_f$ and xM\_f"),
        ("λ, 3×3, 1–2", r"$\lambda$, 3$\times$3, 1--2"),
        ("two\nlines", "two lines"),
        ("+1.12", "$+1.12$"),
    ],
)
def test_latex_escapes(text: str, expected: str):
    assert escape_latex(text) == expected


def test_markdown_escapes():
    assert escape_markdown("a|b *c* <d> [e]\nf") == r"a\|b \*c\* \<d\> \[e\] f"


def test_repeated_first_cells_are_printed_once():
    assert once([("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")]) == [
        ["a", "1"],
        ["", "2"],
        ["b", "3"],
        ["a", "4"],
    ]


def test_groups_of_columns():
    assert groups(TABLE.columns) == [("", 1), ("σ = 10", 2)]
