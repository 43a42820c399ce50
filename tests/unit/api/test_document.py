"""docs/python.md does what it says: its blocks run, one after the other."""

import re

import pytest
from helpers.command_line import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)


@pytest.fixture(scope="module")
def session() -> dict:
    return {}


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_runs(session, tmp_path, monkeypatch, capsys, number):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[number], f"docs/python.md, block {number}", "exec"), session)
    printed = capsys.readouterr().out
    assert "print(" not in BLOCKS[number] or "medain-3x3" in printed or "FastDVDNet" in printed


def test_there_are_blocks():
    assert len(BLOCKS) == 4
