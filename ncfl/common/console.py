"""What the program says to people goes to standard error; results that were asked for go to standard output."""

import sys


def say(line: str) -> None:
    """One line for people."""
    print(line, file=sys.stderr, flush=True)
