"""A training run, top to bottom: from a config and a folder to a trained model and its summary."""

import dataclasses
import os
import pathlib
import sys
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from slm_jax.data import TrainingRows, UnitDataset
from slm_jax.errors import Preempted
from slm_jax.files import read_json, write_json
from slm_jax.model import TransformerConfig, make_mesh
from slm_jax.training.agreement import as_the_first_sees
from slm_jax.training.batch import check_batch
from slm_jax.training.branch import branch_off, branch_steps, check_trunk, shared_steps
from slm_jax.training.checkpointing.checkpoints import Checkpoints
from slm_jax.training.checkpointing.position import Position
from slm_jax.training.checkpointing.restore import Restored, restore_newest, validation_losses
from slm_jax.training.config import TrainConfig
from slm_jax.training.preemption import Preemption
from slm_jax.training.reporting.meter import Meter
from slm_jax.training.reporting.metrics import read_metrics
from slm_jax.training.reporting.report import Report
from slm_jax.training.reporting.starts import count_restarts
from slm_jax.training.reporting.summary import summarize
from slm_jax.training.reporting.trace import Trace
from slm_jax.training.reporting.wandb_log import check_wandb
from slm_jax.training.run_folder import CONFIG, SUMMARY, claim, identity
from slm_jax.training.schedule import learning_rate
from slm_jax.training.step import TrainState, program
from slm_jax.training.validation import Validation
from slm_jax.versions import versions

MANY_EPOCHS = 4


class Run(NamedTuple):
    """What a run is made of, opened and checked."""

    config: TrainConfig
    dir: pathlib.Path
    datasets: list[UnitDataset]
    rows: TrainingRows
    model: TransformerConfig
    mesh: Mesh
    validation: Validation
    branch_steps: list[int]


def train(config: TrainConfig, run_dir: str | os.PathLike, profile: tuple[int, int] | None = None) -> dict:
    """Trains to the end, from the newest checkpoint in `run_dir` if there is one; returns the summary.

    With several processes (jax.distributed) each calls this with the same arguments and a folder all of them
    see; the first writes what is not a checkpoint. `profile` names the first and the last update (from 1) to
    trace into the run's folder `profile`.

    Raises InputError for data, mesh, batch or trunk that do not fit, or a folder that holds another run;
    TrainingDiverged, naming the step, when the loss is no longer finite; and Preempted when SIGTERM or Ctrl-C
    asked it to stop and the state is saved.
    """
    run = _open(config, pathlib.Path(run_dir))
    path = run.dir / SUMMARY
    done = as_the_first_sees(lambda: read_json(path) if path.exists() else None)
    if done is not None:
        return done
    _warn_of_data(run)
    with Preemption() as preemption:
        compiled = program(
            run.model,
            config.optimizer,
            run.mesh,
            micro_batch=config.micro_batch,
            z_loss=config.z_loss,
            skip_bad=config.skip_updates > 0,
        )
        start = restore_newest(run.dir, compiled) or branch_off(config, compiled)
        start = start or Restored(0, compiled.initialize(config.seed), None)
        model = compiled.model_of(_update_to_the_end(run, compiled, start, preemption, profile))
        heldout = preemption.unless_asked(run.validation.final, run.dir, model)
        if heldout is None:
            raise Preempted(f"{run.dir}: stopped after the last update, before its validation")
    return as_the_first_sees(lambda: _write_summary(run, heldout))


def _open(config: TrainConfig, run_dir: pathlib.Path) -> Run:
    check_wandb(config.wandb)
    datasets = [UnitDataset(path) for path in (config.data.path, *config.data.also)]
    rows = TrainingRows(
        datasets,
        config.data.split,
        context=config.context,
        packing=config.data.packing,
        weights=config.data.weights,
        seed=config.seed,
    )
    model = TransformerConfig(vocab_size=datasets[0].vocab_size, **dataclasses.asdict(config.model))
    mesh = make_mesh(dataclasses.asdict(config.mesh))
    check_batch(config.batch_size, config.context, mesh)
    kept = branch_steps(config)
    if config.trunk and not (run_dir / CONFIG).exists():
        check_trunk(config, model, identity(datasets))
    claim(run_dir, config, model, identity(datasets))
    return Run(config, run_dir, datasets, rows, model, mesh, Validation(config, datasets[0], mesh), kept)


def _update_to_the_end(
    run: Run, compiled, start: Restored, preemption: Preemption, profile: tuple[int, int] | None
) -> TrainState:
    """Every update from `start` on, with its metrics, validations and checkpoints; returns the last state."""
    config, state = run.config, start.state
    position = start.position or _position(run, start.step)
    _position(run, start.step).check(position, run.dir)
    meter = Meter(position, config.skip_updates)
    rates = np.asarray(learning_rate(config.optimizer, config.steps)(np.arange(config.steps)))
    validates = config.validate_every > 0 and run.validation.is_possible
    if position.validation_due:
        with meter.spending("validation"):
            made_up = run.validation.make_up(run.dir, start.step, compiled.model_of(state), preemption)
    batches = run.rows.batches(
        config.batch_size, first_step=start.step, host=jax.process_index(), hosts=jax.process_count()
    )
    with (
        Checkpoints(run.dir, config.keep_checkpoints, run.branch_steps) as checkpoints,
        Report(run.dir, config, run.model, position) as report,
        Trace(run.dir / "profile", profile, start.step, config.steps) as trace,
    ):
        if position.validation_due:
            report.write(start.step, float(rates[start.step - 1]), meter, made_up)
        for step in range(start.step + 1, config.steps + 1):
            with meter.spending("data"):
                tokens_BxT = jax.make_array_from_process_local_data(compiled.batch_sharding, next(batches))
            first = step == start.step + 1
            with meter.spending("compile" if first else "compute"), trace.update(step):
                state, metrics = compiled.update(state, tokens_BxT, rates[step - 1])
                meter.sent(step, metrics)
            trace.stop(step, metrics.loss)

            stopping, last = preemption.reached(), step == config.steps
            validating = validates and _due(step, config.validate_every, last)
            writing = validating or _due(step, config.log_every, last)
            saving = (
                validating
                or stopping
                or step in run.branch_steps
                or _due(step, config.checkpoint_every, last)
            )
            if writing or saving:
                with meter.spending("compute"):
                    meter.read(checkpoints.latest_step)
            validation_loss = None
            if validating and not stopping:
                with meter.spending("validation"):
                    validation_loss = preemption.unless_asked(run.validation.loss, compiled.model_of(state))
                stopping = validation_loss is None
            missed = validating and stopping
            if writing and not missed:
                report.write(step, float(rates[step - 1]), meter, validation_loss)
            if saving:
                with meter.spending("checkpoint"):
                    checkpoints.save(step, state, _position(run, step, meter, missed), validation_loss)
            if stopping:
                checkpoints.wait()
                raise Preempted(f"{run.dir}: stopped and saved at step {step} of {config.steps}")
            report.advance()
    return state


def _due(step: int, every: int, last: bool) -> bool:
    return last or step % every == 0


def _position(run: Run, step: int, meter: Meter | None = None, missed: bool = False) -> Position:
    config = run.config
    position = Position(step, step * config.batch_size, config.seed, identity(run.datasets))
    if meter is None:
        return position
    return dataclasses.replace(
        position,
        skipped_updates=meter.skipped,
        pending=meter.columns,
        seconds=meter.seconds,
        validation_due=missed,
    )


def _write_summary(run: Run, heldout: dict) -> dict:
    config = run.config
    summary = summarize(config, run.model, run.rows, read_metrics(run.dir)) | heldout
    losses = validation_losses(run.dir)
    if losses:
        summary["best_step"] = min(losses, key=losses.get)
    if config.trunk:
        summary |= {"trunk": config.trunk, "shared_steps": shared_steps(config)}
    summary |= {"restarts": count_restarts(run.dir), "data": identity(run.datasets), "versions": versions()}
    write_json(run.dir / SUMMARY, summary)
    return summary


def _warn_of_data(run: Run) -> None:
    config, tokens = run.config, run.rows.tokens
    epochs = config.tokens / tokens
    if epochs > MANY_EPOCHS:
        print(
            f"warning: {epochs:.0f} passes over {tokens:,} tokens; beyond {MANY_EPOCHS}, repeated "
            "tokens teach ever less (Muennighoff et al. 2023): use more audio or fewer config.tokens",
            file=sys.stderr,
        )
    if not run.validation.is_possible:
        print(
            f"warning: {config.data.path} has no split {config.data.validation_split!r}, so there will be no "
            "validation loss: use more audio, or give recordings a split in their manifest",
            file=sys.stderr,
        )
