"""`ncfl status`: a row an experiment, with the first reason in whole words."""

from pathlib import Path

from ncfl.config.reruns import Job
from ncfl.steps.verifying import status
from ncfl.trust import chains


def link(name: str, experiment: str, state: str, *reasons: str) -> chains.Link:
    job = Job(name, f"ncfl train --experiment {experiment}", (), (Path(name),), experiment)
    return chains.Link(job, state, reasons, {})


def test_a_row_says_what_is_due_and_why_first(monkeypatch):
    found = [
        link("davis-fetch", "", "done"),
        link("ncfl-davis-train-stage1", "ncfl-davis", "stale", "seed: 7 -> 8", *["data/prepared/davis is another"] * 9),
        link("ncfl-davis-evaluate", "ncfl-davis", "done"),
        link("noisy-evaluate", "noisy", "to do"),
    ]
    monkeypatch.setattr(chains, "links", lambda params: {each.job.name: each for each in found})
    *_, shared, stale, new = status(None).splitlines()
    assert shared.split() == ["(data,", "tables)", "1", "of", "1", "steps", "-", "-"]
    assert "1 of 2 steps" in stale
    assert stale.endswith("train-stage1 is stale: seed: 7 -> 8; and 9 more")
    assert new.endswith("not made yet")
    assert max(len(line) for line in (shared, stale, new)) <= 100
