"""Write every table as CSV, Markdown and LaTeX."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ncfl.common.files import atomic_path, write_csv
from ncfl.report.denoising_tables import TABLES
from ncfl.report.results import MeasuredExperiment, Results
from ncfl.report.table import Table, named
from ncfl.report.table_formats import document, latex, markdown

ALL = "tables.tex"  # a document of all tables
OUTPUTS = (*(f"{name}.{suffix}" for name in TABLES for suffix in ("csv", "md", "tex")), ALL)


def build_tables(results: Results, preset: str) -> list[Table]:
    """All tables, from results that were read and checked."""
    return [query(results, preset) for query in TABLES.values()]


def write_tables(
    *,
    results: Path,
    output: Path,
    preset: str,
    experiments: Mapping[str, MeasuredExperiment],
    edited: Sequence[str] = (),
) -> list[Path]:
    """Write ``table1`` ... ``table5``, ``section43`` and ``datasets`` into ``output``, as .csv, .md and .tex.

    ``tables.tex`` is a document that prints them all.

    The CSV has one header line; figures are ``paper_*`` and ``measured_*`` (PSNR in dB with 2 decimals, SSIM
    with 4; empty where there is none), and ``data`` names what a measured figure was measured on.

    Args:
        results: the results folder, with experiments/ and complexity/.
        output: the folder to write into.
        preset: the name of the preset, for captions.
        experiments: the experiments and baselines of the parameters, by name.
        edited: the keys in which the parameters differ from the preset; captions name them.

    Returns:
        The paths written, named as in :data:`OUTPUTS`.

    Raises:
        InputError: a summary or the complexity file is missing or malformed.
    """
    written = []
    for table in build_tables(Results(results, experiments), named(preset, edited)):
        paths = [Path(output) / f"{table.name}.{suffix}" for suffix in ("csv", "md", "tex")]
        write_csv(paths[0], table.header, [[record[key] for key in table.header] for record in table.records])
        for path, text in zip(paths[1:], (markdown(table), latex(table)), strict=True):
            with atomic_path(path) as temporary:
                temporary.write_bytes(text.encode())
        written += paths
    written.append(Path(output) / ALL)
    with atomic_path(written[-1]) as temporary:
        temporary.write_bytes(document(TABLES).encode())
    return written
