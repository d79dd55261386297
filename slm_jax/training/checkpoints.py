"""Checkpoints of a run (Orbax), and the model of a run for others to use."""

import contextlib
import os
import pathlib
import shutil

import jax
import orbax.checkpoint as ocp
from flax import nnx
from jax.sharding import Mesh

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import Transformer, TransformerConfig, make_mesh, parameter_shardings
from slm_jax.training.config import TrainConfig, parse_config
from slm_jax.training.step import Program, TrainState, abstract_model, assemble

FOLDER = "checkpoints"
CONFIG = "config.json"


class Checkpoints:
    """The newest states of a run, written in the background, each whole or not there.

    A checkpoint's step is the number of updates done, which is also the position in the data.
    """

    def __init__(self, run_dir: str | os.PathLike, keep: int):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True)
        self._manager = ocp.CheckpointManager(pathlib.Path(run_dir).absolute() / FOLDER, options=options)

    def save(self, step: int, state: TrainState) -> None:
        needed, free = _bytes(state), shutil.disk_usage(self._manager.directory).free
        if free < needed:  # better said before than by every writing thread
            raise self._unwritten(
                f"the disk has {free / 1e6:.1f} MB left of the {needed / 1e6:.1f} MB needed"
            )
        # Orbax saves no empty trees, as the optimizer's of a model that was not trained here.
        filled = {name: value for name, value in state._asdict().items() if jax.tree.leaves(value)}
        items = {name: ocp.args.StandardSave(value) for name, value in filled.items()}
        with self._explained():
            self._manager.save(step, args=ocp.args.Composite(**items))

    def restore(self, program: Program) -> tuple[int, TrainState] | None:
        """The newest state, laid out for the program's mesh whatever mesh saved it; None if there is none."""
        step = self.latest_step
        if step is None:
            return None
        target = _with_shardings(program.state_shapes, program.state_shardings)
        items = {name: ocp.args.StandardRestore(value) for name, value in target._asdict().items()}
        restored = _restore(self._manager, step, items)
        return step, TrainState(restored["params"], restored["optimizer"])

    @property
    def latest_step(self) -> int | None:
        """Of the newest checkpoint; None when there is none."""
        return self._manager.latest_step()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        """Waits until everything is on disk."""
        with self._explained():
            self._manager.wait_until_finished()
        self._manager.close()

    @contextlib.contextmanager
    def _explained(self):
        """Tensorstore's errors, of writes in the background too, as a sentence."""
        try:
            yield
        except ValueError as error:
            reason = "the disk is full" if "No space left" in str(error) else _first_line(error)
            raise self._unwritten(reason) from None

    def _unwritten(self, reason: str) -> InputError:
        return InputError(
            f"{self._manager.directory}: the checkpoint could not be written ({reason}); make room and run "
            "the same command again"
        )


def read_run_config(run_dir: str | os.PathLike) -> tuple[TrainConfig, TransformerConfig, dict]:
    """The configs a run was started with, and the fingerprints of its data and tokenizer."""
    path = pathlib.Path(run_dir) / CONFIG
    if not path.exists():
        raise InputError(f"{run_dir}: is not a folder made by slm train (it has no {CONFIG})")
    content = read_json(path)
    try:
        return parse_config(content["train"]), TransformerConfig(**content["model"]), content["data"]
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the config of a run ({error}); give a folder made by slm train"
        ) from None


def load_model(run_dir: str | os.PathLike, mesh: Mesh | None = None) -> tuple[Transformer, int]:
    """The model of a run at its newest checkpoint, and that checkpoint's step.

    Only parameters are read. Without a mesh the model is put on the first device. Raises InputError when the
    run has no checkpoint.
    """
    mesh = make_mesh(devices=jax.devices()[:1]) if mesh is None else mesh
    _, config, _ = read_run_config(run_dir)
    folder = pathlib.Path(run_dir).absolute() / FOLDER
    with ocp.CheckpointManager(folder, options=ocp.CheckpointManagerOptions(read_only=True)) as manager:
        step = manager.latest_step() if folder.is_dir() else None
        if step is None:
            raise InputError(
                f"{run_dir}: has no checkpoint; train it first with slm train --workdir={run_dir}"
            )
        graph, shapes = abstract_model(config)
        target = nnx.to_pure_dict(_with_shardings(shapes, parameter_shardings(shapes, mesh)))
        restored = _restore(manager, step, {"params": ocp.args.StandardRestore(target)})
    return assemble(graph, shapes, restored["params"]), step


def _restore(manager: ocp.CheckpointManager, step: int, items: dict):
    try:
        return manager.restore(step, args=ocp.args.Composite(**items))
    except (ValueError, FileNotFoundError, KeyError) as error:
        raise InputError(
            f"{manager.directory / str(step)}: the checkpoint cannot be read ({_first_line(error)}); remove "
            "that folder to go on from the one before it"
        ) from None


def _bytes(state: TrainState) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(state))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _with_shardings(shapes, shardings):
    return jax.tree.map(
        lambda s, sharding: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=sharding), shapes, shardings
    )
