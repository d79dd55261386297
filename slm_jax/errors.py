"""The exceptions a user is meant to read: the command line prints their one sentence and no traceback.

The exit code is 1 for what the same command, started again, may get over, and 2 for what would end alike:
launchers do not start that again.
"""


class InputError(ValueError):
    """Bad input from outside: a file, a field or a flag.

    The message names the file, the field and the fix.
    """

    exit_code = 2


class DiskFullError(InputError):
    """No room is left where a file has to be; whatever else writes there will fail alike."""


class WorkError(RuntimeError):
    """Work that failed on good input."""

    exit_code = 1


class Preempted(Exception):
    """The work was asked to stop and has done so, with all it had saved: no failure."""
