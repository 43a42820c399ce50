"""Results that move through an S3 store, which a server on loopback is."""

import json
import shutil
from pathlib import Path

from helpers.engines import run
from helpers.projects import git
from helpers.services import s3_store


def changed(root: Path) -> set[str]:
    """The files that DVC finds changed or missing."""
    said = run("dvc status --json", root)
    stages = json.loads(said[said.index("{") :]).values()
    told = [kind for stage in stages for kind in stage]
    assert all(isinstance(kind, dict) for kind in told), told  # else a command is another
    return {path for kind in told for files in kind.values() for path in files}


def test_pushed_results_come_through_s3_to_a_fresh_clone(project, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with s3_store("results") as address:
        run("dvc remote add --default store s3://results/ncfl", project)
        run(f"dvc remote modify store endpointurl {address}", project)
        git("commit -q -a -m remote", project)
        pushed = run("dvc push", project)
        assert "pushed" in pushed
        assert "Everything is up to date" in run("dvc push", project)
        clone = tmp_path / "clone"
        git(f"clone -q {project} {clone}", tmp_path)
        shutil.rmtree(project / ".dvc/cache")  # what comes now comes from the store
        run("dvc pull", clone)
    records = sorted(path.name for path in (project / "results/records").glob("*.json"))
    assert records
    for name in records:
        assert json.loads((clone / "results/records" / name).read_text()) == json.loads(
            (project / "results/records" / name).read_text()
        )
    for tables in ("table1.csv", "table3.csv"):
        assert (clone / "results/tables" / tables).read_bytes() == (project / "results/tables" / tables).read_bytes()
    assert "Nothing to be done" in run("snakemake -n", clone)
    # Prepared data are large: they are never pushed, and made again when a step needs them. All else is as it was.
    assert changed(clone) == {"data/prepared/davis", "data/prepared/set8"}
