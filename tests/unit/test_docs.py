"""The documents: no link leads nowhere, no figure is still to be filled in, every command is one."""

import re
import subprocess
from pathlib import Path

import pytest
from helpers.document_commands import commands, fault

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
    """With its verb, its options, and the experiments and datasets that it names."""
    wrong = [f"{' '.join(words)}: {found}" for words in commands(document) if (found := fault(words, ROOT))]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`ncfl tabels`", "tabels"),
        ("`ncfl restore a.mp4 b.mp4 --wieghts x`", "--wieghts"),
        ("`ncfl train --experiment ncfl-davos --stage 1`", "--experiment ncfl-davos"),
        (
            "```sh\nsource .venv/bin/activate\nncfl check && ncfl fetch --dataset davos  # brings it\n```",
            "--dataset davos",
        ),
        ("`make result`", "result"),
        ("`snakemake --core 2`", "--core"),
        ("`dvc metrics shew`", "shew"),
        ("`tools/claims x`", "tools/claims"),
        ("`ncfl fetch --dataset D --from PATH`, `ncfl check`, `make PYTHON=python3.12 results`, `ncfl --help`", None),
        (
            "`snakemake --cores 2 -n results/tables`, `dvc repro -f fetch-davis`, `NCFL_DEFER_MLFLOW=0 ncfl tables`",
            None,
        ),
    ],
)
def test_a_command_that_is_not_there_is_found(tmp_path, text, found):
    (tmp_path / "a.md").write_text(text + "\n")
    given = list(commands(tmp_path / "a.md"))
    assert given
    assert [each for each in (fault(words, ROOT) for words in given) if each] == ([found] if found else [])
