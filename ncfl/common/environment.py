"""Whether a program runs in the environment that it lies in."""

import sys
from pathlib import Path

from ncfl.common.errors import InputError


def refuse_a_copied_one(program: Path | None = None, prefix: Path | None = None) -> None:
    """End a program of a copied environment: its first line names the Python of the original, and runs the code there.

    Args:
        program: the file that was started; default: what this process says.
        prefix: the environment that runs; default: this process's.

    Raises:
        InputError: names both environments, and says what to do.
    """
    folder = Path(program or sys.argv[0]).absolute().parent.parent
    runs = Path(prefix or sys.prefix)
    if (folder / "pyvenv.cfg").is_file() and folder.resolve() != runs.resolve():
        raise InputError(
            f"{folder} is a copy of the environment {runs} and would run the code there; "
            f"in {folder.parent}: rm -rf {folder.name}, then make again"
        )
