"""The curves of a study's trainings as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas

from ncfl.release.study import CURVE, Kept
from ncfl.report.denoising_tables import MODULES

WINDOW = 12  # kept points that are averaged: each batch has clips and noise of its own


def draw(kept: Mapping[str, Sequence[Kept]], path: Path) -> bool:
    """Draw PSNR over the batches, against the iteration, of Table 1's variants; one colour each, a line for each seed.

    Returns:
        Whether there was anything to draw.
    """
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for number, (variant, name) in enumerate(MODULES.items()):
        for one in kept.get(name, ()):
            curve = pandas.read_csv(one.folder / CURVE)
            smooth = curve["psnr"].rolling(WINDOW, min_periods=WINDOW).mean()
            label = variant if one is kept[name][0] else None
            axes.plot(curve["iteration"], smooth, color=f"C{number}", linewidth=1, label=label)
    found = bool(axes.lines)
    if found:
        axes.set(xlabel="iteration", ylabel=f"PSNR of the batches (dB), mean of {WINDOW}")
        axes.legend(ncols=3, fontsize="small")
        figure.savefig(path, dpi=110)
    plt.close(figure)
    return found
