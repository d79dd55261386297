"""What the updates since the last row of metrics came to, and where the time went."""

import collections
import contextlib
import time
from collections.abc import Iterator

import jax
import numpy as np

from slm_jax.errors import WorkError
from slm_jax.training.checkpointing.position import Position
from slm_jax.training.step import Metrics

# Updates sent off before the one whose result is waited for: enough to keep a device busy, few enough to stop
# soon after a signal.
AHEAD = 2
REPORTED = ("loss", "grad_norm", "update_norm", "targets")
PARTS = ("data", "compute", "compile", "checkpoint", "validation")


class TrainingDiverged(WorkError):
    """The loss or the gradient is not a finite number; the last checkpoint is from before it.

    From there the same updates would lead to the same number again.
    """

    exit_code = 2


class Meter:
    """Collects the metrics of updates, read when they are long done, and the seconds spent on each part.

    Args:
      position: where the run goes on from, with what was collected there.
      may_skip: updates that may be left out, as not finite, in the whole run.
    """

    def __init__(self, position: Position, may_skip: int):
        self.skipped, self._may_skip = position.skipped_updates, may_skip
        self.seconds = dict.fromkeys(PARTS, 0.0) | position.seconds
        self.columns = {name: list(position.pending.get(name, ())) for name in REPORTED}
        self._sent: collections.deque[tuple[int, Metrics]] = collections.deque()

    @contextlib.contextmanager
    def spending(self, part: str) -> Iterator[None]:
        """Counts the block's time for one of PARTS."""
        started = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - started

    def sent(self, step: int, metrics: Metrics) -> None:
        """Takes what an update just sent off will report; waits for the one AHEAD of it."""
        self._sent.append((step, metrics))
        if len(self._sent) > AHEAD:
            self._sent[-1 - AHEAD][1].loss.block_until_ready()

    def read(self, last_checkpoint: int | None) -> None:
        """Waits for all updates sent off and takes in their metrics.

        Raises TrainingDiverged when more updates than allowed were not finite.
        """
        for step, metrics in jax.device_get(list(self._sent)):
            values = {name: float(getattr(metrics, name)) for name in REPORTED}
            if np.isfinite(list(values.values())).all():
                for name, value in values.items():
                    self.columns[name].append(value)
            else:
                self.skipped += 1
                # An update that was not finite though its gradient was has been made, and not skipped.
                was_made = np.isfinite([values["loss"], values["grad_norm"]]).all()
                if was_made or self.skipped > self._may_skip:
                    raise TrainingDiverged(self._explain(step, values, last_checkpoint))
        self._sent.clear()

    def take(self) -> tuple[int, dict[str, float], dict[str, float]]:
        """Number of the updates read, means of their metrics (that of the loss over targets), and seconds;
        begins anew.
        """
        columns, seconds = self.columns, self.seconds
        self.columns = {name: [] for name in REPORTED}
        self.seconds = dict.fromkeys(PARTS, 0.0)
        targets = columns.pop("targets")
        means = {name: float(np.mean(column)) for name, column in columns.items() if column}
        if targets:
            means["loss"] = float(np.average(columns["loss"], weights=targets))
        return len(targets), means, seconds

    def _explain(self, step: int, values: dict[str, float], last_checkpoint: int | None) -> str:
        skipped = f"after {self._may_skip} skipped updates, " if self._may_skip else ""
        last = "none yet" if last_checkpoint is None else f"of step {last_checkpoint}"
        return (
            f"{skipped}the loss is {values['loss']} and the gradient's norm {values['grad_norm']} at step "
            f"{step}; the last good checkpoint is {last}; let some updates be left out with "
            "config.skip_updates, or lower optimizer.peak_rate or .clip in another --workdir"
        )
