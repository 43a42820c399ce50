"""What an evaluation found: figures per frame, their means, and the files that hold them."""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ncfl.common.files import write_csv, write_json
from ncfl.evaluate.conventions import STATEMENTS
from ncfl.evaluate.examples import write_arrays, write_png
from ncfl.evaluate.metrics import PSNR_CEILING

CONVENTIONS = {
    "noise": "AWGN of sigma/255 on frames in [0,1], not clipped, seeded per sequence and sigma; none at sigma 0",
    "input": "the dataset's degraded frames (the first shot) where it has them, else the clean ones, with the noise; "
    "its figures are taken as the output's",
    "psnr": f"dB, per frame, over all pixels and channels, at most {PSNR_CEILING:g}",
    "ssim": "mean over channels, Gaussian window 11, sigma 1.5, K1 0.01, K2 0.03, data range 1, valid region",
    "mean": "over the frames of a sequence, then over sequences",
}
DECIMALS = {"psnr": 4, "ssim": 6, "input_psnr": 4, "input_ssim": 6}


class FrameRow(NamedTuple):
    """The figures of one restored frame in one space, and those of the degraded frame that was fed."""

    dataset: str
    sequence: str
    frame: int
    sigma: float
    space: str
    psnr: float
    ssim: float
    input_psnr: float
    input_ssim: float


class SequenceRow(NamedTuple):
    """The mean over the frames of one sequence."""

    dataset: str
    sequence: str
    frames: int
    sigma: float
    space: str
    psnr: float
    ssim: float
    input_psnr: float
    input_ssim: float


@dataclass(frozen=True)
class EvaluationFiles:
    """One method on one dataset: rows per frame and per sequence, and the summary that tables read.

    ``examples`` maps file names to uint8 RGB images [H,W,3]; ``insides`` maps them to what a network met on its way to
    an example (:mod:`ncfl.evaluate.intermediates`).
    """

    method: str
    dataset: str
    frames: list[FrameRow]
    sequences: list[SequenceRow]
    summary: dict[str, Any]
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    insides: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


def sequence_rows(frames: Sequence[FrameRow]) -> list[SequenceRow]:
    """The means of each sequence, noise level and space, in the order in which they first appear."""
    grouped: dict[tuple[str, str, float, str], list[FrameRow]] = {}
    for row in frames:
        grouped.setdefault((row.dataset, row.sequence, row.sigma, row.space), []).append(row)
    return [
        SequenceRow(dataset, sequence, len(rows), sigma, space, **_mean(rows))
        for (dataset, sequence, sigma, space), rows in grouped.items()
    ]


def means_by_space(sequences: Sequence[SequenceRow], spaces: Sequence[str]) -> dict[str, Any]:
    """Means over sequences as a summary has them.

    Returns:
        ``space``, the name of the first; ``sigma``, its figures by noise level; and ``spaces``, the same of each
        further space by name, where there are any.
    """
    first, *others = spaces
    found = {"space": first, "sigma": _means(sequences, first)}
    return found | ({"spaces": {space: _means(sequences, space) for space in others}} if others else {})


def write(evaluations: Sequence[EvaluationFiles], output: Path, *, experiment: str) -> dict[str, Any]:
    """Write ``frames.csv``, ``sequences.csv``, example images, ``metrics.json`` and ``summary.json``; return the last.

    ``metrics.json`` is the summary in a line, for lists of experiments: the figures of the first dataset at its
    strongest noise, and what the memory is worth there.

    The same figures give the same bytes: nothing that changes between runs, such as a date, is written.

    Args:
        evaluations: one method on one or more datasets.
        output: the folder; its ``examples`` are replaced as a whole.
        experiment: the experiment's name, for the summary.
    """
    methods = {evaluation.method for evaluation in evaluations}
    if len(methods) != 1:
        raise ValueError(f"evaluations: expected those of one method, got {', '.join(sorted(methods))}")
    output = Path(output)
    for name, kind in (("frames", FrameRow), ("sequences", SequenceRow)):
        rows = [_printed(row) for evaluation in evaluations for row in getattr(evaluation, name)]
        write_csv(output / f"{name}.csv", kind._fields, rows)
    shutil.rmtree(output / "examples", ignore_errors=True)
    (output / "examples").mkdir()  # also where nothing is kept: workflows expect it
    for evaluation in evaluations:
        for name, image in evaluation.examples.items():
            write_png(output / "examples" / evaluation.dataset / name, image)
        for name, arrays in evaluation.insides.items():
            write_arrays(output / "examples" / evaluation.dataset / name, arrays)
    used = dict.fromkeys(evaluation.summary["convention"] for evaluation in evaluations)
    summary = {
        "experiment": experiment,
        "method": methods.pop(),
        "conventions": _statements(used),
        "datasets": {evaluation.dataset: evaluation.summary for evaluation in evaluations},
    }
    write_json(output / "metrics.json", _in_a_line(evaluations[0]))
    write_json(output / "summary.json", summary)
    return summary


def _in_a_line(evaluation: EvaluationFiles) -> dict[str, Any]:
    level = max(evaluation.summary["sigma"], key=float)
    figures = evaluation.summary["sigma"][level]
    memory = (evaluation.summary.get("memory") or {}).get(level, {})
    return {
        "dataset": evaluation.dataset,
        "sigma": float(level),
        "psnr": figures["psnr"],
        "ssim": figures["ssim"],
        **({"memory": memory["worth"]} if "worth" in memory else {}),
    }


def _statements(used: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for every figure, and for those of the conventions that were used."""
    return CONVENTIONS | {"compared": {name: dict(STATEMENTS[name]) for name in used}}


def _means(sequences: Sequence[SequenceRow], space: str) -> dict[str, dict[str, float]]:
    """Mean over sequences in one space, rounded, by noise level."""
    found = {}
    for sigma in sorted({row.sigma for row in sequences}):
        mean = _mean([row for row in sequences if (row.sigma, row.space) == (sigma, space)])
        found[f"{sigma:g}"] = {key: round(value, DECIMALS[key]) for key, value in mean.items()}
    return found


def _mean(rows: Sequence[FrameRow] | Sequence[SequenceRow]) -> dict[str, float]:
    return {key: math.fsum(getattr(row, key) for row in rows) / len(rows) for key in DECIMALS}


def _printed(row: FrameRow | SequenceRow) -> tuple[Any, ...]:
    figures = {key: f"{getattr(row, key):.{decimals}f}" for key, decimals in DECIMALS.items()}
    return row._replace(sigma=f"{row.sigma:g}", **figures)
