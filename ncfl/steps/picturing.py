"""``ncfl figures --sequence``: any frame of a dataset by any methods, as the paper's Figures 5 to 8 show theirs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.config.params import Params
from ncfl.steps.common import data_label, one_of, open_store
from ncfl.steps.evaluation import isp_of, method_of_experiment

if TYPE_CHECKING:
    import numpy as np

    from ncfl.config.params import AnyExperiment
    from ncfl.report.strip import Panel

DEGRADED = {"ntu-rain": "Rainy", "revide": "Hazy"}
METHODS = ("median-5x5", "fastdvdnet", "basicvsrpp", "ncfl")  # unless others are asked for, as far as they are there


def picture(
    params: Params,
    *,
    dataset: str,
    sequence: str,
    frame: int,
    sigma: float,
    methods: Sequence[str] = (),
    crop: tuple[int, int, int, int] | None = None,
    output: Path | None = None,
) -> Path:
    """Draw one frame, clean, degraded and by each method, with an enlarged crop.

    Args:
        params: the configuration; its experiments have been trained.
        dataset: a prepared dataset, and a ``sequence`` and a ``frame`` (from 0) of what is measured of it.
        sigma: the noise level in 0..255; 0 for a dataset that brings its degradation along.
        methods: names of experiments, or of methods, which mean the experiment of them that is measured there.
        crop: left, top, width and height in pixels of what is enlarged; None: where detail is finest.
        output: the PNG file; a PDF is written beside it.

    Returns:
        ``output``, or where the picture went without one: a name of its own in ``results/pictures``.

    Raises:
        InputError: no such dataset, sequence, frame or method, a crop outside the frame, no trained experiment.
    """
    from ncfl.evaluate.protocol import DegradedSource
    from ncfl.evaluate.single import find_frame, restored_frame
    from ncfl.report import strip
    from ncfl.report.style import save, style

    one_of(dataset, params.datasets, "dataset")
    names = _experiments(params, dataset, methods)
    store = open_store(params, dataset)
    split = next(iter(names.values())).evaluate[dataset].split
    clip = find_frame(store, dataset, split, sequence, frame)
    given = {
        "source": DegradedSource(dataset, params.seed),
        "convention": store.manifest.get("convention", "rgb"),
        "frame": frame,
        "sigma": sigma,
        "isp": isp_of(params, clip.bayer),
    }
    panels: list[Panel] = []
    for name in names:
        method, device = method_of_experiment(params, name)
        found = restored_frame(method, clip, device=device, **given)
        if not panels:
            degraded = DEGRADED.get(dataset, "Noisy")
            panels = [strip.Panel("Clean", found.clean, None), _panel(degraded, found.degraded, found.clean)]
        panels.append(_panel(_title(name), found.restored, found.clean))
    what = strip.Strip(panels, data_label(params, dataset), sequence, frame, sigma)
    noise = f", noise σ = {sigma:g}" if sigma else ""
    note = f"Frame {frame} of {sequence} ({what.data}){noise}. PSNR of the 8-bit frame in RGB. Preset: {params.preset}."
    output = output or layout.RESULTS / "pictures" / f"{dataset}-{sequence}-{frame}-sigma{sigma:g}.png"
    with style():
        save(strip.draw(what, note, crop), output)
    return output


def _experiments(params: Params, dataset: str, methods: Sequence[str]) -> "dict[str, AnyExperiment]":
    """The experiments that are asked for, by name: all are measured on the dataset."""
    measured = {name: e for name, e in params.evaluated.items() if dataset in e.evaluate}
    if not measured:
        raise InputError(f"--dataset: expected one that an experiment is measured on, got {dataset}")
    wanted = methods or [name for name in METHODS if _named(measured, name)]
    found = {}
    for method in wanted or measured:
        name = _named(measured, method)
        if name is None:
            known = ", ".join(measured)
            raise InputError(f"--methods: expected some of those measured on {dataset}, {known}; got {method!r}")
        found[name] = measured[name]
    return found


def _named(measured: "Mapping[str, AnyExperiment]", method: str) -> str | None:
    """The experiment of a method, or of its own name."""
    if method in measured:
        return method
    return next((name for name, e in measured.items() if name == f"{method}-{e.dataset}"), None)


def _title(name: str) -> str:
    from ncfl.methods import METHODS as RECORDS

    found = [record for record in RECORDS if name == record.name or name.startswith(f"{record.name}-")]
    return max(found, key=lambda record: len(record.name)).title.replace("x", "×") if found else name


def _panel(name: str, image: "np.ndarray", clean: "np.ndarray") -> "Panel":
    from ncfl.report import strip

    return strip.Panel(name, image, strip.psnr(image, clean))
