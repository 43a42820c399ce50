"""docs/python.md does what it says: its blocks run, one after the other."""

import re

from helpers.command_line import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)


def test_its_blocks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    """In one test, since tests may run in processes of their own."""
    monkeypatch.chdir(tmp_path)
    session: dict = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/python.md, block {number}", "exec"), session)
        printed = capsys.readouterr().out
        assert "print(" not in block or "medain-3x3" in printed or "FastDVDNet" in printed


def test_there_are_blocks():
    assert len(BLOCKS) == 4
