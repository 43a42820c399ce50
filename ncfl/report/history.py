"""Training curves, from the ``history.csv`` that each stage of a training leaves."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from ncfl.common.errors import InputError

CURVES = {"loss": "loss", "psnr": "PSNR (dB)", "bits_per_pixel": "bits per pixel"}
_NAMES = {"bpp": "bits_per_pixel"}


def history(path: Path) -> list[dict[str, float]]:
    """The rows of one stage's history; empty where it kept none.

    A history has the columns ``iteration`` (counted from the start of stage 1) and any of ``loss``, ``psnr``
    (dB) and ``bits_per_pixel`` (estimated, of the latents; ``bpp`` for short); others are passed over.

    Raises:
        InputError: the file is no table of numbers, or a row has no iteration.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            read = [{_NAMES.get(key, key): text for key, text in row.items()} for row in csv.DictReader(file)]
            rows = [{key: float(row[key]) for key in ("iteration", *CURVES) if row.get(key)} for row in read]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not readable as a table of numbers ({error})") from None
    if any("iteration" not in row for row in rows):
        raise InputError(f"{path}: expected an 'iteration' in every row, got rows without")
    return rows


def outline(points: Sequence[tuple[float, float]], width: int, height: int) -> str:
    """A curve as the ``points`` of an SVG polyline: x from left to right, log10 of y from bottom to top.

    Args:
        points: x and y; those whose y is not above 0 have no logarithm and are left out.
        width, height: of the drawing, in its own units.

    Returns:
        Empty where fewer than two points are left.
    """
    logs = [(x, math.log10(y)) for x, y in points if y > 0]
    if len(logs) < 2:
        return ""
    (left, right), (low, high) = ((min(v), max(v)) for v in zip(*logs, strict=True))
    across, up = width / ((right - left) or 1), height / ((high - low) or 1)
    return " ".join(f"{(x - left) * across:.1f},{height - (y - low) * up:.1f}" for x, y in logs)
