"""The application that all verbs belong to, and what they share."""

from pathlib import Path
from typing import Annotated

import typer

GROUPS = {
    "Restore your own videos": ("restore", "weights", "export", "import-weights"),
    "Reproduce the paper: choose what runs": ("use", "check", "datasets", "methods", "schema", "graph"),
    "Run the steps, which `snakemake` or `dvc repro` runs for you": (
        "fetch",
        "prepare",
        "pretrain-flow",
        "train",
        "evaluate",
        "complexity",
        "tables",
        "figures",
        "report",
    ),
    "Look at results": ("summary", "status", "verify", "mlflow-sync", "bench"),
}


class Grouped(typer.core.TyperGroup):
    """Help that lists the verbs by what people want to do; a verb that stands in no group would be an error of ours."""

    def format_commands(self, ctx, formatter) -> None:
        for title, verbs in GROUPS.items():
            rows = [
                (verb, self.commands[verb].get_short_help_str(limit=200)) for verb in verbs if verb in self.commands
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=Grouped,
    help="Neural Compression-Based Feature Learning for Video Restoration (CVPR 2022), reproduced as one pipeline.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

PARAMS = Path("params.yaml")
DatasetName = Annotated[str, typer.Option("--dataset", help="The name of a dataset of params.yaml.")]
ExperimentName = Annotated[str, typer.Option("--experiment", help="The name of an experiment of params.yaml.")]
ParamsFile = Annotated[
    Path, typer.Option("--params", metavar="FILE", help="The configuration that is read in place of params.yaml.")
]


def read(config: Path):
    """The configuration in a file, checked."""
    from ncfl.config.params import load

    return load(config)
