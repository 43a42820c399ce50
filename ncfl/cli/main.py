"""The command line: thin, and quick to start, because every verb imports what it needs when it runs."""

import errno
import os
import sys

from ncfl.cli import configuring, looking, running, videos
from ncfl.cli.app import app
from ncfl.common.console import say
from ncfl.common.environment import refuse_a_copied_one
from ncfl.common.errors import InputError, StepError, is_out_of_memory
from ncfl.common.files import FULL, UNWRITABLE

# What no program can mend: a full disk, a place where nothing may be written, a failing disk, too many open files.
OF_THE_MACHINE = (*FULL, *UNWRITABLE, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

__all__ = ["app", "configuring", "looking", "main", "running", "videos"]


def main() -> None:
    """Run the command line; bad input is one line on standard error and exit code 2."""
    try:
        refuse_a_copied_one()
        app()
    except InputError as error:
        say(f"ncfl: {error}")
        sys.exit(2)
    except (StepError, FloatingPointError) as error:
        say(f"ncfl: {error}")
        sys.exit(1)
    except (RuntimeError, MemoryError) as error:  # trainings say themselves which of their numbers are too large
        if not is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or ["MemoryError"])[0][:200]
        say(
            f"ncfl: out of memory ({reason}); on a GPU: machine.device: cpu in params.yaml, or --device cpu, "
            "takes the computer's own; else smaller frames, or fewer steps at once (snakemake --cores 1)"
        )
        sys.exit(1)
    except ModuleNotFoundError as error:
        needed = (error.name or "").partition(".")[0]
        if not needed or needed == "ncfl":
            raise
        say(f"ncfl: {needed} is not installed; what the pipeline's verbs need comes with: pip install 'ncfl[pipeline]'")
        sys.exit(2)
    except BrokenPipeError:  # `ncfl ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        say(f"ncfl: {error.filename or 'a file'}: {error.strerror}")
        sys.exit(2)


if __name__ == "__main__":
    main()
