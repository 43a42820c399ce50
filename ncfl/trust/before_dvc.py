"""What the environment's ``dvc`` does in a project before it is DVC (``tools/dvc``): in milliseconds, so few imports.

Nothing here may keep DVC from its work: where it fails, DVC says what it finds.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from ncfl.common.errors import InputError
from ncfl.trust import dvc_claim


def prepare(arguments: Sequence[str]) -> None:
    """Mend what a killed DVC left half-written in the project that DVC is about to work in."""
    root = _project(arguments)
    if root is None:
        return
    with contextlib.suppress(OSError, InputError), contextlib.chdir(root):
        dvc_claim.mend()


def _project(arguments: Sequence[str]) -> Path | None:
    """The folder that DVC takes for the project: the first, from here or from ``--cd`` upwards, that has a ``.dvc``."""
    begin = Path.cwd()
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--cd":
            begin /= following
        elif argument.startswith("--cd="):
            begin /= argument.removeprefix("--cd=")
    begin = begin.resolve()
    return next((folder for folder in (begin, *begin.parents) if (folder / ".dvc").is_dir()), None)
