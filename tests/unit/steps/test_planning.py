"""The plan counts what is to do, and gives times that steps took here with the same parameters."""

import json
from pathlib import Path

import pytest

from ncfl.config.params import load
from ncfl.config.reruns import jobs
from ncfl.steps import planning
from ncfl.trust import step_records
from ncfl.trust.staleness import settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load(ROOT / "tests" / "tiny.yaml")


def ran(params, name, seconds, *, outputs=True, **changed):
    job = jobs(params)[name]
    path = step_records.path_of(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": step_records.FORMAT, "inputs": {}, "outputs": {}, "settings": settings(params, job) | changed}
    path.write_text(json.dumps(content | {"seconds": seconds}))
    for output in job.outputs if outputs else ():
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()


def row(text, kind):
    line = next(line for line in text.splitlines() if line.startswith(kind))
    return line.removeprefix(kind).split(maxsplit=2)


def test_at_first_everything_is_to_do_and_no_time_is_known(params):
    text = planning.plan(params)
    counted = {kind: row(text, kind) for kind in ("data", "trainings of NCFL", "evaluations")}
    assert all(found[0] == found[1] and found[2] == "not known yet" for found in counted.values())
    assert sum(int(row(text, kind)[0]) for kind in counted) < len(jobs(params))
    assert f"{len(jobs(params))} steps to do never ran here" in text


def test_a_step_that_is_done_is_not_to_do_and_tells_the_time_of_those_like_it(params):
    ran(params, "ncfl-davis-train-stage1", 30)
    ran(params, "ncfl-davis-train-stage2", 90, outputs=False)  # removed since
    every = [job for job in jobs(params).values() if planning.kind_of(params, job) == "trainings of NCFL"]
    found = row(planning.plan(params), "trainings of NCFL")
    assert found[:2] == [str(len(every)), str(len(every) - 1)]
    # Of those to do one took 90 s, and each other is taken for the mean of 30 and 90.
    assert found[2] == planning.duration(90 + 60 * (len(every) - 2))


def test_times_with_other_parameters_are_none(params):
    ran(params, "ncfl-davis-train-stage1", 30, outputs=False, seed=-1)
    assert row(planning.plan(params), "trainings of NCFL")[2] == "not known yet"


@pytest.mark.parametrize(("seconds", "said"), [(89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")])
def test_times_as_people_say_them(seconds, said):
    assert planning.duration(seconds) == said


def test_published_data_that_are_missing_are_named_once_with_their_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from ncfl.config.presets import resolve

    Path("params.yaml").write_text(resolve("paper", folder=ROOT / "presets"))
    lines = list(planning.missing(load(Path("params.yaml"))))
    davis = [line for line in lines if line.startswith("missing: davis")]
    assert davis == ["missing: davis, 2 archives, at most 3.7 GB unpacked: ncfl fetch --dataset davis"]
    Path("data/raw/davis").mkdir(parents=True)
    Path("data/raw/davis/index.json").touch()
    assert not [line for line in planning.missing(load(Path("params.yaml"))) if line.startswith("missing: davis")]
