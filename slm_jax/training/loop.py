"""A training run, top to bottom: from a config and a folder to a trained model and its summary."""

import dataclasses
import math
import os
import pathlib
import sys
import time

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from slm_jax.data import UnitDataset, Windows, training_batches
from slm_jax.errors import InputError, WorkError
from slm_jax.files import is_empty, read_json, write_json
from slm_jax.model import (
    Transformer,
    TransformerConfig,
    count_active_parameters,
    count_parameters,
    make_mesh,
)
from slm_jax.progress import progress
from slm_jax.training.checkpoints import CONFIG, Checkpoints, read_run_config
from slm_jax.training.config import TrainConfig
from slm_jax.training.heldout import heldout_loss
from slm_jax.training.metrics import MetricsLog, model_flops_utilization, read_metrics, training_flops
from slm_jax.training.schedule import learning_rate
from slm_jax.training.step import Metrics, Program, TrainState, program
from slm_jax.versions import versions

SUMMARY = "summary.json"
MANY_EPOCHS = 4
# Settings that do not decide the losses of a run, but for rounding: it may go on with others.
FREE = tuple(
    f"train.{name}"
    for name in ("name", "data.path", "mesh", "log_every", "checkpoint_every", "keep_checkpoints")
)


class TrainingDiverged(WorkError):
    """The loss or the gradient is not a finite number; the last checkpoint is from before it."""


def train(config: TrainConfig, run_dir: str | os.PathLike) -> dict:
    """Trains to the end, from the newest checkpoint in `run_dir` if there is one; returns the summary.

    With several processes (jax.distributed) each calls this with the same arguments and a folder all of them
    see; the first writes what is not a checkpoint.

    Raises InputError for data, mesh or batch that do not fit, or a folder that holds another run, and
    TrainingDiverged, naming the step, when the loss is no longer finite.
    """
    run_dir = pathlib.Path(run_dir)
    dataset = UnitDataset(config.data.path)
    windows = Windows(dataset, config.data.split, config.context)
    model = TransformerConfig(vocab_size=dataset.vocab_size, **dataclasses.asdict(config.model))
    mesh = make_mesh(dataclasses.asdict(config.mesh))
    check_batch(config.batch_size, mesh)
    _claim(run_dir, config, model, dataset)
    if (run_dir / SUMMARY).exists():
        return read_json(run_dir / SUMMARY)

    _warn_of_data(config, windows)
    compiled = program(model, config.optimizer, mesh)
    with Checkpoints(run_dir, config.keep_checkpoints) as checkpoints:
        first_step, state = checkpoints.restore(compiled) or (0, compiled.initialize(config.seed))
        with MetricsLog(run_dir, first_step) as log:
            state = _update_to_the_end(config, compiled, state, first_step, windows, checkpoints, log)
    heldout = _heldout(config, compiled.model_of(state), dataset, mesh)
    if jax.process_index() == 0:
        summary = _summarize(config, model, windows, read_metrics(run_dir)) | heldout
        write_json(run_dir / SUMMARY, summary | {"data": _identity(dataset), "versions": versions()})
    multihost_utils.sync_global_devices("summary written")
    return read_json(run_dir / SUMMARY)


def _update_to_the_end(
    config: TrainConfig,
    compiled: Program,
    state: TrainState,
    first_step: int,
    windows: Windows,
    checkpoints: Checkpoints,
    log: MetricsLog,
) -> TrainState:
    rates = np.asarray(learning_rate(config.optimizer, config.steps)(np.arange(config.steps)))
    batches = training_batches(
        windows,
        batch_size=config.batch_size,
        seed=config.seed,
        first_step=first_step,
        host=jax.process_index(),
        hosts=jax.process_count(),
    )
    pending, interval_start = [], time.perf_counter()
    with progress(total=config.steps, initial=first_step, desc=config.name or "training", unit="step") as bar:
        for step in range(first_step + 1, config.steps + 1):
            tokens_BxT = jax.make_array_from_process_local_data(compiled.batch_sharding, next(batches))
            state, metrics = compiled.update(state, tokens_BxT, rates[step - 1])
            pending.append(metrics)
            bar.update()
            save = step % config.checkpoint_every == 0 or step == config.steps
            if save or step % config.log_every == 0:
                # Fetching waits for the device, so that a step's metrics are read long after it was sent off.
                means = {name: float(np.mean(column)) for name, column in _columns(pending).items()}
                _check_finite(means, step, checkpoints)
                now = time.perf_counter()
                speed = len(pending) * config.tokens_per_step / (now - interval_start)
                log.write(
                    {
                        "step": step,
                        "tokens": step * config.tokens_per_step,
                        "learning_rate": float(rates[step - 1]),
                        **means,
                        "tokens_per_second": speed,
                    }
                )
                bar.set_postfix_str(f"loss {means['loss']:.3f}, {speed:,.0f} tokens/s", refresh=False)
                pending, interval_start = [], now
            if save:
                checkpoints.save(step, state)
    return state


def _heldout(config: TrainConfig, model: Transformer, dataset: UnitDataset, mesh: Mesh) -> dict:
    """Upstream loss on the validation split; None where the dataset has none."""
    split = config.data.validation_split
    if split not in dataset.splits:
        return {"validation_loss": None, "validation_tokens": 0}
    loss = heldout_loss(model, dataset, split, context=config.context, mesh=mesh)
    return {"validation_loss": loss.nats_per_token, "validation_tokens": loss.tokens}


def _columns(metrics: list[Metrics]) -> dict[str, list]:
    return dict(zip(Metrics._fields, zip(*jax.device_get(metrics), strict=True), strict=True))


def _check_finite(means: dict[str, float], step: int, checkpoints: Checkpoints) -> None:
    last = checkpoints.latest_step
    for name, value in means.items():
        if not np.isfinite(value):
            raise TrainingDiverged(
                f"the {name} is {value} at or just before step {step}; the last good checkpoint is "
                f"{'none yet' if last is None else f'of step {last}'}; lower optimizer.peak_rate or .clip"
            )


def _summarize(config: TrainConfig, model: TransformerConfig, windows: Windows, rows: list[dict]) -> dict:
    active, tokens = count_active_parameters(model), config.steps * config.tokens_per_step
    # The first row's time includes compilation.
    speed = float(np.median([row["tokens_per_second"] for row in rows[1:] or rows]))
    return {
        "name": config.name,
        "params": count_parameters(model),
        "tokens": tokens,
        "unique_tokens": min(tokens, windows.tokens),
        "epochs": tokens / (len(windows) * config.context),
        "flops": training_flops(active, tokens),
        "train_loss": rows[-1]["loss"],
        "tokens_per_second": speed,
        "mfu": model_flops_utilization(model, active, config.context, speed),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def _warn_of_data(config: TrainConfig, windows: Windows) -> None:
    epochs = config.tokens / windows.tokens
    if epochs > MANY_EPOCHS:
        print(
            f"warning: {epochs:.0f} passes over {windows.tokens:,} tokens; beyond {MANY_EPOCHS}, repeated "
            "tokens teach ever less (Muennighoff et al. 2023): use more audio or fewer config.tokens",
            file=sys.stderr,
        )
    if config.data.validation_split not in windows.dataset.splits:
        print(
            f"warning: {config.data.path} has no split {config.data.validation_split!r}, so there will be no "
            "validation loss: use more audio, or give recordings a split in their manifest",
            file=sys.stderr,
        )


def check_batch(batch_size: int, mesh: Mesh) -> None:
    """Raises InputError for a batch or a mesh that cannot be fed evenly by devices and processes."""
    parts = math.lcm(mesh.shape["data"] * mesh.shape["fsdp"], jax.process_count())
    if batch_size % parts:
        raise InputError(
            f"config.batch_size {batch_size} does not split evenly over the mesh axes data x fsdp and "
            f"{jax.process_count()} process(es); use a multiple of {parts}"
        )
    if jax.local_device_count() % mesh.shape["tensor"]:
        raise InputError(
            f"config.mesh.tensor {mesh.shape['tensor']} reaches over processes of {jax.local_device_count()} "
            "device(s), which read different rows; use a divisor of the devices of one process"
        )


def _claim(
    run_dir: pathlib.Path, config: TrainConfig, model: TransformerConfig, dataset: UnitDataset
) -> None:
    """Writes the run's config, after a check that the folder is not another run's."""
    content = {
        "train": dataclasses.asdict(config),
        "model": dataclasses.asdict(model),
        "data": _identity(dataset),
    }
    path = run_dir / CONFIG
    if path.exists():
        # Read as configs: fields that an older version did not have are at their defaults.
        *configs, data = read_run_config(run_dir)
        old = dict(zip(("train", "model"), map(dataclasses.asdict, configs), strict=True), data=data)
        changed = [change for change in differences(old, content) if not change.startswith(FREE)]
        if changed:
            raise InputError(
                f"{path}: this folder holds a run with other settings ({', '.join(changed)}); "
                "give another --workdir, or remove the folder to start over"
            )
    elif jax.process_index() == 0 and not is_empty(run_dir):
        raise InputError(f"{run_dir}: is not empty and holds no run; give another --workdir")
    if jax.process_index() == 0:
        write_json(path, content)


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """What changed from one nested config to another, a sentence a field."""
    changed = []
    for key in old.keys() | new.keys():
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            changed += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            changed.append(f"{prefix}{key}: {before!r} there, {after!r} now")
    return sorted(changed)


def _identity(dataset: UnitDataset) -> dict:
    return {"fingerprint": dataset.fingerprint, "tokenizer_fingerprint": dataset.tokenizer_fingerprint}
