"""The report as one HTML page that needs nothing beside it: no network, no other file."""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ncfl.common.files import atomic_path
from ncfl.report.addresses import address, picture_address
from ncfl.report.claims import NOT_SEEN, OPEN, RULES, SEEN, Claim, Setting
from ncfl.report.compared_frames import scenes
from ncfl.report.figures import Figure, read_figures
from ncfl.report.interactive import charts
from ncfl.report.marks import marks
from ncfl.report.results import MeasuredExperiment, Results, other_data
from ncfl.report.runs import runs
from ncfl.report.table import Column, Table, measured_on, named
from ncfl.report.table_files import build_tables
from ncfl.report.table_formats import groups
from ncfl.report.verdict import judge

# A picture of one transparent pixel, where the script is yet to put one.
NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class _Cell:
    text: str
    column: Column
    run: str
    mark: str


@dataclass(frozen=True)
class _ShownTable:
    table: Table
    spans: Sequence[tuple[str, int]]
    bodies: Sequence[Sequence[Sequence[_Cell]]]
    csv_address: str


@dataclass(frozen=True)
class _ShownFigure:
    figure: Figure
    address: str


@dataclass(frozen=True)
class _Verdict:
    name: str
    css: str


@dataclass(frozen=True)
class _ShownClaim:
    claim: Claim
    verdict: _Verdict


VERDICTS = {
    SEEN: _Verdict("seen", "seen"),
    NOT_SEEN: _Verdict("not seen", "unseen"),
    OPEN: _Verdict("not decidable in this preset", "open"),
}


def write_page(
    *,
    results: Path,
    output: Path,
    preset: str,
    experiments: Mapping[str, MeasuredExperiment],
    figures: Path | None = None,
    commit: str = "",
    versions: Mapping[str, str] | None = None,
    parameters: str = "",
    edited: Sequence[str] = (),
) -> Path:
    """Write the report page.

    Args:
        results: the results folder, with experiments/, complexity/, figures/, and records/ where it has them.
        output: the HTML file to write.
        preset: the name of the preset.
        experiments: the experiments and baselines of the parameters, by name.
        figures: the folder that ``ncfl figures`` wrote; ``results/figures`` unless told.
        commit: the commit that wrote the page, where it is known.
        versions: the versions that can change a figure, by name.
        parameters: the text of params.yaml, to be shown in full.
        edited: the keys in which the parameters differ from the preset.

    Returns:
        ``output``.

    Raises:
        InputError: a result or the figures are missing or malformed.
    """
    read = Results(results, experiments)
    folder = Path(figures) if figures is not None else Path(results) / "figures"
    pictures = {figure: picture_address(folder / figure.file) for figure in read_figures(folder)}
    tables = build_tables(read, named(preset, edited))
    claims = judge({table.name: table for table in tables}, Setting(preset, edited))
    text = _render(
        preset=preset,
        badge=_badge(read.labels()),
        edited=edited,
        claims=[_ShownClaim(claim, VERDICTS[claim.verdict]) for claim in claims],
        tally=[(shown, sum(claim.verdict == name for claim in claims)) for name, shown in VERDICTS.items()],
        rules=RULES,
        tables=[_shown_table(table) for table in tables],
        figures=[_ShownFigure(figure, shown) for figure, shown in pictures.items()],
        datasets=read.evaluated(),
        origin=measured_on(read.labels()),
        runs=runs(read),
        scenes=scenes(read),
        charts=_embedded(charts(read, named(preset, edited, most=0))),
        nothing=NOTHING,
        commit=commit,
        versions=dict(versions or {}),
        parameters=parameters,
    )
    with atomic_path(Path(output)) as temporary:
        temporary.write_bytes(text.encode())
    return Path(output)


def _badge(labels: Sequence[str]) -> str:
    """What stands beside the preset's name where figures are of stand-ins; empty where none is."""
    found = [label for label in labels if other_data(label)]
    return f"{' and '.join(found)} data: not comparable to the paper's figures" if found else ""


def _embedded(data: Any) -> Any:
    """Data as JSON that stands in a script element: no text of it can end that."""
    from markupsafe import Markup

    return Markup(json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _render(**values: Any) -> str:
    """Fill the template; every value is escaped, but for the project's own style and scripts, and Plotly's."""
    import jinja2
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, *own = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "page.js", "charts.js"))
    scripts = (own[0], get_plotlyjs(), own[1])
    template = environment.get_template("report.html.j2")
    fixed = {
        "style": Markup(style),
        "scripts": [Markup(script) for script in scripts],
        "script_hashes": Markup(" ".join(map(_hash, scripts))),
    }
    return template.render(**fixed, figure=environment.get_template("_figure.html.j2").module.figure, **values)


def _hash(script: str) -> str:
    """A script as the page's policy names it: no other one runs, wherever its text may come from."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _shown_table(table: Table) -> _ShownTable:
    text = io.StringIO()
    writer = csv.DictWriter(text, table.header, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(table.records)
    marked = marks(table)
    rows = [
        [_Cell(cell, table.columns[i], table.run(n, i), marked[n][i]) for i, cell in enumerate(row)]
        for n, row in enumerate(table.rows)
    ]
    bodies = [list(body) for _, body in groupby(rows, key=lambda row: row[0].text)]
    return _ShownTable(table, groups(table.columns), bodies, address("text/csv", text.getvalue().encode()))
