"""What people who browse runs want to know of an experiment: its method, its data, and the tables that show it."""

from collections.abc import Iterator

from ncfl.config.params import Baseline, Experiment, Official, Params
from ncfl.report.queries import CLEAN, MODULES, WEIGHTS

_OF_DATASET = {"davis": "Table 3", "ntu-rain": "Table 4", "rainsynlight25": "Table 4", "set8": "Table 5"}
_ABLATIONS = (("Table 1", MODULES), ("Table 2", WEIGHTS), ("Section 4.3", CLEAN))


def tags(params: Params, name: str) -> dict[str, str]:
    """Tags for the runs of an experiment: ``method``, ``dataset``, ``tables``, and a description that MLflow shows."""
    experiment = params.evaluated[name]
    trained = not isinstance(experiment, Baseline | Official)
    method = experiment.train.variant if isinstance(experiment, Experiment) else experiment.method
    served = ", ".join(tables(params, name))
    measured = ", ".join(experiment.evaluate)
    data = f"trained on {experiment.dataset}, measured on {measured}" if trained else f"measured on {measured}"
    note = f"**{name}**: {method}, {data}. Shown in: {served or 'no table'}. Preset `{params.preset}`."
    sources = sorted({d.source for n, d in params.datasets.items() if d.stand_in and n in experiment.evaluate})
    if sources:
        note += f" The data are a stand-in ({', '.join(sources)}): not to be compared with the paper's figures."
    dataset = experiment.dataset if trained else measured
    return {"method": method, "dataset": dataset, "tables": served, "mlflow.note.content": note}


def tables(params: Params, name: str) -> list[str]:
    """The tables of the paper that show an experiment, ``Additional table`` for other datasets, in order."""
    return sorted(set(_tables(params, name)))


def _tables(params: Params, name: str) -> Iterator[str]:
    ablations = [table for table, rows in _ABLATIONS if name in rows.values()]
    yield from ablations
    if ablations and name != f"ncfl-{getattr(params.evaluated[name], 'dataset', '')}":
        return  # its figures stand there alone
    for dataset in params.evaluated[name].evaluate:
        yield _OF_DATASET.get(dataset, "Additional table")
