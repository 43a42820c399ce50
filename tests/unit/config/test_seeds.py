"""An experiment with several seeds: the trainings that it becomes, what they depend on, and seeds that are refused."""

from pathlib import Path

import pytest
import yaml

from ncfl.common.errors import InputError
from ncfl.config import describing, graph, reruns
from ncfl.config.params import Params, validate
from ncfl.config.presets import resolve
from ncfl.config.yaml12 import parse_yaml

ROOT = Path(__file__).resolve().parents[3]


def loaded(**seeds: object) -> Params:
    """The demo with seeds for experiments; ``_`` stands for the hyphens of their names."""
    raw = parse_yaml(resolve("demo", folder=ROOT / "presets"), Path("params.yaml"))
    for name, value in seeds.items():
        entry = name.replace("_", "-")
        raw["compared" if entry in raw["compared"] else "experiments"][entry]["seeds"] = value
    return validate(raw, Path("params.yaml"))


def test_each_seed_is_an_experiment_and_the_first_keeps_the_name():
    params = loaded(modules_a=[5, 0, 9], edvr_davis=[3, 4])
    new = set(params.evaluated) - set(loaded().evaluated)
    assert new == {"modules-a-seed0", "modules-a-seed9", "edvr-davis-seed4"}
    assert [params.seed_of(f"modules-a{end}") for end in ("", "-seed0", "-seed9")] == [5, 0, 9]
    assert params.seed_of("modules-b") == params.seed == 2022
    assert (params.stages("modules-a-seed9"), params.stages("edvr-davis-seed4")) == (2, 1)
    assert {"modules-a-seed0", "modules-a-seed9"} <= params.with_motion


def test_a_seed_is_watched_by_its_own_trainings_alone():
    found = reruns.jobs(loaded(modules_a=[5, 0]))
    for name, key in (("modules-a", "seeds.0"), ("modules-a-seed0", "seeds.1")):
        for stage in (1, 2):
            watched = found[f"{name}-train-stage{stage}"].watched
            assert f"experiments.modules-a.{key}" in watched
            assert "experiments.modules-a.train" in watched
            assert "seed" not in watched
        # The noise that is measured with is the same for all seeds.
        assert "seed" in found[f"{name}-evaluate"].watched
    every = [job.name for job in found.values() if any(".seeds." in key for key in job.watched)]
    assert len(every) == 4


def test_without_several_seeds_the_graph_is_the_one_it_was():
    before, after = (yaml.safe_load(graph.dvc_yaml(params))["stages"] for params in (loaded(), loaded(modules_a=[7])))
    assert set(before) == set(after)
    assert {name for name in before if before[name] != after[name]} == {
        "train-stage1-modules-a",
        "train-stage2-modules-a",
    }


def test_dvc_has_a_stage_for_each_seed():
    stages = yaml.safe_load(graph.dvc_yaml(loaded(edvr_davis=[3, 4])))["stages"]
    assert stages["train-compared-edvr-davis-seed4"]["cmd"] == "ncfl train --experiment edvr-davis-seed4 --stage 1"
    assert "compared.edvr-davis.seeds.1" in stages["train-compared-edvr-davis-seed4"]["params"]
    assert "results/experiments/edvr-davis-seed4/stage1/checkpoint.pt" in stages["evaluate-edvr-davis-seed4"]["deps"]


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([], "at least 1"),
        ([1, 1], r"expected seeds that differ, got \[1, 1\]"),
        ([1.5], "expected a valid integer, got 1.5"),
        ([-1], "expected a number greater than or equal to 0, got -1"),
        ([2**32], "less than 4294967296"),
        ([True], "expected a valid integer, got True"),
        (3, "expected a valid list, got 3"),
    ],
)
def test_other_seeds_are_refused_by_their_key(seeds, expected):
    with pytest.raises(InputError, match=rf"params\.yaml: .*experiments\.modules-a\.seeds.*{expected}"):
        loaded(modules_a=seeds)


def test_a_name_that_a_seed_would_take_is_refused():
    raw = parse_yaml(resolve("demo", folder=ROOT / "presets"), Path("params.yaml"))
    raw["experiments"]["modules-a"]["seeds"] = [1, 2]
    raw["experiments"]["modules-a-seed2"] = raw["experiments"]["modules-b"]
    with pytest.raises(InputError, match=r"experiments\.modules-a\.seeds: expected no other .* 'modules-a-seed2'"):
        validate(raw, Path("params.yaml"))


def test_official_weights_and_medians_have_no_seeds():
    raw = parse_yaml(resolve("demo", folder=ROOT / "presets"), Path("params.yaml"))
    raw["baselines"]["median-3x3"]["seeds"] = [1, 2]
    with pytest.raises(InputError, match=r"unknown key 'baselines\.median-3x3\.seeds'"):
        validate(raw, Path("params.yaml"))


def test_runs_in_mlflow_say_their_seed_and_whose_it_is():
    params = loaded(modules_a=[5, 0])
    for name, seed in (("modules-a", "5"), ("modules-a-seed0", "0")):
        tags = describing.tags(params, name)
        assert (tags["seed"], tags["repetition_of"], tags["tables"]) == (seed, "modules-a", "Table 1")
        assert f"Seed {seed} of 5, 0." in tags["mlflow.note.content"]
    assert not {"seed", "repetition_of"} & set(describing.tags(params, "modules-b"))


def test_the_study_has_two_seeds_for_table_1_and_the_weights_furthest_apart_in_table_2():
    path = ROOT / "presets" / "study.yaml"
    params = validate(parse_yaml(resolve("study", folder=ROOT / "presets"), path), path)
    twice = {name for name, found in params.repetitions.items() if found.place == 1}
    assert twice == {f"{n}-seed2023" for n in ("ncfl-davis", "lambda-256", *(f"modules-{x}" for x in "abcde"))}
