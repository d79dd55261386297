"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Bad input from outside: a file, a field or a flag.

    The message is one sentence that names the file, the field and the fix. The command line prints it
    without a traceback and exits with code 2.
    """
