"""Checkpoints of a run (Orbax): written in the background, each whole or not there."""

import contextlib
import dataclasses
import errno
import os
import pathlib
import shutil
from collections.abc import Sequence

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, CustomSteps, LatestN

from slm_jax.errors import DiskFullError, WorkError
from slm_jax.files import write_json
from slm_jax.training.agreement import largest
from slm_jax.training.checkpointing.position import Position
from slm_jax.training.checkpointing.seals import UNFINISHED, seal, seal_also
from slm_jax.training.step import TrainState

FOLDER = "checkpoints"
POSITION = "position"
METRICS = "metrics"  # where Orbax keeps what a checkpoint is judged by
VALIDATION_LOSS = "validation_loss"


class Checkpoints:
    """Writes the states of a run, and keeps the newest, those asked for, and the one with the lowest
    validation loss of those that have one.

    A checkpoint's step is the number of updates done.

    Args:
      keep: how many of the newest stay on disk.
      keep_steps: steps whose checkpoints stay on disk.
    """

    def __init__(self, run_dir: str | os.PathLike, keep: int, keep_steps: Sequence[int] = ()):
        folder = pathlib.Path(run_dir).absolute() / FOLDER
        best = BestN(get_metric_fn=_loss, reverse=True, n=1, keep_checkpoints_without_metrics=False)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=AnyPreservationPolicy([LatestN(keep), best, CustomSteps(keep_steps)]),
            cleanup_tmp_directories=True,
            enable_async_checkpointing=True,
            async_options=ocp.AsyncOptions(post_finalization_callback=self._seal),
        )
        self._manager = ocp.CheckpointManager(folder, options=options)
        self._writing: int | None = None
        self._needed = 0

    def save(
        self,
        step: int,
        state: TrainState,
        position: Position | None = None,
        validation_loss: float | None = None,
    ) -> None:
        """Begins to write a state; waits for the one before it to be on disk.

        Here and in `wait` raises DiskFullError where a disk has too little room, and WorkError where a state
        cannot be written for another reason, which may pass.
        """
        self._needed = needed = _bytes(state)
        with self._explained():
            missing = largest(needed - self._free())
        if missing > 0:  # better said before than by every writing thread
            raise self._full(
                f"the disk has {(needed - missing) / 1e6:.1f} MB left of the {needed / 1e6:.1f} MB needed"
            )
        # Orbax saves no empty trees, as the optimizer's of a model that was not trained here.
        filled = {name: value for name, value in state._asdict().items() if jax.tree.leaves(value)}
        items = {name: ocp.args.StandardSave(value) for name, value in filled.items()}
        if position is not None:
            items[POSITION] = ocp.args.JsonSave(dataclasses.asdict(position))
        metrics = None if validation_loss is None else {VALIDATION_LOSS: validation_loss}
        if metrics:
            # Orbax does so itself where it is told what is best, but then warns of every save without.
            items[METRICS] = ocp.args.JsonSave(metrics)
        with self._explained():
            self._manager.wait_until_finished()
            self._writing = step
            self._manager.save(step, args=ocp.args.Composite(**items), metrics=metrics)

    @property
    def latest_step(self) -> int | None:
        """Of the newest checkpoint; None when there is none."""
        return self._manager.latest_step()

    def wait(self) -> None:
        """Until everything is on disk."""
        with self._explained():
            self._manager.wait_until_finished()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        self.wait()
        self._manager.close()

    def _seal(self) -> None:
        """Called by Orbax when all files of a checkpoint are written, before it takes its name."""
        if jax.process_index() == 0:
            for folder in pathlib.Path(self._manager.directory).glob(f"{self._writing}{UNFINISHED}*"):
                seal(folder)

    @contextlib.contextmanager
    def _explained(self):
        """Errors of Tensorstore and of the system, of writes in the background too, as a sentence."""
        try:
            yield
        except (ValueError, OSError) as error:
            if self._means_full(error):
                raise self._full("the disk is full") from None
            raise WorkError(
                f"{self._manager.directory}: the checkpoint could not be written ({first_line(error)}); run "
                "the same command again, which goes on from the one before it"
            ) from None

    def _means_full(self, error: Exception) -> bool:
        if any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            return True
        with contextlib.suppress(OSError):
            return self._free() < self._needed  # Tensorstore may say no more than that it wrote too little
        return False

    def _full(self, reason: str) -> DiskFullError:
        return DiskFullError(
            f"{self._manager.directory}: the checkpoint could not be written ({reason}); make room and run "
            "the same command again"
        )

    def _free(self) -> int:
        return shutil.disk_usage(self._manager.directory).free


def add_validation_loss(run_dir: str | os.PathLike, step: int, validation_loss: float) -> None:
    """Puts a validation loss into a checkpoint that was saved without; the first process alone does."""
    if jax.process_index() == 0:
        folder = pathlib.Path(run_dir) / FOLDER / str(step)
        write_json(folder / METRICS / METRICS, {VALIDATION_LOSS: validation_loss})
        seal_also(folder, folder / METRICS / METRICS)


def _loss(metrics: dict) -> float:
    return metrics[VALIDATION_LOSS]


def _bytes(state: TrainState) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
