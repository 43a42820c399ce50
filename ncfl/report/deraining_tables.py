"""The tables of the datasets that bring their degradation along: rain, haze, and the noise of a real sensor."""

from collections.abc import Iterator, Sequence

from ncfl.report import published
from ncfl.report.cells import (
    BEGUN,
    SLUGS,
    distinct,
    experiments_of,
    origin_cells,
    pair,
    psnr_cells,
    run_of,
    runs_of,
    ssim_cells,
)
from ncfl.report.results import SPACES, TITLES, MeasuredFigure, Results
from ncfl.report.table import Column, Record, Table, measured_head, shown_cell

NO_NOISE = 0.0
_GAIN = ("measured_input_psnr_db", "measured_psnr_db", "measured_gain_db", "measured_input_ssim", "measured_ssim")
_SPREADS = ("spread_psnr_db", "spread_ssim")
RAINY_INPUT = "Rainy input"
DERAINING_SPACE = "y"
# Datasets that the additional table has even where they were not evaluated, and the spaces they are compared in.
ADDITIONAL = {
    "crvd": ("raw", "srgb"),
    "rainsyncomplex25": ("y", "rgb"),
    "rainsynall100": ("y", "rgb"),
    "revide": ("rgb",),
}

Y_NOTE = (
    "Measured on Y (BT.601) of 8-bit frames, as deraining papers mostly do; the text does not say on which channel its "
    "figures are. The same in RGB, usually lower, is in the CSV."
)
BELOW_NOTE = (
    "Small forms after some minutes of training at most: what does not start from the rainy frame itself, as RMFD and "
    "SpacCNN do not, must learn to give that back before it can take rain away."
)
SLIP_NOTE = "FastDerain's SSIM on NTU-Rain is printed with a zero and a point too many: read without them."
ADDITIONAL_NOTES = (
    "The supplement prints no figures of these datasets, so there is no column of the paper's.",
    "Raw: four packed planes, rounded to the sensor's steps; SSIM is the mean over the planes. sRGB: raw through the "
    "ISP of the parameters, not through the trained network of CRVD's authors, so it compares within this table only.",
    "Y: BT.601 of 8-bit frames. RGB: 8-bit frames.",
)


def table4(results: Results, preset: str) -> Table:
    """Table 4: PSNR and SSIM of the derainers on NTU-Rain and RainSynLight25, on Y."""
    listed = published.rows("table4_deraining")
    records, notes = [], [Y_NOTE, SLIP_NOTE]
    for row in [*_rainy_input(results, listed), *listed]:
        dataset = row["dataset"].lower()
        names = _methods_on(dataset) if row["method"] == RAINY_INPUT else experiments_of(row["method"], dataset)
        figure, beside = (results.measured(names, dataset, NO_NOISE, space) for space in (DERAINING_SPACE, "rgb"))
        if row["method"] == RAINY_INPUT:
            figure, beside = _of_input(figure), _of_input(beside)
        notes += _left_out(results, names, dataset, DERAINING_SPACE)
        key = {"method": row["method"], "reference": row["reference"], "dataset": row["dataset"]}
        in_rgb = beside if figure else None
        records.append(
            key
            | psnr_cells(row, figure)
            | ssim_cells(row, figure)
            | {
                "measured_rgb_psnr_db": f"{in_rgb.psnr:.2f}" if in_rgb else "",
                "measured_rgb_ssim": f"{in_rgb.ssim:.4f}" if in_rgb else "",
            }
            | origin_cells(figure, preset)
        )
    columns, cells = [Column("method", number=False)], {r["method"]: [r["method"]] for r in records}
    runs = {method: [""] for method in cells}
    for dataset in distinct(records, "dataset"):
        of_dataset = [r for r in records if r["dataset"] == dataset]
        for metric, suffix in (("PSNR (dB)", "psnr_db"), ("SSIM", "ssim")):
            columns += pair(f"{dataset} {metric}", of_dataset)
            for r in of_dataset:
                keys = (f"paper_{suffix}", f"measured_{suffix}")
                cells[r["method"]] += [shown_cell(r, key) for key in keys]
                runs[r["method"]] += [run_of(r, key) for key in keys]
    columns.append(Column("weights", number=False))
    for method, row in cells.items():
        runs[method].append("")
        row.append(
            "; ".join(name for name in distinct([r for r in records if r["method"] == method], "obtained") if name)
        )
    title = "Video deraining on NTU-Rain and RainSynLight25: PSNR and SSIM, measured on the Y channel"
    notes = list(dict.fromkeys([*notes, *_below_input(records)]))
    return Table("table4", "Table 4", title, preset, records, columns, list(cells.values()), list(runs.values()), notes)


def additional(results: Results, preset: str) -> Table:
    """The datasets that the paper trains on and the supplement prints no figures of, beside their degraded input."""
    records, notes = [], list(ADDITIONAL_NOTES)
    for dataset, spaces in _additional(results).items():
        for space in spaces:
            for method in SLUGS:
                names = experiments_of(method, dataset)
                figure = results.measured(names, dataset, NO_NOISE, space)
                notes += _left_out(results, names, dataset, spaces[0])
                if figure or method == "NCFL":
                    key = {"dataset": TITLES.get(dataset, dataset), "space": SPACES[space], "method": method}
                    records.append(key | _gain_cells(figure) | origin_cells(figure, preset))
    columns = (
        *(Column(head, number=False) for head in ("dataset", "compared in", "method")),
        Column(measured_head(records, "input"), "PSNR (dB)", kind="measured"),
        Column(measured_head(records, "restored"), "PSNR (dB)", kind="measured"),
        Column("gain", "PSNR (dB)", kind="measured"),
        Column(measured_head(records, "input"), "SSIM", kind="measured"),
        Column(measured_head(records, "restored"), "SSIM", kind="measured"),
    )
    keys = ("dataset", "space", "method", *_GAIN)
    rows, runs = [tuple(shown_cell(r, key) for key in keys) for r in records], runs_of(records, keys)
    title = "The other datasets: PSNR and SSIM of the degraded input and of what is restored from it"
    notes = list(dict.fromkeys(notes))
    return Table("datasets", "Additional table", title, preset, records, columns, rows, runs, notes, own=True)


def _additional(results: Results) -> dict[str, tuple[str, ...]]:
    """Dataset -> spaces: the paper's, then any other that an ``ncfl-<dataset>`` measured without adding noise."""
    elsewhere = {row["dataset"].lower() for row in published.rows("table4_deraining")}
    found = dict(ADDITIONAL)
    for entry in results.evaluated():
        experiment = results.experiments.get(f"ncfl-{entry.dataset}")
        sigmas = experiment.evaluate.get(entry.dataset, ()) if experiment else ()
        # Where noise is added there is a sigma above 0, and Table 3.
        if entry.dataset not in elsewhere and sigmas and not any(sigmas):
            found.setdefault(entry.dataset, entry.spaces)
    return found


def _gain_cells(figure: MeasuredFigure | None) -> Record:
    if figure is None:
        return dict.fromkeys((*_GAIN, *_SPREADS), "")
    quality = {"psnr_db": "", "ssim": ""}  # the paper has none
    spreads = {key: (psnr_cells(quality, figure) | ssim_cells(quality, figure))[key] for key in _SPREADS}
    cells = (
        f"{figure.input_psnr:.2f}",
        f"{figure.psnr:.2f}",
        f"{figure.psnr - figure.input_psnr:+.2f}",
        f"{figure.input_ssim:.4f}",
        f"{figure.ssim:.4f}",
    )
    return dict(zip(_GAIN, cells, strict=True)) | spreads


def _rainy_input(results: Results, listed: Sequence[Record]) -> Iterator[Record]:
    """A row per dataset for the input itself, which the paper does not have, once anything was measured."""
    datasets = distinct(listed, "dataset")
    known = (results.measured(_methods_on(d.lower()), d.lower(), NO_NOISE, DERAINING_SPACE) for d in datasets)
    if any(known):
        for dataset in datasets:
            yield {"method": RAINY_INPUT, "reference": "", "dataset": dataset, "psnr_db": "", "ssim": ""}


def _below_input(records: Sequence[Record]) -> list[str]:
    """Which methods that were trained here leave a frame worse than they found it, and why that may be."""
    inputs = {r["dataset"]: r for r in records if r["method"] == RAINY_INPUT}
    below = [
        f"{r['method']} on {r['dataset']}"
        for r in records
        if r["obtained"].startswith(("own training", BEGUN))
        and r["dataset"] in inputs
        and any(float(r[key]) <= float(inputs[r["dataset"]][key]) for key in ("measured_psnr_db", "measured_ssim"))
    ]
    return [f"Below the rainy input in PSNR or SSIM: {', '.join(below)}. {BELOW_NOTE}"] if below else []


def _methods_on(dataset: str) -> tuple[str, ...]:
    """Whatever may have been measured on a dataset, NCFL first: all have the same input."""
    methods = sorted(SLUGS, key=lambda method: method != "NCFL")
    return tuple(name for method in methods for name in experiments_of(method, dataset))


def _of_input(figure: MeasuredFigure | None) -> MeasuredFigure | None:
    if figure is None:
        return None
    one_seed = {"seeds": 1, "spread_psnr": None, "spread_ssim": None}  # the input is the same for all
    return figure._replace(psnr=figure.input_psnr, ssim=figure.input_ssim, obtained="", **one_seed)


def _left_out(results: Results, names: Sequence[str], dataset: str, space: str) -> list[str]:
    """What to say of experiments that were measured on a dataset, but not as the table compares it."""
    return [
        f"{name} has no figure on {dataset} at sigma 0 in {SPACES[space]}, so its row is left empty."
        for name in names
        if results.label(name, dataset) and not results.measured([name], dataset, NO_NOISE, space)
    ]
