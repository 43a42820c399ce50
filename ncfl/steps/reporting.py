"""``ncfl tables``, ``ncfl figures`` and ``ncfl report``: queries over the experiments that params.yaml names."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncfl.config import layout, presets
from ncfl.config.params import Baseline, Compared, Experiment, Official, Params
from ncfl.steps.common import step
from ncfl.tracking import provenance

if TYPE_CHECKING:
    from ncfl.report.results import MeasuredExperiment

CONFIG = Path("params.yaml")
# How a figure's weights came to be, as the tables say it.
OBTAINED = {Experiment: "own training", Compared: "own training", Official: "official weights", Baseline: "no training"}


def _experiments(params: Params) -> "dict[str, MeasuredExperiment]":
    """What the report has to know of every experiment and baseline."""
    from ncfl.report.results import MeasuredExperiment, data_label

    described = {}
    for name, experiment in params.evaluated.items():
        evaluate = {dataset: tuple(spec.sigma) for dataset, spec in experiment.evaluate.items()}
        obtained = OBTAINED[type(experiment)]
        if isinstance(experiment, Baseline | Official):
            described[name] = MeasuredExperiment(evaluate=evaluate, obtained=obtained)
            continue
        repetition = params.repetitions[name]
        data = params.datasets[experiment.dataset]
        inverse = experiment.train.inverse_lambda if isinstance(experiment, Experiment) else None
        described[name] = MeasuredExperiment(
            evaluate=evaluate,
            obtained=_beginning(params, experiment) or obtained,
            training_data=data_label(experiment.dataset, data.source, data.stand_in, data.part),
            variant=experiment.train.variant if isinstance(experiment, Experiment) else None,
            lambda_=None if inverse is None else 1 / inverse,
            seed=None if repetition.place is None else params.seed_of(name),
            repeats=repetition.entry if repetition.entry != name else "",
        )
    return described


def _beginning(params: Params, experiment: Any) -> str | None:
    """What tables say of a network that began from a start, or from our own initial values; None for others."""
    if isinstance(experiment, Compared) and experiment.train.start is not None:
        schedule = params.schedules[experiment.dataset]
        return _begun(experiment.train.iterations or schedule.stage1 + schedule.stage2)
    if isinstance(experiment, Compared) and experiment.train.passing:
        return "own training, own initial values"
    starts = isinstance(experiment, Experiment) and experiment.train.variant not in ("ncfl_adapq", "ncfl_noq")
    if params.training.start is None or not starts:
        return None
    schedule = params.schedules[experiment.dataset]
    return _begun(schedule.stage1 + schedule.stage2)


def _begun(iterations: int) -> str:
    from ncfl.report.cells import BEGUN

    return f"{BEGUN}, then {iterations} iterations here"


def _commit() -> str:
    found = provenance.commit()
    return found["commit"] + (" (with changes)" if found["modified"] == "yes" else "")


def arguments(params: Params, config: Path = CONFIG) -> dict[str, Any]:
    """What reads the results: their folder, the preset and what was edited of it, and what each experiment is."""
    edited = presets.edited(config)
    return {
        "results": layout.RESULTS,
        "preset": params.preset,
        "edited": edited,
        "experiments": _experiments(params),
    }


def tables(params: Params, config: Path = CONFIG) -> Path:
    """Write the paper's tables, published figures beside measured ones.

    Args:
        params: the configuration.
        config: the file that it was read from, to be held against its preset.

    Returns:
        ``results/tables``: table1 ... table5, section43 and datasets, each as csv, md and tex.
    """
    with step(params, "tables", parameters={"preset": params.preset}, datasets=params.datasets) as run:
        from ncfl.report.table_files import write_tables

        for path in write_tables(output=layout.TABLES, **arguments(params, config)):
            run.artifact(path)
    return layout.TABLES


def figures(params: Params, config: Path = CONFIG) -> Path:
    """Draw the figures; the arguments are those of :func:`tables`.

    Returns:
        ``results/figures``: PNG and PDF files, and their captions.
    """
    with step(params, "figures", parameters={"preset": params.preset}, datasets=params.datasets) as run:
        from ncfl.report.figures import write_figures

        write_figures(output=layout.FIGURES, model=params.model.model_dump(), **arguments(params, config))
        run.artifact(layout.FIGURES)
    return layout.FIGURES


def report(params: Params, config: Path = CONFIG) -> Path:
    """Write the report page.

    Args:
        params: the configuration.
        config: the file that it was read from, to be shown, and held against its preset.

    Returns:
        ``results/report/index.html``, one self-contained file.
    """
    with step(params, "report", parameters={"preset": params.preset}, datasets=params.datasets) as run:
        from ncfl.report.page import write_page

        path = layout.REPORT / "index.html"
        write_page(
            output=path,
            commit=_commit(),
            versions=provenance.versions(),
            parameters=config.read_text(encoding="utf-8"),
            **arguments(params, config),
        )
        run.artifact(path)
    return path
