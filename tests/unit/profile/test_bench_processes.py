"""``ncfl bench`` measures each method in a process of its own: what is said when that dies or refuses."""

import pytest
from helpers.process_samples import answer_with_a_refusal, exit_without_an_answer

from ncfl.common.errors import InputError
from ncfl.steps import benching
from ncfl.steps.benching import bench, how_it_ended


@pytest.mark.parametrize(
    ("code", "words"),
    [(-9, "killed by SIGKILL, as a system does that is out of memory"), (-11, "killed by SIGSEGV"), (3, "exit code 3")],
)
def test_the_end_of_a_process_in_words(code, words):
    assert how_it_ended(code).endswith(words)


def test_a_process_that_dies_costs_its_row_alone(monkeypatch):
    monkeypatch.setattr(benching, "_answer", exit_without_an_answer)
    (row,) = bench(methods=["emvd-s"])
    assert row["besides"] == "ended without a result, exit code 7"
    assert row["seconds"] is None


def test_what_it_raises_is_raised_here(monkeypatch):
    monkeypatch.setattr(benching, "_answer", answer_with_a_refusal)
    with pytest.raises(InputError, match="no such thing"):
        list(bench(methods=["emvd-s"]))
