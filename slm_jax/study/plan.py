"""The grid of a study, and what a budget of compute is best spent on."""

import dataclasses
import os

import numpy as np

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.scaling import optimum
from slm_jax.study.config import StudyConfig
from slm_jax.training import training_flops

# Cuervo & Marxer 2024, table 2: loss in nats per unit of mHuBERT 25 Hz speech units.
PUBLISHED_VOCABULARY = 502
PUBLISHED_SPEECH_LAW = {"E": 1.73, "A": 13.9, "B": 39.8, "alpha": 0.25, "beta": 0.24}


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of the grid; `budget` is the compute asked for, `flops` what whole updates make of it."""

    name: str
    size: str
    budget: float
    params: int
    tokens: int
    steps: int
    flops: float


def plan_grid(config: StudyConfig, *, vocab_size: int, stream_tokens: int) -> list[PlannedRun]:
    """The runs of a study, cheapest budget first; `stream_tokens` is one pass over the training data.

    Raises InputError when no size fits any budget.
    """
    runs = []
    tokens_per_step = config.batch_size * config.context
    for budget in sorted(config.grid.budgets):
        for size in config.grid.sizes:
            params = count_parameters(TransformerConfig(vocab_size=vocab_size, **SIZES[size]))
            steps = round(budget / training_flops(params, tokens_per_step))
            tokens = steps * tokens_per_step
            if steps < config.grid.min_steps or tokens > config.grid.max_epochs * stream_tokens:
                continue
            flops = training_flops(params, tokens)
            name = f"{size}-{budget:.0e}".replace("+", "")
            runs.append(PlannedRun(name, size, budget, params, tokens, steps, flops))
    if not runs:
        raise InputError(
            "config.grid: no size fits any budget; give larger budgets, smaller sizes, more stories, or "
            "change min_steps and max_epochs"
        )
    return runs


def plan_budget(budget: float, laws: str | os.PathLike | None = None) -> list[dict]:
    """Parameters, tokens and predicted loss of the optimum at `budget` FLOPs and at the decades around it.

    The law is the first group's of a laws.json, or the published one. Raises InputError for a budget that is
    not positive and for laws without a loss law.
    """
    if budget <= 0:
        raise InputError(f"--budget is {budget}: give a positive number of FLOPs, as 1e17")
    law = PUBLISHED_SPEECH_LAW if laws is None else _first_law(laws)
    rows = []
    for flops in (budget / 10, budget, budget * 10):
        params, tokens, loss = (float(value) for value in optimum(law, flops))
        nearest = min(SIZES, key=lambda size: abs(np.log(_params(size) / params)))
        rows.append({"flops": flops, "params": params, "tokens": tokens, "loss": loss, "size": nearest})
    return rows


def format_plan(rows: list[dict]) -> str:
    """The plan as a table, and the rule behind it."""
    lines = [f"{'FLOPs':>9} {'parameters':>11} {'tokens':>10} {'tokens/param':>13} {'loss':>6}  nearest size"]
    for row in rows:
        lines.append(
            f"{row['flops']:9.1e} {row['params']:11.3e} {row['tokens']:10.3e} "
            f"{row['tokens'] / row['params']:13.1f} {row['loss']:6.3f}  {row['size']}"
        )
    lines.append("loss in nats per token; the optimum of L = E + A/N^alpha + B/D^beta under C = 6 N D")
    return "\n".join(lines)


def _first_law(path: str | os.PathLike) -> dict[str, float]:
    groups = read_json(path).get("groups", {})
    law = next((group["loss_law"] for group in groups.values() if group.get("loss_law")), None)
    if law is None:
        raise InputError(f"{path}: holds no loss law; make it with slm fit on a table that supports one")
    return {name: law[name]["value"] for name in ("E", "A", "B", "alpha", "beta")}


def _params(size: str) -> int:
    return count_parameters(TransformerConfig(vocab_size=PUBLISHED_VOCABULARY, **SIZES[size]))
