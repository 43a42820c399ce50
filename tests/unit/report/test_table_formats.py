"""Markdown and LaTeX: text comes out literally, and every row has as many cells as there are columns."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.report_samples import EXPERIMENTS, write_results

from ncfl.report.denoising_tables import table3
from ncfl.report.results import Results
from ncfl.report.table import Column, Table
from ncfl.report.table_files import write_tables
from ncfl.report.table_formats import document, escape_latex, escape_markdown, groups, latex, markdown, once

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


def test_table3_is_printed_as_the_paper_prints_it(tmp_path: Path):
    root = write_results(tmp_path / "results")
    text = latex(table3(Results(root, EXPERIMENTS), "demo"))
    lines = text.splitlines()
    paper = next(line for line in lines if line.startswith("paper & 10 & "))
    assert paper.startswith("paper & 10 & 35.83/0.9473 & 38.13/0.9679 & 38.71/0.9702 & 38.57/0.9695 & 36.90/0.9512 & ")
    # Best and second best of the row, each of PSNR and SSIM by itself: the supplement's red and blue.
    assert r"\textbf{39.71}/\underline{0.9761} & \underline{39.67}/\textbf{0.9782}" in paper
    assert " & GFLOPs &  &  & 665 & 1106 & 5 & 3089 & 2947 & 3402 & 771" in text
    measured = next(i for i, line in enumerate(lines) if line.startswith("measured (demo stand-in) & 10 & "))
    assert lines.index(paper) == measured - 7  # five sigmas, the GFLOPs, and a rule
    assert lines[measured - 1] == r"\midrule"
    assert {line.count(" & ") for line in lines[lines.index(paper) : measured - 1]} == {12}


def test_a_document_of_all_tables_names_each():
    text = document(["table1", "datasets"])
    assert r"\input{table1}" in text
    assert r"\input{datasets}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_the_document_compiles_and_no_table_leaves_the_page(tmp_path: Path):
    root = write_results(tmp_path / "results")
    write_tables(results=root, output=tmp_path / "t", preset="demo", experiments=EXPERIMENTS)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path / "t", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
    if shutil.which("pdftotext") is None:
        return
    boxes = subprocess.run(
        ["pdftotext", "-bbox", "tables.pdf", "-"], cwd=tmp_path / "t", capture_output=True, text=True
    )
    figures = re.findall(r'xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">\d\d\.\d+(?:/0\.\d+)?<', boxes.stdout)
    # The height of a box is 0.885 of the size of its type; a figure is wider than high, upright as well as sideways.
    sizes = [min(float(x1) - float(x0), float(y1) - float(y0)) / 0.885 for x0, y0, x1, y1 in figures]
    assert len(sizes) > 100
    assert min(sizes) >= 6.99


def test_a_table_that_would_be_too_small_lies_sideways(tmp_path: Path):
    root = write_results(tmp_path / "results")
    assert r"\begin{sidewaystable*}" in latex(table3(Results(root, EXPERIMENTS), "demo"))
    assert r"\begin{table}" in latex(TABLE)
