"""The report as one HTML page that needs nothing beside it: no network, no script, no other file."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path, read_json
from ncfl.report.figures import Figure, read_figures
from ncfl.report.render import groups
from ncfl.report.results import STAND_IN, Experiment, Results
from ncfl.report.table import Table, measured_on
from ncfl.report.tables import build_tables

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class _ShownTable:
    table: Table
    spans: Sequence[tuple[str, int]]
    bodies: Sequence[Sequence[Sequence[str]]]
    csv_address: str


@dataclass(frozen=True)
class _ShownFigure:
    figure: Figure
    address: str


@dataclass(frozen=True)
class _ShownExperiment:
    name: str
    trained: str
    evaluated: str
    final: str


def write_page(
    *,
    results: Path,
    output: Path,
    preset: str,
    experiments: Mapping[str, Experiment],
    figures: Path | None = None,
    commit: str = "",
    versions: Mapping[str, str] | None = None,
    parameters: str = "",
) -> Path:
    """Write the report page.

    Args:
        results: the results folder, with experiments/, complexity/ and figures/.
        output: the HTML file to write.
        preset: the name of the preset.
        experiments: the experiments and baselines of the parameters, by name.
        figures: the folder that ``ncfl figures`` wrote; ``results/figures`` unless told.
        commit: the commit that made the results, where it is known.
        versions: the versions that can change a figure, by name.
        parameters: the text of params.yaml, to be shown in full.

    Returns:
        ``output``.

    Raises:
        InputError: a result or the figures are missing or malformed.
    """
    read = Results(results, experiments)
    folder = Path(figures) if figures is not None else Path(results) / "figures"
    pictures = {figure: (folder / figure.file).read_bytes() for figure in read_figures(folder)}
    text = _render(
        preset=preset,
        tables=[_shown_table(table) for table in build_tables(read, preset)],
        figures=[_ShownFigure(figure, _address("image/png", png)) for figure, png in pictures.items()],
        datasets=read.evaluated(),
        labels=read.labels(),
        experiments=[_shown_experiment(read, name) for name in read.experiments],
        commit=commit,
        versions=dict(versions or {}),
        parameters=parameters,
    )
    with atomic_path(Path(output)) as temporary:
        temporary.write_bytes(text.encode())
    return Path(output)


def _render(*, labels: Sequence[str], **values: Any) -> str:
    """Fill the template; every value is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    stand_in = any(STAND_IN in label for label in labels)
    template = environment.get_template("report.html.j2")
    return template.render(origin=measured_on(labels), stand_in=stand_in, **values)


def _shown_table(table: Table) -> _ShownTable:
    text = io.StringIO()
    writer = csv.DictWriter(text, table.header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.records)
    bodies = [list(rows) for _, rows in groupby(table.rows, key=lambda row: row[0])]
    return _ShownTable(table, groups(table.columns), bodies, _address("text/csv", text.getvalue().encode()))


def _shown_experiment(results: Results, name: str) -> _ShownExperiment:
    experiment = results.experiments[name]
    settings: dict[str, Any] = {}
    if experiment.training_data:
        settings["data"] = experiment.training_data
    if experiment.variant:
        settings["variant"] = experiment.variant
    if experiment.lambda_:
        settings["λ"] = f"1/{1 / experiment.lambda_:g}"
    if experiment.obtained:
        settings["weights"] = experiment.obtained
    evaluated = [
        f"{dataset} ({results.label(name, dataset)}), sigma {', '.join(f'{sigma:g}' for sigma in sigmas)}"
        for dataset, sigmas in experiment.evaluate.items()
    ]
    final = [_final(results.folder(name) / f"stage{number}" / "metrics.json", number) for number in (1, 2)]
    return _ShownExperiment(name, _listed(settings), "; ".join(evaluated), "; ".join(filter(None, final)))


def _final(path: Path, number: int) -> str:
    """What a training stage's metrics say of its end; empty where there is no such stage."""
    if not path.exists():
        return ""
    metrics = read_json(path)
    if not isinstance(metrics, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(metrics).__name__}")
    shown = {"loss": "loss", "psnr": "PSNR", "bits_per_pixel": "bits per pixel"}
    values = {shown[key]: f"{metrics[key]:.4g}" for key in shown if isinstance(metrics.get(key), float)}
    return f"stage {number}: {metrics.get('iterations', '?')} iterations, {_listed(values) or 'no figures'}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
