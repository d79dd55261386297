"""Being asked to stop where no training is under way."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import jax

from slm_jax.errors import Preempted


@contextlib.contextmanager
def stops_on_sigterm(what: str) -> Iterator[None]:
    """Raises Preempted, naming `what`, when SIGTERM comes where nothing else handles it.

    Training handles it itself and saves its state first. Several processes (jax.distributed) are left to
    JAX, which has them agree on when to stop.
    """
    if jax.distributed.is_initialized() or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_) -> None:
        raise _Stop

    before = signal.signal(signal.SIGTERM, stop)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        yield
    except _Stop:
        raise Preempted(f"{what}: stopped; what was under way will be done again") from None
    finally:
        signal.signal(signal.SIGTERM, before)


class _Stop(BaseException):
    """Not an Exception, which a library may take for its own."""
