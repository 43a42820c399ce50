"""The one exception that says: the input is wrong, not the program."""


class InputError(Exception):
    """Bad input: one line that names the file or key, what was found and what is allowed.

    The command line prints it on stderr without a traceback and leaves with exit code 2.
    """
