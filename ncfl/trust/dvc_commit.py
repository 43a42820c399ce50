"""Telling DVC what this project's steps made, and nothing else, so that ``dvc repro`` has nothing to do.

DVC takes checksums of its own of all that it watches, for seconds. So what it was told is noted, and a run that
changed nothing does not ask it again. Where the environment's ``dvc`` is ours, ``dvc.lock`` itself changes only when it
is asked (:mod:`ncfl.trust.dvc_waiting`).
"""

import configparser
import contextlib
import hashlib
import shutil
import subprocess
import time
from pathlib import Path

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.config import graph, layout
from ncfl.config.params import Params
from ncfl.config.reruns import jobs
from ncfl.trust import checksums as kept
from ncfl.trust import dvc_claim, dvc_waiting, engines, step_records
from ncfl.trust.checksums import Checksums

TOLD = Path(".dvc/tmp/ncfl-told")
_PATIENCE = 60.0  # seconds for which another DVC is waited for
# As DVC says it where another one has its lock, or the paths of a stage.
_KEPT_OUT = ("Unable to acquire lock", "is busy, it is being blocked by")
_WATCHED = ("dvc.yaml", "params.yaml", "requirements.lock")
_APART = (kept.FOLDER, step_records.FOLDER / "kept")
_WATCHED_FOLDERS = ("ncfl", "pretrained", step_records.FOLDER)


def tell_dvc(params: Params) -> None:
    """Commit to DVC what this project's steps made; where DVC can't work, say why, since all else does.

    Raises:
        InputError: a file is not what its step made, or nobody knows what made it, or DVC refuses.
    """
    if not Path(".dvc").is_dir() or shutil.which("dvc") is None:
        return
    if reason := why_not():
        say(f"note: DVC is not told of these results: {reason}")
        return
    dvc_claim.let_go()
    if found := engines.changed(params):
        more = f" (and {len(found) - 1} more; `ncfl verify` names them)" if len(found) > 1 else ""
        raise InputError(f"{found[0]}{more}; not committed to DVC; make it again: {found[0].job.command}")
    if _was_told():
        return
    with dvc_waiting.laid_aside() if _dvc_is_ours() else contextlib.nullcontext():
        if subprocess.run(["dvc", "status", "--quiet"], check=False).returncode:
            _commit(params)
    with atomic_path(TOLD) as temporary:
        temporary.write_text(_state(), encoding="utf-8")


def why_not() -> str | None:
    """Why DVC can't work in this folder, and what to do, in a few words; None where it can."""
    if not Path(".git").exists() and not _without_git():
        return "this is no git repository; `git init`, or `dvc config --local core.no_scm true`"
    for folder in (layout.DATA, layout.RESULTS):
        if not folder.resolve().is_relative_to(Path.cwd()):
            return f"{folder} is a link to {folder.resolve()}, outside of the project; mount the disk there instead"
    return None


def _dvc_is_ours() -> bool:
    """Whether whoever types ``dvc`` here starts ``tools/dvc``, which knows that a lock may wait."""
    program = shutil.which("dvc")
    try:
        return program is not None and "before_dvc" in Path(program).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _without_git() -> bool:
    """Whether DVC was configured to do without git."""
    found = configparser.ConfigParser()
    try:
        found.read([".dvc/config", ".dvc/config.local"], encoding="utf-8")
        return found.getboolean("core", "no_scm", fallback=False)
    except (configparser.Error, ValueError, UnicodeDecodeError):
        return False


def _commit(params: Params) -> None:
    with Checksums() as checksums:
        for job in jobs(params).values():
            if not step_records.is_known(job, checksums):
                raise InputError(
                    f"{job.outputs[0]}: no record of what made it, and DVC does not know it; not committed to DVC; "
                    f"make it again: {job.command}"
                )
    # Without --no-relink DVC would write outputs anew from its cache, and Snakemake would find them updated.
    _have_done(["dvc", "commit", "--force", "--no-relink", *_here(params)])


def _have_done(command: list[str]) -> None:
    """Run DVC, and again while another DVC keeps it out, for :data:`_PATIENCE` seconds."""
    until, told = time.monotonic() + _PATIENCE, False
    while True:
        # Not --quiet, which would keep the reason to itself too.
        ended = subprocess.run(
            command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        if not ended.returncode:
            return
        kept_out = any(words in ended.stderr for words in _KEPT_OUT)
        if not kept_out:
            said = ended.stderr.strip().splitlines() or [f"exit {ended.returncode}"]
            raise InputError(f"the results are complete, but `{' '.join(command)}` failed: {said[-1]}")
        if time.monotonic() > until:
            raise InputError(
                f"the results are complete, but DVC is not told of them: another dvc has kept its lock for "
                f"{_PATIENCE:g} s; when it has ended, the same command again goes on from here"
            )
        if not told:
            say(f"another dvc keeps its lock; waiting for it, {_PATIENCE:g} s at most")
            told = True


def _here(params: Params) -> list[str]:
    """The stages whose files are all here, to be named where others' are not (as after a pull); none where all are."""
    every = jobs(params).values()
    gone = {job.command for job in every if not all(path.exists() for path in (*job.inputs, *job.outputs))}
    return [stage for command, stage in graph.stage_names(params).items() if command not in gone] if gone else []


def _was_told() -> bool:
    try:
        return TOLD.read_text(encoding="utf-8") == _state()
    except (OSError, UnicodeDecodeError):
        return False


def _state() -> str:
    """One checksum of all that decides what DVC says: its own records, those of the steps, parameters and sources."""
    digest = hashlib.sha256()
    inside = (path for folder in _WATCHED_FOLDERS for path in step_records.files_of(Path(folder)))
    lock = dvc_waiting.current()
    if lock.is_file():
        digest.update(lock.read_bytes())
    for path in (*map(Path, _WATCHED), *(path for path in inside if path.parent not in _APART)):
        if path.is_file():
            digest.update(f"{path}\n{path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
