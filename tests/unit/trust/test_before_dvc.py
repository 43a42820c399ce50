"""What the environment's `dvc` does before it is DVC."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.engines import BIN

from ncfl.trust import before_dvc, dvc_claim

TORN = '{"write": {"/p/results": {"pid": 12, "cm'


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dvc_claim.NOTES.parent.mkdir(parents=True)
    return tmp_path


def test_the_environment_has_ours():
    """An installer that puts DVC's own there again takes away only what is done before: `make` puts ours back."""
    assert "before_dvc.prepare(sys.argv[1:])" in (BIN / "dvc").read_text()
    assert os.access(BIN / "dvc", os.X_OK)


@pytest.mark.parametrize("content", ["", TORN, "[]", '{"write": {"a": 3}}'])
def test_notes_that_dvc_cannot_read_are_removed_in_a_line(content, capsys):
    dvc_claim.NOTES.write_text(content)
    before_dvc.prepare(["status"])
    assert not dvc_claim.NOTES.exists()
    said = capsys.readouterr().err
    assert said == "note: .dvc/tmp/rwlock, half-written by a dvc that was killed, is removed\n"


@pytest.mark.parametrize("content", ["{}", '{"write": {}, "read": {"/p/a": [{"pid": 1, "cmd": "dvc repro"}]}}'])
def test_notes_that_dvc_understands_stay(content, capsys):
    dvc_claim.NOTES.write_text(content)
    before_dvc.prepare(["status"])
    assert dvc_claim.NOTES.read_text() == content
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("hardlink", [False, True])
def test_notes_that_a_living_dvc_is_writing_stay(project, hardlink):
    from dvc.lock import make_lock

    dvc_claim.NOTES.write_text(TORN)
    with make_lock(str(dvc_claim.GUARD), tmp_dir=str(dvc_claim.GUARD.parent), hardlink_lock=hardlink):
        before_dvc.prepare(["status"])
        assert dvc_claim.NOTES.read_text() == TORN
    before_dvc.prepare(["status"])
    assert not dvc_claim.NOTES.exists()


@pytest.mark.parametrize("arguments", [["--cd", "{}", "status"], ["--cd={}", "status"]])
def test_the_project_is_where_dvc_looks_for_it(project, tmp_path_factory, monkeypatch, arguments):
    dvc_claim.NOTES.write_text(TORN)
    (project / "ncfl/trust").mkdir(parents=True)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    before_dvc.prepare(["status"])
    assert (project / dvc_claim.NOTES).exists()
    before_dvc.prepare([argument.format(project / "ncfl/trust") for argument in arguments])
    assert not (project / dvc_claim.NOTES).exists()
    assert Path.cwd() == elsewhere


def test_what_cannot_be_mended_is_left_to_dvc(project):
    dvc_claim.NOTES.mkdir()
    before_dvc.prepare(["status"])
    before_dvc.prepare(["--cd", "nowhere", "status"])
    before_dvc.prepare(["--cd"])


def fetched(project: Path) -> Path:
    """A raw file with an index that names its checksum."""
    raw = project / "data/raw/davis"
    (raw / "demo/files").mkdir(parents=True)
    picture = raw / "demo/files/00000.jpg"
    picture.write_bytes(b"light")
    entry = {"name": picture.name, "bytes": 5, "sha256": hashlib.sha256(b"light").hexdigest()}
    (raw / "index.json").write_text(json.dumps({"source": "demo", "files": [entry]}))
    return picture


@pytest.mark.parametrize("verb", ["status", "repro", "exp"])
def test_raw_files_that_changed_are_told_though_dvc_does_not_list_them(project, capsys, verb):
    picture = fetched(project)
    before_dvc.prepare([verb])
    assert capsys.readouterr().err == ""
    picture.write_bytes(b"dark!")
    before_dvc.prepare(["metrics", "show"])
    assert capsys.readouterr().err == ""
    for _ in range(2):  # and told again: what is known of the changed file excuses nothing
        before_dvc.prepare([verb])
        assert capsys.readouterr().err == (
            "warning: data/raw/davis/demo/files/00000.jpg: changed since the dataset was fetched "
            "(data/raw/davis/index.json); no step takes it\n"
        )
    picture.unlink()
    before_dvc.prepare([verb])
    assert capsys.readouterr().err == ""


def test_a_lock_of_other_versions_is_told(project, capsys):
    (project / "ncfl").mkdir()
    (project / "ncfl/versions.txt").write_text("torch==2.0.0\n")
    (project / "requirements.lock").write_text("torch==2.0.1 \\\n")
    before_dvc.prepare(["status"])
    said = capsys.readouterr().err
    assert said.startswith(
        "warning: requirements.lock: torch: found 2.0.1, expected 2.0.0, as ncfl/versions.txt has it"
    )
    assert said.count("\n") == 1


@pytest.mark.parametrize("content", ["", "[]", '{"files": 3}', '{"source": 3, "files": [{"name": 1}]}'])
def test_an_index_that_cannot_be_read_is_left_to_dvc(project, capsys, content):
    fetched(project)
    (project / "data/raw/davis/index.json").write_text(content)
    before_dvc.prepare(["status"])
    assert capsys.readouterr().err == ""


def test_it_imports_little():
    """DVC starts in a third of a second: what comes before it may take a tenth at most."""
    asked = [sys.executable, "-c", "import sys, ncfl.trust.before_dvc; print(*sys.modules)"]
    loaded = set(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"pydantic", "yaml", "numpy", "torch", "rich", "typer", "dvc"}


def test_arguments_exit_codes_and_signals_are_those_of_dvc(project, tmp_path_factory):
    dvc = str(BIN / "dvc")
    assert subprocess.run([dvc, "--version"], capture_output=True, text=True, check=True).stdout == _version()
    assert subprocess.run([dvc, "no-such-verb"], capture_output=True, check=False).returncode == 254
    assert subprocess.run([dvc, "root"], cwd=tmp_path_factory.mktemp("no"), capture_output=True).returncode == 253
    (project / "dvc.yaml").write_text("stages:\n  long:\n    cmd: sleep 60\n")
    subprocess.run([dvc, "init", "--no-scm", "-q", "-f"], check=True)
    running = subprocess.Popen([dvc, "repro"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    for line in running.stdout:
        if "sleep 60" in line:
            break
    os.killpg(running.pid, signal.SIGTERM)
    assert running.wait(20) == -signal.SIGTERM


def _version() -> str:
    from dvc import __version__

    return f"{__version__}\n"


def test_plots_are_drawn_without_a_network(project):
    """The page has all that draws it in itself, unless somebody wants another."""
    subprocess.run([BIN / "dvc", "init", "--no-scm", "-q", "-f"], check=True)
    (project / "h.csv").write_text("iteration,psnr\n1,20\n2,22\n")
    (project / "dvc.yaml").write_text("plots:\n  - curve:\n      x: iteration\n      y:\n        h.csv: psnr\n")
    subprocess.run([BIN / "dvc", "plots", "show"], check=True, capture_output=True)
    page = (project / "dvc_plots/index.html").read_text()
    assert not re.search(r"<(script|link)[^>]*(src|href)=", page)
    assert page.count("<script>") == 3  # Vega, Vega-Lite and what puts them into a page
    assert "vegaEmbed('#" in page
    (project / "own.html").write_text("<p>mine</p>{plot_divs}")
    subprocess.run([BIN / "dvc", "config", "plots.html_template", str(project / "own.html")], check=True)
    subprocess.run([BIN / "dvc", "plots", "show"], check=True, capture_output=True)
    assert (project / "dvc_plots/index.html").read_text().startswith("<p>mine</p>")


def test_a_configuration_of_the_machine_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", "")  # put back afterwards
    monkeypatch.delenv("DVC_SYSTEM_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))
    (tmp_path / "machine/dvc").mkdir(parents=True)
    (tmp_path / "machine/dvc/config").touch()
    (tmp_path / "plots.html").touch()
    before_dvc._draw_without_network(tmp_path)
    assert "DVC_SYSTEM_CONFIG_DIR" not in os.environ
    (tmp_path / "machine/dvc/config").unlink()
    before_dvc._draw_without_network(tmp_path / "nowhere")
    assert "DVC_SYSTEM_CONFIG_DIR" not in os.environ
    before_dvc._draw_without_network(tmp_path)
    assert os.environ["DVC_SYSTEM_CONFIG_DIR"] == str(tmp_path)
