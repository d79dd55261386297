"""The exceptions a user is meant to read: the command line prints their one sentence and no traceback."""


class InputError(ValueError):
    """Bad input from outside: a file, a field or a flag.

    The message names the file, the field and the fix. The exit code is 2.
    """


class DiskFullError(InputError):
    """No room is left where a file has to be; whatever else writes there will fail alike."""


class WorkError(RuntimeError):
    """Work that failed on good input, as a run that diverged. The exit code is 1."""


class Preempted(Exception):
    """The work was asked to stop and has done so, with all it had saved: no failure."""
