"""Reading checkpoints back: the newest that is whole, laid out for any mesh, whatever mesh wrote it."""

import os
import pathlib
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import jax
import orbax.checkpoint as ocp
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import Transformer, make_mesh, parameter_shardings
from slm_jax.training.agreement import as_the_first_sees, failure_of_any
from slm_jax.training.checkpointing.checkpoints import FOLDER, METRICS, POSITION, VALIDATION_LOSS, first_line
from slm_jax.training.checkpointing.position import Position
from slm_jax.training.checkpointing.seals import find_damage
from slm_jax.training.run_folder import read_run_config
from slm_jax.training.step import Program, TrainState, abstract_model, assemble

SET_ASIDE = "damaged_checkpoints"
Made = TypeVar("Made")


class Restored(NamedTuple):
    """A state and its place in the run; without a place when an older version wrote it."""

    step: int
    state: TrainState
    position: Position | None


def restore_newest(run_dir: pathlib.Path, program: Program) -> Restored | None:
    """The newest checkpoint that is whole, of all processes alike; None if the run has none.

    Those after it are damaged: they are moved to the run's folder `damaged_checkpoints` with a warning, and
    so are older ones that would not let a run go on. When all are, nothing is moved, and InputError raised.
    """
    steps = as_the_first_sees(lambda: saved_steps(run_dir))
    found = _newest_whole(run_dir, steps, lambda folder: restore_state(folder, program))
    if found is None:
        return None
    step, restored = found
    for other in steps:
        # Orbax opens a folder of checkpoints by reading what each is judged by.
        if other > step or find_damage(run_dir.absolute() / FOLDER / str(other), items=(METRICS,)):
            _set_aside(run_dir, other)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("damaged checkpoints set aside")
    return restored


def restore_state(folder: pathlib.Path, program: Program) -> Restored:
    """The state of one checkpoint; raises what Orbax raises for one that cannot be read."""
    target = _with_shardings(program.state_shapes, program.state_shardings)
    items = {name: ocp.args.StandardRestore(value) for name, value in target._asdict().items()}
    if (folder / POSITION).exists():
        items[POSITION] = ocp.args.JsonRestore()
    restored = _read(folder, items)
    position = Position(**restored[POSITION]) if POSITION in items else None
    return Restored(int(folder.name), TrainState(restored["params"], restored["optimizer"]), position)


def load_model(
    run_dir: str | os.PathLike, mesh: Mesh | None = None, which: str | int = "latest"
) -> tuple[Transformer, int]:
    """The model of a run, and the step of the checkpoint it is from.

    `which` is "latest", "best" (lowest validation loss of the run's validate_every) or a step. Where the
    latest or the best is damaged the next one is taken, with a warning. Only parameters are read. Without a
    mesh the model is put on the first device. Raises InputError when there is no such checkpoint.
    """
    run_dir = pathlib.Path(run_dir)
    mesh = make_mesh(devices=jax.devices()[:1]) if mesh is None else mesh
    _, config, _ = read_run_config(run_dir)
    graph, shapes = abstract_model(config)
    target = nnx.to_pure_dict(_with_shardings(shapes, parameter_shardings(shapes, mesh)))

    def read(folder: pathlib.Path) -> dict:
        return _read(folder, {"params": ocp.args.StandardRestore(target)})["params"]

    steps = as_the_first_sees(lambda: _candidates(run_dir, which))
    step, params = _newest_whole(run_dir, steps, read, items=("params",))
    return assemble(graph, shapes, params), step


def saved_steps(run_dir: str | os.PathLike) -> list[int]:
    """Steps of the checkpoints on disk, newest first."""
    folder = pathlib.Path(run_dir) / FOLDER
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted((int(name) for name in names if name.isdigit()), reverse=True)


def validation_losses(run_dir: str | os.PathLike) -> dict[int, float]:
    """Of the checkpoints on disk that were saved with one, by step."""
    folder = pathlib.Path(run_dir) / FOLDER
    paths = {step: folder / str(step) / METRICS / METRICS for step in saved_steps(run_dir)}
    return {step: read_json(path)[VALIDATION_LOSS] for step, path in paths.items() if path.exists()}


def _candidates(run_dir: pathlib.Path, which: str | int) -> list[int]:
    """Steps to try, in order."""
    steps = saved_steps(run_dir)
    if not steps:
        raise InputError(f"{run_dir}: has no checkpoint; train it first with slm train --workdir={run_dir}")
    if which == "latest":
        return steps
    if which == "best":
        losses = validation_losses(run_dir)
        if not losses:
            raise InputError(
                f"{run_dir}: no checkpoint has a validation loss, so none is the best; train with "
                "config.validate_every, or take the latest"
            )
        return sorted(losses, key=losses.get)
    if which not in steps:
        raise InputError(
            f"{run_dir}: has no checkpoint of step {which!r}; there are {', '.join(map(str, sorted(steps)))}"
        )
    return [which]


def _newest_whole(
    run_dir: pathlib.Path,
    steps: Iterable[int],
    read: Callable[[pathlib.Path], object],
    items: tuple[str, ...] | None = None,
):
    """The first of `steps` whose checkpoint all processes can read, and what `read` makes of it; None without
    steps.
    """
    damage = ""
    for step in steps:
        folder = pathlib.Path(run_dir).absolute() / FOLDER / str(step)
        made, reason = read_if_whole(folder, read, items)
        if reason is None:
            return step, made
        damage = f"{folder}: the checkpoint cannot be read ({reason})"
        print(f"warning: {damage}", file=sys.stderr)
    if damage:
        raise InputError(f"{damage}, and neither can those before it; restore the folder, or start over")
    return None


def read_if_whole(
    folder: pathlib.Path, read: Callable[[pathlib.Path], Made], items: tuple[str, ...] | None = None
) -> tuple[Made | None, str | None]:
    """What `read` makes of a checkpoint; or why it cannot be used, which all processes find alike."""
    made, reason = None, find_damage(folder, items)
    if reason is None:
        try:
            made = read(folder)
        except (ValueError, OSError, KeyError) as error:
            reason = first_line(error)
        reason = failure_of_any(reason)
    return made, reason


def _read(folder: pathlib.Path, items: dict):
    # The handler alone: a Checkpointer would wait for the other processes, also for one that could not read.
    handler = ocp.CompositeCheckpointHandler()
    try:
        return handler.restore(folder, args=ocp.args.Composite(**items))
    finally:
        handler.close()


def _set_aside(run_dir: pathlib.Path, step: int) -> None:
    if jax.process_index() != 0:
        return
    place, copies = run_dir / SET_ASIDE / str(step), 1
    while place.exists():  # a step that was made again, and damaged again
        copies += 1
        place = place.with_name(f"{step}-{copies}")
    place.parent.mkdir(exist_ok=True)
    (run_dir / FOLDER / str(step)).rename(place)
    print(f"warning: the damaged checkpoint of step {step} is now in {place}", file=sys.stderr)


def _with_shardings(shapes, shardings):
    return jax.tree.map(
        lambda s, sharding: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=sharding), shapes, shardings
    )
