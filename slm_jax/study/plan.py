"""The grid of a study, and what a budget of compute is best spent on."""

import dataclasses
import math
import os

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.scaling import PUBLISHED_SPEECH_LAW as SPEECH_LAW
from slm_jax.scaling import optimum
from slm_jax.study.config import StudyConfig
from slm_jax.training import training_flops

PUBLISHED_VOCABULARY = 502
PUBLISHED_SPEECH_LAW = (
    "speech units, mHuBERT 25 Hz, K = 500 (Cuervo & Marxer 2024)",
    SPEECH_LAW,
    (6 * 20_710_912 * 662_560_000.0, 6 * 823_179_264 * 16_499_220_000.0),  # of the published runs
)


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
            name = f"{size}-{budget:g}".replace("e+", "e")
            runs.append(PlannedRun(name, size, budget, params, tokens, steps, flops))
    if len(runs) < 2:
        raise InputError(
            f"config.grid: {len(runs)} runs fit, too few for a study; give larger budgets, smaller sizes, "
            "more stories, or change min_steps and max_epochs"
        )
    return runs


def plan_budget(budget: float, laws: str | os.PathLike | None = None) -> dict:
    """What a loss law makes of `budget` FLOPs: parameters, tokens, loss at the optimum, and a decade around.

    The law is the first of a laws.json that has one, or the published one. Returns its name as `law`, the
    `least` and most (`largest`) FLOPs of the runs it was fitted to, and `rows`. Raises InputError for a
    budget that is not positive and for a file without a loss law.
    """
    if not 0 < budget < math.inf:
        raise InputError(f"--budget is {budget}: give a positive number of FLOPs, as 1e17")
    name, law, (least, largest) = PUBLISHED_SPEECH_LAW if laws is None else _first_law(laws)
    rows = []
    for flops in (budget / 10, budget, budget * 10):
        params, tokens, loss = (float(value) for value in optimum(law, flops))
        nearest = min(SIZES, key=lambda size: abs(math.log(_params(size) / params)))
        rows.append({"flops": flops, "params": params, "tokens": tokens, "loss": loss, "size": nearest})
    return {"law": name, "least": least, "largest": largest, "rows": rows}


def format_plan(plan: dict) -> str:
    """The plan as a table, with the law it rests on; extrapolated rows are marked."""
    lines = [f"{'FLOPs':>9} {'parameters':>11} {'tokens':>10} {'tokens/param':>13} {'loss':>6}  nearest size"]
    for row in plan["rows"]:
        beyond = not plan["least"] <= row["flops"] <= plan["largest"]
        lines.append(
            f"{row['flops']:9.1e} {row['params']:11.3e} {row['tokens']:10.3e} "
            f"{row['tokens'] / row['params']:13.1f} {row['loss']:6.3f}  {row['size']}"
            + ("  (extrapolated)" if beyond else "")
        )
    lines.append("The optimum of L = E + A/N^alpha + B/D^beta under C = 6 N D, loss in nats per token.")
    lines.append(f"Law: {plan['law']}")
    return "\n".join(lines)


def _first_law(path: str | os.PathLike) -> tuple[str, dict[str, float], tuple[float, float]]:
    content = read_json(path)
    try:
        groups = content["groups"]
        name, group = next((name, group) for name, group in groups.items() if group["loss_law"])
        law = {name: float(group["loss_law"][name]["value"]) for name in ("E", "A", "B", "alpha", "beta")}
        return f"{name} runs of {path}", law, (float(group["flops"]["least"]), float(group["flops"]["most"]))
    except (StopIteration, KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            f"{path}: holds no loss law; make one with slm fit on a table that supports it"
        ) from None


def _params(size: str) -> int:
    return count_parameters(TransformerConfig(vocab_size=PUBLISHED_VOCABULARY, **SIZES[size]))
