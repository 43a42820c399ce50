"""What the environment's ``dvc`` does in a project before it is DVC (``tools/dvc``): in milliseconds, so few imports.

Nothing here may keep DVC from its work: where it fails, DVC says what it finds.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.trust import dvc_claim, dvc_waiting, kept_times, unlisted

_OF_NO_RESULTS = ("cache", "completion", "config", "doctor", "init", "install", "remote", "root", "version")
_LOOKS = ("exp", "repro", "status")
_TELLS_ONLY = {"-h", "--help", "-V", "--version"}


def prepare(arguments: Sequence[str]) -> None:
    """In the project that DVC is about to work in: mend what a killed one left half-written, and tell what was made."""
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    if verb == "plots":
        _draw_without_network(Path(sys.prefix, "share/ncfl/dvc"))
    root = _project(arguments)
    if root is None:
        return
    with contextlib.suppress(OSError, InputError), contextlib.chdir(root):
        dvc_claim.mend()
        dvc_waiting.mend()
        if verb and verb not in _OF_NO_RESULTS and not _TELLS_ONLY & {*arguments} and "DVC_STAGE" not in os.environ:
            dvc_waiting.lay_down()
            kept_times.renew()
            if verb in _LOOKS:
                for line in unlisted.changes():
                    say(f"warning: {line}")
        dvc_waiting.keep()


def _draw_without_network(folder: Path) -> None:
    """Let the page of ``tools/plots_page`` be the one that is taken unless people configured another."""
    import platformdirs

    of_the_machine = Path(platformdirs.site_config_dir("dvc", "iterative"), "config")
    if (folder / "plots.html").is_file() and not of_the_machine.exists():
        os.environ.setdefault("DVC_SYSTEM_CONFIG_DIR", str(folder))


def _project(arguments: Sequence[str]) -> Path | None:
    """The folder that DVC takes for the project: the first, from here or from ``--cd`` upwards, that has a ``.dvc``."""
    begin = Path.cwd()
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument == "--cd":
            begin /= following
        elif argument.startswith("--cd="):
            begin /= argument.removeprefix("--cd=")
    begin = begin.resolve()
    return next((folder for folder in (begin, *begin.parents) if (folder / ".dvc").is_dir()), None)
