"""Who finds a change planted in a project: the step that would use the file, `ncfl verify`, and both engines."""

import contextlib
import io
import json
import os
import sys
import time
import traceback
from pathlib import Path

from snakemake.exceptions import WorkflowError

from helpers.graphs import resolved_dag
from helpers.plants import ROOT, Plant
from ncfl.cli.main import main
from ncfl.trust import before_dvc

ALL = ("step", "verify", "snakemake", "dvc")


def who_finds(plant: Plant, root: Path, *, keep_time: bool) -> set[str]:
    """Who finds a change; whoever keeps checksums knows those of before."""
    time.sleep(0.1)  # a file that was put back less than a tick of the clock ago is not kept as known
    assert in_a_process(root, None) == []
    with plant.planted(root, keep_time=keep_time):
        return set(in_a_process(root, plant))


def in_a_process(root: Path, plant: Plant | None) -> list[str]:
    """Asked in a process that forgets what it knew, without the seconds that programs need to start."""
    answer = root.parent / "answer.json"
    child = os.fork()
    if child == 0:
        try:
            os.chdir(root)
            _as_if_the_package_lay_in(root)
            answer.write_text(json.dumps(_asked(root, plant)))
        except BaseException:
            answer.write_text(json.dumps({"failed": traceback.format_exc()}))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found = json.loads(answer.read_text())
    assert isinstance(found, list), found["failed"]
    return found


def _asked(root: Path, plant: Plant | None) -> list[str]:
    step = plant.step if plant else None
    word = plant.found_in(root).name if step else ""
    found = {"verify": _refuses(["verify"], word), "dvc": _dvc(root)}
    if plant:
        found["snakemake"] = _snakemake(root)
        found["step"] = step is not None and _refuses(step.split(), word)
    return [who for who, yes in found.items() if yes]


def _as_if_the_package_lay_in(root: Path) -> None:
    """What looks for the package's own files finds those of the project, in which they are planted."""
    from ncfl.trust import staleness
    from ncfl.weights import shipped

    for module in (staleness, shipped):
        module.__file__ = str(root / Path(module.__file__).relative_to(ROOT))


def _refuses(words: list[str], word: str) -> bool:
    """Whether a command of the program ends with 2 and names what was changed."""
    sys.argv, said, code = ["ncfl", *words], io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return code == 2 and word in said.getvalue()


def _snakemake(root: Path) -> bool:
    """Whether Snakemake would run something, or refuses."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return any(due for _, due in resolved_dag(root, all_jobs=False))
        except (SystemExit, WorkflowError):
            return True


def _dvc(root: Path) -> bool:
    """Whether `dvc status` finds something changed, or says so with what the environment's `dvc` does before."""
    from dvc.repo import Repo

    with contextlib.redirect_stderr(io.StringIO()) as said:
        before_dvc.prepare(["status"])
    with Repo(str(root)) as repo:
        return bool(repo.status()) or "warning: " in said.getvalue()
