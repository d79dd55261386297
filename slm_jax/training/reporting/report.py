"""What a run reports while it goes, one row at a time: to its logs and to the terminal."""

import pathlib

import jax

from slm_jax.model import TransformerConfig, count_active_parameters
from slm_jax.progress import progress
from slm_jax.training.branch import shared_steps
from slm_jax.training.checkpointing.checkpoints import VALIDATION_LOSS
from slm_jax.training.checkpointing.position import Position
from slm_jax.training.config import TrainConfig
from slm_jax.training.reporting.flops import device_memory, model_flops_utilization
from slm_jax.training.reporting.meter import PARTS, Meter
from slm_jax.training.reporting.metrics import MetricsLog, rows_until
from slm_jax.training.reporting.starts import Starts
from slm_jax.training.reporting.wandb_log import WandbLog


class Report:
    """Rows of metrics from `position` on; those there already, of work to be done again, are dropped."""

    def __init__(
        self, run_dir: pathlib.Path, config: TrainConfig, model: TransformerConfig, position: Position
    ):
        self._config, self._model, self._active = config, model, count_active_parameters(model)
        written = position.step - 1 if position.validation_due else position.step
        before = rows_until(run_dir, written)
        if config.trunk and not before:
            before = rows_until(config.trunk, written)
        own = (row for row in before if row["step"] > shared_steps(config))
        self._useful = sum(row.get("compute_seconds", 0.0) for row in own)
        others = []
        if jax.process_index() == 0:
            self._starts = Starts(run_dir, position.step)
            if config.wandb:
                others.append(WandbLog(run_dir, config, id=self._starts.id))
        self._log = MetricsLog(run_dir, before, others)
        desc = config.name or "training"
        self._bar = progress(total=config.steps, initial=position.step, desc=desc, unit="step")

    def advance(self) -> None:
        self._bar.update()

    def write(self, step: int, rate: float, meter: Meter, validation_loss: float | None) -> None:
        """One row: of the updates since the last one; without means and speed where all were skipped."""
        updates, means, seconds = meter.take()
        self._useful += seconds["compute"]
        if jax.process_index() != 0:
            return
        config, speed, mfu = self._config, None, None
        if updates:
            speed = updates * config.tokens_per_step / (seconds["data"] + seconds["compute"])
            mfu = model_flops_utilization(self._model, self._active, config.context, speed)
        row = {
            "step": step,
            "tokens": step * config.tokens_per_step,
            "learning_rate": rate,
            **means,
            VALIDATION_LOSS: validation_loss,
            "tokens_per_second": speed,
            "mfu": mfu,
            **{f"{part}_seconds": seconds[part] for part in PARTS},
            "goodput": self._starts.goodput(self._useful),
            "skipped_updates": meter.skipped,
            **device_memory(),
        }
        self._log.write({name: value for name, value in row.items() if value is not None})
        if updates:
            share = "" if mfu is None else f", MFU {mfu:.0%}"
            text = f"loss {means['loss']:.3f}, {speed:,.0f} tokens/s{share}"
            self._bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> "Report":
        self._log.__enter__()
        self._bar.__enter__()
        return self

    def __exit__(self, *reason) -> None:
        self._bar.__exit__(*reason)
        self._log.__exit__(*reason)
