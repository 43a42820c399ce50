"""The documents: no link leads nowhere, no figure is still to be filled in."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *(ROOT / name / "README.md" for name in ("config", "data", "results")),
    ]
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text()):
        if not target.startswith(("http", "mailto:")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_nothing_waits_to_be_filled_in():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    marker = "@" + "@"
    for name in tracked:
        if name.endswith((".md", ".cff", ".yaml", ".smk")):
            assert marker not in (ROOT / name).read_text(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_is_there(document):
    """Of the program's verbs, of make's targets, and of the tools."""
    from ncfl.cli.main import app

    text = document.read_text()
    verbs = {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    named = set(re.findall(r"(?:^|`|\$ )ncfl ([a-z][a-z-]+)", text, re.M))
    assert named <= verbs, f"{document.name}: {sorted(named - verbs)}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    made = set(re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.M))
    assert made <= targets, f"{document.name}: {sorted(made - targets)}"
    for tool in re.findall(r"(?:^|`)(tools/[a-z_.]+)", text, re.M):
        assert (ROOT / tool).exists(), f"{document.name}: {tool}"
