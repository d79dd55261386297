"""What a finished run says of itself in summary.json."""

import jax
import numpy as np

from slm_jax.data import TrainingRows
from slm_jax.model import TransformerConfig, count_active_parameters, count_parameters
from slm_jax.training.config import TrainConfig
from slm_jax.training.reporting.flops import model_flops_utilization, training_flops


def summarize(config: TrainConfig, model: TransformerConfig, rows: TrainingRows, metrics: list[dict]) -> dict:
    """Sizes, data, losses and speeds of a run from its rows of metrics.

    tokens are those trained on, without padding: so many targets had a part in the losses. What no row tells
    is None: every update may have been skipped, and rows be lost that a checkpoint is later than.
    """
    active = count_active_parameters(model)
    data = rows.report(config.steps * config.batch_size)
    epochs = data.pop("epochs")
    if len(epochs) > 1:
        data["epochs_of_each"] = epochs
    # All updates of a row may have been skipped. The first row's time includes what a process does once.
    made = [row for row in metrics if "loss" in row]
    speeds = [row["tokens_per_second"] for row in made[1:] or made]
    speed = float(np.median(speeds)) if speeds else None
    last = metrics[-1] if metrics else {"skipped_updates": None}
    return {
        "name": config.name,
        "params": count_parameters(model),
        **data,
        "epochs": config.steps * config.batch_size / len(rows),
        "flops": training_flops(active, data["tokens"]),
        "train_loss": made[-1]["loss"] if made else None,
        "tokens_per_second": speed,
        "mfu": None if speed is None else model_flops_utilization(model, active, config.context, speed),
        "goodput": last.get("goodput"),
        "skipped_updates": last.get("skipped_updates", 0),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }
