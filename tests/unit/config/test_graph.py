"""dvc.yaml as it is written: current, free of names that nobody checked, and whole without trainings."""

import subprocess
from pathlib import Path

import pytest
import yaml

from ncfl.common.errors import InputError
from ncfl.config import graph, reruns
from ncfl.config.params import Params, validate
from ncfl.config.presets import resolve
from ncfl.config.yaml12 import parse_yaml

ROOT = Path(__file__).resolve().parents[3]


def loaded(preset: str = "demo", **changed: object) -> Params:
    raw = parse_yaml(resolve(preset, folder=ROOT / "presets"), Path("params.yaml"))
    return validate({**raw, **changed}, Path("params.yaml"))


def test_what_is_committed_is_the_demos_graph():
    command = ["git", "show", "HEAD:dvc.yaml"]
    committed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert committed == graph.dvc_yaml(loaded())


def test_no_command_is_left_to_be_filled_in():
    stages = yaml.safe_load(graph.dvc_yaml(loaded("paper")))["stages"]
    assert all("${" not in stage["cmd"] and "foreach" not in stage for stage in stages.values())


@pytest.mark.parametrize("name", ["x; touch pwned; #", "$(touch pwned)", "x y", "../x", "-x", "X", ""])
@pytest.mark.parametrize("group", ["datasets", "experiments", "compared", "baselines"])
def test_a_name_that_a_shell_could_read_is_refused(group, name):
    found = parse_yaml(resolve("demo", folder=ROOT / "presets"), Path("params.yaml"))[group]
    with pytest.raises(InputError, match="pattern"):
        loaded(**{group: {**found, name: next(iter(found.values()))}})


def test_without_trainings_there_is_no_motion_estimation():
    stages = yaml.safe_load(graph.dvc_yaml(loaded(experiments={}, compared={})))["stages"]
    assert "pretrain-flow" not in stages
    assert not [name for name in stages if name.startswith("train-")]
    assert "results/flow" not in stages["snakemake-agrees"]["deps"]


def test_motion_estimation_follows_from_the_network():
    params = loaded()
    assert {"ncfl-davis", "modules-a", "basicvsr-davis"} <= params.with_motion
    assert not {"clean-adapq", "clean-noq", "edvr-davis", "noisy"} & params.with_motion


def test_a_setting_of_one_dataset_reruns_what_is_measured_on_it_alone():
    params = loaded()
    evaluation = parse_yaml(resolve("demo", folder=ROOT / "presets"), Path("params.yaml"))["evaluation"]
    on = {name: set(experiment.evaluate) for name, experiment in params.evaluated.items()}
    for changed, touched in (
        (("max_frames", "davis"), {name for name, datasets in on.items() if "davis" in datasets}),
        (("examples", "crvd"), {name for name, datasets in on.items() if "crvd" in datasets}),
        (("isp",), {name for name, datasets in on.items() if "crvd" in datasets}),
        (("threads",), set(on)),
    ):
        assert changed[-1] in (evaluation[changed[0]] if len(changed) == 2 else evaluation)
        key = ".".join(("evaluation", *changed))
        watching = {name for name in on if key in reruns.jobs(params)[f"{name}-evaluate"].watched}
        assert watching == touched
        assert watching
    every = {key for job in reruns.jobs(params).values() for key in job.watched if key.startswith("evaluation.")}
    assert {key.partition(".")[2].partition(".")[0] for key in every} == set(evaluation)


def test_another_graph_is_refused_with_the_command_that_writes_it(tmp_path):
    path = tmp_path / "dvc.yaml"
    graph.write(loaded("clips"), path)
    with pytest.raises(InputError, match=r"expected the graph of params\.yaml, got another one; `ncfl graph --write`"):
        graph.check(loaded(), path)
    assert graph.write(loaded(), path)
    graph.check(loaded(), path)
    assert not graph.write(loaded(), path)


def test_empty_groups_of_older_files_say_nothing():
    assert loaded(experiments_without_motion={}, compared_with_motion={}) == loaded()


def test_plots_are_of_what_steps_make():
    """`dvc plots show`: pictures from the folder of figures, and the history of each training of NCFL."""
    written = yaml.safe_load(graph.dvc_yaml(loaded()))
    made = {out for stage in written["stages"].values() for out in stage.get("outs", ()) if isinstance(out, str)}
    pictures = [plot for plot in written["plots"] if isinstance(plot, str)]
    assert pictures
    assert "results/figures" in made
    assert all(str(Path(plot).parent) == "results/figures" for plot in pictures)
    curves = [curve for plot in written["plots"] if isinstance(plot, dict) for curve in plot.values()]
    assert len(curves) == 18
    assert {file for curve in curves for file in curve["y"]} <= made
