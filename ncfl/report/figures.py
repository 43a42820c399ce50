"""Draw every figure, and write down what each shows for whoever prints it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.report import charts, intermediates, strip
from ncfl.report.denoising_tables import table1, table2, table5
from ncfl.report.drawing import draw
from ncfl.report.results import TITLES, MeasuredExperiment, Results, other_data
from ncfl.report.structure import diagrams
from ncfl.report.style import canvas, empty, save, style
from ncfl.report.table import named

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

CAPTIONS = "figures.json"
NAMES = ("comparison", "deraining", "dehazing", "raw", "inside", "psnr_sigma", "table1", "table2", "training")
STRUCTURES = {
    "figure1": "MV refinement and feature attention",
    "figure2": "neural compression-based feature learning: encoder and decoder, prior model, adaptive quantization",
    "figure3": "the U-Net of the restoration module, and its channel-attention block (CAB)",
    "figure4": "the W-Net of raw video: two U-Nets, each as in Figure 3",
}
OUTPUTS = (*(f"{name}.{kind}" for name in (*NAMES, *STRUCTURES) for kind in ("png", "pdf")), CAPTIONS)
MAIN = "ncfl-davis"
MEDIANS = ("Median 3x3", "Median 5x5", "NCFL")
# Of the many denoisers the fastest and the strongest: more panels would be too small to see anything in. At their
# published sizes only: small forms that were trained for seconds would give a wrong picture of them.
DENOISERS = ("Median 5x5", "FastDVDNet", "BasicVSR++", "NCFL")
# The methods are those of the paper's Figures 7 and 8, as far as its tables have them.
DERAINING = strip.Subject("ntu-rain", "ntu-rain", "Rainy", ("RMFD", "BasicVSR++", "NCFL"))
DEHAZING = strip.Subject("revide", "revide", "Hazy", ("MSBDN", "CG-IDN", "BasicVSR++", "NCFL"))
RAW = strip.Subject("crvd", "crvd", "Noisy", ("NCFL",))


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        file: its file in the figures' folder.
        caption: what stands under it on a page.
        origin: the small print in the picture itself, which goes with it wherever it is shown: preset and data.
        alternative: the same in words, for who cannot see it.
        shown: whether there is anything to see in it.
    """

    file: str
    caption: str
    origin: str
    alternative: str
    shown: bool


def write_figures(
    *,
    results: Path,
    output: Path,
    preset: str,
    experiments: Mapping[str, MeasuredExperiment],
    model: Mapping[str, Any] = MappingProxyType({}),
    strip_dataset: str = "set8",
    edited: Sequence[str] = (),
) -> list[Figure]:
    """Write all figures as PNG and PDF, and their captions as ``figures.json``.

    Always the same files, named in :data:`OUTPUTS`: one with nothing to show says so. Equal results give
    equal bytes.

    Args:
        results: the results folder, with experiments/ and complexity/.
        output: the folder to write into.
        preset: the name of the preset, for captions.
        experiments: the experiments and baselines of the parameters, by name.
        model: the sizes of the network whose structure is drawn, as :func:`ncfl.report.structure.diagrams` takes them;
            the published ones unless told.
        strip_dataset: whose kept example frame makes the strip of the denoisers.
        edited: the keys in which the parameters differ from the preset.

    Raises:
        InputError: a summary, the complexity file, an example frame or a history is missing or malformed.
    """
    read = Results(results, experiments)
    denoisers = DENOISERS if preset == "paper" else MEDIANS
    preset = named(preset, edited, most=0)
    written = []
    with style():
        for drawing, figure in (
            _strip(read, preset, "comparison", strip.Subject(strip_dataset, "davis", "Noisy", denoisers)),
            _strip(read, preset, "deraining", DERAINING),
            _strip(read, preset, "dehazing", DEHAZING),
            _strip(read, preset, "raw", RAW),
            _inside(read, preset, strip_dataset),
            _psnr_sigma(read, preset),
            _table1(read, preset),
            _table2(read, preset),
            _training(read, preset),
            *_structures(model, preset),
        ):
            save(drawing, Path(output) / figure.file)
            written.append(figure)
    write_json(Path(output) / CAPTIONS, [asdict(figure) for figure in written])
    return written


def read_figures(folder: Path) -> list[Figure]:
    """The figures that :func:`write_figures` left in a folder.

    Raises:
        InputError: the list is missing or malformed, or a picture of it is missing.
    """
    path = Path(folder) / CAPTIONS
    listed: Any = read_json(path)
    try:
        figures = [Figure(**entry) for entry in listed]
    except TypeError:
        raise InputError(f"{path}: not a list of figures as `ncfl figures` writes it") from None
    for figure in figures:
        if figure.file not in OUTPUTS or not (Path(folder) / figure.file).is_file():
            raise InputError(f"{path}: no picture {figure.file!r} beside it; run `ncfl figures`")
    return figures


def _strip(results: Results, preset: str, name: str, subject: strip.Subject) -> tuple["Drawing", Figure]:
    found = strip.load(results, subject)
    if found is None:
        return _nothing(name, f"No example frame of {TITLES.get(subject.dataset, subject.dataset)} was kept", preset)
    title = TITLES.get(subject.dataset, subject.dataset)
    of = f"{title}'s {found.data}" if other_data(found.data) else found.data
    noise = f", noise σ = {found.sigma:g}" if found.sigma else ""
    origin = f"Preset: {preset}. Frame {found.frame} of {found.sequence} ({of}){noise}."
    quality = ", ".join(f"{panel.name} {panel.psnr:.2f} dB" for panel in found.panels if panel.psnr is not None)
    caption = "One frame by each method, and a part of it three times as large. PSNR of the 8-bit frames in RGB."
    words = f"The same frame side by side, each with an enlarged crop; PSNR: {quality}."
    return strip.draw(found, origin), Figure(f"{name}.png", caption, origin, words, True)


def _inside(results: Results, preset: str, dataset: str) -> tuple["Drawing", Figure]:
    folder = results.folder(MAIN) / "evaluation" / "examples" / dataset
    found = sorted(folder.glob("*_inside.npz")) if MAIN in results.experiments else []
    if not found:
        return _nothing("inside", f"No look inside {MAIN} was kept", preset)
    stem = found[0].name.removesuffix("_inside.npz")
    restored = strip.read_picture(folder / f"{stem}.png")
    degraded = strip.read_picture(folder / f"{stem}_input.png", like=restored)
    origin = f"Preset: {preset}. {stem.replace('_', ' ')} ({results.label(MAIN, dataset)})."
    caption = (
        f"What a frame meets inside {MAIN}: motion before and after refinement, attention, features before and after "
        "the compression, its quantization step and bits."
    )
    words = "Nine panels: the degraded and the restored frame, two of motion as colors, five maps with color bars."
    drawing = intermediates.draw(intermediates.read_inside(found[0]), degraded, restored, origin)
    return drawing, Figure("inside.png", caption, origin, words, True)


def _psnr_sigma(results: Results, preset: str) -> tuple["Drawing", Figure]:
    table = table5(results, preset)
    caption = "PSNR against the noise level: the paper's on Set8, and the one measured here."
    words = "Two line charts: the PSNR of NCFL, the medians and the noisy input over sigma; values in Table 5."
    return charts.psnr_by_sigma(results, preset), Figure("psnr_sigma.png", caption, table.origin, words, True)


def _table1(results: Results, preset: str) -> tuple["Drawing", Figure]:
    caption, origin = "Table 1 as a chart; each PSNR axis is its own.", table1(results, preset).origin
    words = "Three dot charts over the variants: the paper's PSNR, the measured one, GFLOPs; values in Table 1."
    return charts.modules(results, preset), Figure("table1.png", caption, origin, words, True)


def _table2(results: Results, preset: str) -> tuple["Drawing", Figure]:
    caption, origin = "Table 2 as a chart; each axis is its own.", table2(results, preset).origin
    words = "Two line charts of PSNR over lambda, the paper's and the measured; values in Table 2."
    return charts.weights(results, preset), Figure("table2.png", caption, origin, words, True)


def _training(results: Results, preset: str) -> tuple["Drawing", Figure]:
    drawing = charts.training(results, preset, MAIN) if MAIN in results.experiments else None
    if drawing is None:
        return _nothing("training", "No training curve was kept", preset)
    caption, origin = f"Training of {MAIN}, both stages.", charts.training_origin(results, preset, MAIN)
    words = "Line charts of the loss, PSNR and bits per pixel over the iterations of both training stages."
    return drawing, Figure("training.png", caption, origin, words, True)


def _structures(model: Mapping[str, Any], preset: str) -> Iterator[tuple["Drawing", Figure]]:
    for name, found in diagrams(model).items():
        what = f"The structure of {STRUCTURES[name]} (the paper's Figure {name[-1]})"
        caption, origin = f"{what}, read from the modules that this run builds.", f"As built. Preset: {preset}."
        words = "; ".join(box.label for diagram in found for box in diagram.boxes if box.kind != "end")
        drawing = draw(found, f"Numbers behind a comma are channels. {origin}")
        yield drawing, Figure(f"{name}.png", caption, origin, f"{what}: {words}.", True)


def _nothing(name: str, reason: str, preset: str) -> tuple["Drawing", Figure]:
    """A figure that is empty, and says so: the workflow engines expect its file all the same."""
    drawing = canvas(8.0, 1.6)
    empty(drawing.add_axes((0.02, 0.05, 0.96, 0.9)), f"{reason}.")
    return drawing, Figure(f"{name}.png", f"{reason}.", f"Preset: {preset}.", f"{reason}.", False)
