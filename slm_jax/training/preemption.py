"""Being asked to stop: SIGTERM, as machines send it that are about to be taken away, and Ctrl-C once."""

import itertools
import signal
import threading
from collections.abc import Callable

import jax
from jax.experimental import multihost_utils

# Of the updates of all runs of a process, as a study's worker has: JAX agrees on a number to stop after, so
# they must never go back.
_NUMBERS = itertools.count(1)


class Preemption:
    """A context in which SIGTERM and the first Ctrl-C are noted, for the loop to stop after an update.

    Of several processes (jax.distributed) any one's SIGTERM stops all of them after the same update: JAX's
    coordination service catches the signal and agrees on the step, so that no handler is set here.
    """

    def __init__(self):
        self._noted = self._interrupts = False
        self._several = jax.process_count() > 1
        self._handlers = {}

    def reached(self) -> bool:
        """Whether to stop after this update; every process calls it after every update of every run."""
        if self._several:
            return multihost_utils.reached_preemption_sync_point(next(_NUMBERS))
        return self._noted

    def unless_asked(self, work: Callable, *arguments):
        """What `work` returns, which has no state to lose; None where a signal to a single process has come
        before it, or ends it at once.
        """
        try:
            self._interrupts = True
            return None if self._noted else work(*arguments)
        except _Now:
            return None
        finally:
            self._interrupts = False

    def __enter__(self) -> "Preemption":
        if not self._several and threading.current_thread() is threading.main_thread():
            for name in (signal.SIGTERM, signal.SIGINT):
                self._handlers[name] = signal.signal(name, self._note)
        return self

    def __exit__(self, *_) -> None:
        self._restore_handlers()

    def _note(self, *_) -> None:
        self._restore_handlers()  # so that a second one ends the process as ever
        self._noted = True
        if self._interrupts:
            raise _Now

    def _restore_handlers(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())


class _Now(BaseException):
    """Ends work from the signal's handler."""
