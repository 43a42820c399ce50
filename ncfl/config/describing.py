"""What people who browse runs want to know of an experiment: its method, its data, and the tables that show it."""

from ncfl.config.params import Baseline, Experiment, Official, Params

MAIN = "ncfl-davis"  # Table 1's M_f, Table 2's 1/2048, and more
# What experiments of one table alone are called. The tables' own queries decide what they show; a test compares.
_ABLATIONS = {"modules-": "Table 1", "lambda-": "Table 2", "clean-": "Section 4.3"}
_OF_DATASET = {"davis": "Table 3", "ntu-rain": "Table 4", "rainsynlight25": "Table 4", "set8": "Table 5"}


def tags(params: Params, name: str) -> dict[str, str]:
    """Tags for the runs of an experiment: ``method``, ``dataset``, ``tables``, and a description that MLflow shows.

    Where it has several seeds, also ``seed`` and ``repetition_of``, by which the runs of all its seeds are found.
    """
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
    for dataset in experiment.evaluate:
        if part := params.datasets[dataset].part:
            note += f" Of {dataset} a part: {', '.join(part)}; not to be compared with the paper's figures."
    dataset = experiment.dataset if trained else measured
    found = {"method": method, "dataset": dataset, "tables": served}
    repetition = params.repetitions[name]
    if repetition.place is not None:
        found |= {"seed": str(params.seed_of(name)), "repetition_of": repetition.entry}
        note += f" Seed {found['seed']} of {', '.join(map(str, experiment.seeds))}."
    return found | {"mlflow.note.content": note}


def tables(params: Params, name: str) -> list[str]:
    """The tables of the paper that show an experiment, ``Additional table`` for other datasets, in order."""
    entry = params.repetitions[name].entry
    for prefix, table in _ABLATIONS.items():
        if entry.startswith(prefix):
            return [table]
    found = {_OF_DATASET.get(dataset, "Additional table") for dataset in params.evaluated[name].evaluate}
    return sorted(found | ({"Table 1", "Table 2"} if entry == MAIN else set()))
