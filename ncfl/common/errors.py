"""Exceptions that say in one line what is wrong: with the input, or with what a step came to."""

LONGEST = 1000  # characters of a message


class _OneLine(Exception):
    """A message of one line, which tells the beginning and the end of what is too long to be told."""

    def __str__(self) -> str:
        said = " ".join(super().__str__().split("\n"))
        if len(said) <= LONGEST:
            return said
        half = LONGEST // 2
        return f"{said[:half]} ... ({len(said) - 2 * half} characters more) ... {said[-half:]}"


class InputError(_OneLine):
    """Bad input: one line that names the file or key, what was found and what is allowed.

    The command line prints it on stderr without a traceback and leaves with exit code 2. What was found may be as
    long as whoever wrote the file pleased; the message is not.
    """


class StepError(_OneLine):
    """A step came to an end that it can explain in one line, such as a loss that is not finite.

    The command line prints it on stderr without a traceback and leaves with exit code 1.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the computer, or a device of PyTorch (which need not be imported for that), had too little memory."""
    torch_says = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or torch_says
