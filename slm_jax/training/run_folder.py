"""What a run's folder says it is: its config, and whether it may go on with the config it is given."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import jax

from slm_jax.data import UnitDataset
from slm_jax.errors import InputError
from slm_jax.files import is_empty, read_json, write_json
from slm_jax.model import TransformerConfig
from slm_jax.training.config import TrainConfig
from slm_jax.training.parse import parse_config

CONFIG = "config.json"
SUMMARY = "summary.json"
# Settings that do not decide the losses of a run, but for rounding: it may go on with others.
FREE = (
    "model.remat",
    *(
        f"train.{name}"
        for name in (
            "name",
            "data.path",
            "data.also",
            "mesh",
            "micro_batch",
            "model.remat",
            "skip_updates",
            "log_every",
            "checkpoint_every",
            "validate_every",
            "keep_checkpoints",
            "trunk",
            "branch_tokens",
            "wandb",
        )
    ),
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


def identity(datasets: Sequence[UnitDataset]) -> dict:
    """Fingerprints of a run's data: of its first dataset, and of those mixed in."""
    first, *others = datasets
    also = {"also": [dataset.fingerprint for dataset in others]} if others else {}
    return {
        "fingerprint": first.fingerprint,
        "tokenizer_fingerprint": first.tokenizer_fingerprint,
        **also,
    }


def claim(run_dir: pathlib.Path, config: TrainConfig, model: TransformerConfig, data: dict) -> None:
    """Writes the run's config, after a check that the folder is not another run's."""
    content = {"train": dataclasses.asdict(config), "model": dataclasses.asdict(model), "data": data}
    path = run_dir / CONFIG
    if path.exists():
        changed = changes(run_dir, content, free=FREE)
        if changed:
            raise InputError(
                f"{path}: this folder holds a run with other settings ({', '.join(changed)}); "
                "give another --workdir, or remove the folder to start over"
            )
    elif jax.process_index() == 0 and not is_empty(run_dir):
        raise InputError(f"{run_dir}: is not empty and holds no run; give another --workdir")
    if jax.process_index() == 0:
        write_json(path, content)


def changes(run_dir: str | os.PathLike, content: dict, *, free: tuple[str, ...]) -> list[str]:
    """What a run's config.json has otherwise than `content`, but for the fields that are free to change."""
    # Read as configs: fields that an older version did not have are at their defaults.
    *configs, data = read_run_config(run_dir)
    there = dict(zip(("train", "model"), map(dataclasses.asdict, configs), strict=True), data=data)
    if content["model"]["experts"]:  # the balance loss is a mean over micro-batches
        free = tuple(field for field in free if field != "train.micro_batch")
    return [change for change in differences(there, content) if not change.startswith(free)]


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
