"""Exceptions that say in one line what is wrong: with the input, or with what a step came to."""


class InputError(Exception):
    """Bad input: one line that names the file or key, what was found and what is allowed.

    The command line prints it on stderr without a traceback and leaves with exit code 2.
    """


class StepError(Exception):
    """A step came to an end that it can explain in one line, such as a loss that is not finite.

    The command line prints it on stderr without a traceback and leaves with exit code 1.
    """
