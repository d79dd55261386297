"""A profile of some updates, for XProf and TensorBoard."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator

import jax

from slm_jax.errors import InputError


class Trace:
    """Writes jax.profiler's trace of updates first .. last (from 1) of a run to a folder; of none without."""

    def __init__(self, folder: pathlib.Path, updates: tuple[int, int] | None, first_step: int, steps: int):
        self._folder, self._updates, self._running = folder, updates, False
        if updates is None:
            return
        if not 1 <= updates[0] <= updates[1] or updates[0] > steps:
            raise InputError(
                f"--profile {updates[0]}:{updates[1]}: give the first and the last update to trace, of "
                f"1..{steps}"
            )
        if updates[0] <= first_step:
            print(
                f"warning: no profile, as the run goes on from update {first_step}; for one, give later "
                "updates to --profile",
                file=sys.stderr,
            )
            self._updates = None

    @contextlib.contextmanager
    def update(self, step: int) -> Iterator[None]:
        """Around the sending off of one update."""
        if self._updates is None:
            yield
            return
        if step == self._updates[0]:
            jax.profiler.start_trace(self._folder)
            self._running = True
        with jax.profiler.StepTraceAnnotation("update", step_num=step) if self._running else _NOTHING:
            yield

    def stop(self, step: int, result: jax.Array) -> None:
        """After an update with the result `result`: waits for it and ends the trace if it was the last."""
        if self._running and step >= self._updates[1]:
            jax.block_until_ready(result)
            self._end()

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_) -> None:
        if self._running:
            self._end()

    def _end(self) -> None:
        jax.profiler.stop_trace()
        self._running = False


_NOTHING = contextlib.nullcontext()
