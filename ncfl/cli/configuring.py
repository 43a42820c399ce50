"""Choose what runs, and see what would run."""

from typing import Annotated

import typer

from ncfl.cli.app import PARAMS, ParamsFile, app, read


@app.command()
def use(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="The preset: demo, clips, study, paper or pretrain.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A value to change. The option may be given several times."),
    ] = None,
    datasets: Annotated[
        str,
        typer.Option(metavar="NAMES", help="The datasets that you have, separated by commas. All others are left out."),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace the file even if you have edited it.")] = False,
    config: ParamsFile = PARAMS,
) -> None:
    """Write a preset to params.yaml, the one configuration file that all steps read."""
    from ncfl.config.presets import use as write

    print("\n".join(write(preset, settings or (), datasets, config, force=force)))
    if config == PARAMS and (config.parent / "dvc.yaml").exists():
        from ncfl.config import graph as graphs

        graphs.write(read(config))


@app.command()
def graph(
    write: Annotated[bool, typer.Option("--write", help="Write the file dvc.yaml.")] = False,
    config: ParamsFile = PARAMS,
) -> None:
    """Print the graph of params.yaml as DVC reads it, or write it to dvc.yaml."""
    from ncfl.config import graph as graphs

    if write:
        graphs.write(read(config))
    else:
        print(graphs.dvc_yaml(read(config)), end="")


@app.command()
def check(config: ParamsFile = PARAMS) -> None:
    """Validate params.yaml, and say what would run, how long it would take here and what is missing."""
    from ncfl.steps.checking import describe
    from ncfl.steps.planning import plan

    params = read(config)
    print(describe(params), plan(params), sep="\n\n")


@app.command()
def datasets(config: ParamsFile = PARAMS) -> None:
    """List the datasets of params.yaml, where they come from, and whether they are fetched and prepared."""
    from ncfl.steps.checking import list_datasets

    print(list_datasets(read(config)))


@app.command()
def methods(config: ParamsFile = PARAMS) -> None:
    """List the methods that run here, what each needs, and whether it is trained."""
    from ncfl.steps.checking import list_methods

    print(list_methods(read(config)))


@app.command()
def schema() -> None:
    """Print the JSON schema of params.yaml, as YAML."""
    import yaml

    from ncfl.config.params import schema as describe

    print(yaml.safe_dump(describe(), sort_keys=False, allow_unicode=True, width=110), end="")
