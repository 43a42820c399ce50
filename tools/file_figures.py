"""What docs/files.md comes to in figures: its cells, and how far samples come back by the identity method.

    .venv/bin/python tools/file_figures.py

For each pixel format a lossless video is restored by the method that gives frames back as they came, into Y4M, which is
lossless too; the greatest difference of a sample is counted in steps of the format's own depth.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.cells import planes, through, video

from ncfl.media import file_properties

# Pixel format: rows and columns of a stored chroma sample for each of the source's.
FORMATS = {f"yuv{chroma}p{bits}": (1, 1) for chroma in ("420", "422", "444") for bits in ("", "10le", "12le")}
FORMATS |= {"gray": (1, 1), "gray10le": (1, 1), "yuv440p": (2, 1), "yuv411p": (1, 2), "yuv410p": (2, 2)}


def greatest_error(pix_fmt: str, color_range: int, folder: Path) -> int:
    """In steps; ``color_range`` 1 is limited and 2 full."""
    source, target = video(folder / f"{pix_fmt}{color_range}.mkv", pix_fmt, color_range=color_range), folder / "b.y4m"
    target.unlink(missing_ok=True)
    through(source, target)
    found = 0
    for before, after in zip(planes(source), planes(target), strict=True):
        down, across = FORMATS[pix_fmt]
        expected = [before[0], *(plane.repeat(down, 0).repeat(across, 1) for plane in before[1:])]
        # A gray source has no chroma to compare with.
        found = max(found, *(int(np.abs(a - b).max()) for a, b in zip(expected, after, strict=False)))
    return found


def main() -> None:
    cells = file_properties.cells()
    counts = ", ".join(f"{sum(kind == outcome for _, kind in cells)} {outcome}" for outcome in file_properties.OUTCOMES)
    print(f"{len(file_properties.ROWS)} properties, {len(cells)} cells: {counts}")
    with tempfile.TemporaryDirectory() as folder:
        for pix_fmt in FORMATS:
            limited, full = (greatest_error(pix_fmt, color_range, Path(folder)) for color_range in (1, 2))
            print(f"{pix_fmt}: greatest error {limited} (limited range), {full} (full range)")


if __name__ == "__main__":
    main()
