"""Steps, engines and whole groups killed at random: the same command again, and nothing else, ends the same."""

import re
import sys

import pytest
from helpers.engines import assert_nothing_due, run
from helpers.projects import ROOT


def test_random_kills_of_both_engines(finished):
    """What `tools/kills FOLDER 20` does, with less time between kills."""
    said = run(f"{sys.executable} {ROOT}/tools/kills {finished} 20 7 8", finished.parent)
    assert re.search(r"^\d+ kills in \d+ runs, 0 times something to do by hand", said, re.M), said
    for engine in ("snakemake", "dvc"):
        assert f"{engine}: exit 0, results the same, left: []" in said
        assert re.search(rf"^\d+: {engine}: SIG", said, re.M)


@pytest.mark.parametrize("command", ["dvc status", "dvc repro", "snakemake"])
def test_notes_that_a_killed_dvc_left_half_written(project, command):
    (project / ".dvc/tmp/rwlock").write_text('{"write": {"/p/results": {"pid": 12, "cm')
    said = run(command, project)
    assert ("rwlock, half-written by a dvc that was killed, is removed" in said) == command.startswith("dvc")
    assert_nothing_due(project)
