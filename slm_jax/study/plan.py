"""What a budget of compute is best spent on, by a loss law."""

import math
import os

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.scaling import PUBLISHED_SPEECH_LAW as SPEECH_LAW
from slm_jax.scaling import optimum

PUBLISHED_VOCABULARY = 502
PUBLISHED_SPEECH_LAW = (
    "speech units, mHuBERT 25 Hz, K = 500 (Cuervo & Marxer 2024)",
    SPEECH_LAW,
    (6 * 20_710_912 * 662_560_000.0, 6 * 823_179_264 * 16_499_220_000.0),  # of the published runs
)


def plan_budget(budget: float, laws: str | os.PathLike | None = None) -> dict:
    """What a loss law makes of `budget` FLOPs: parameters, tokens, loss at the optimum, and a decade around.

    The law is the first of a laws.json that has one, or the published one. Returns its name as `law`, the
    `least` and most (`largest`) FLOPs of the runs it was fitted to, and `rows`, with `passes` over the corpus
    of those runs (None where its size is not known). Raises InputError for a budget that is not positive and
    for a file without a loss law.
    """
    if not 0 < budget < math.inf:
        raise InputError(f"--budget is {budget}: give a positive number of FLOPs, as 1e17")
    name, law, (least, largest), corpus = (*PUBLISHED_SPEECH_LAW, None) if laws is None else _first_law(laws)
    rows = []
    for flops in (budget / 10, budget, budget * 10):
        params, tokens, loss = (float(value) for value in optimum(law, flops))
        nearest = min(SIZES, key=lambda size: abs(math.log(_params(size) / params)))
        row = {"flops": flops, "params": params, "tokens": tokens, "loss": loss, "size": nearest}
        rows.append(row | {"passes": corpus and tokens / corpus})
    return {"law": name, "least": least, "largest": largest, "rows": rows}


def format_plan(plan: dict) -> str:
    """The plan as a table, with the law it rests on; extrapolated rows are marked."""
    known = all(row["passes"] for row in plan["rows"])
    lines = [
        f"{'FLOPs':>9} {'parameters':>11} {'tokens':>10}"
        + (f" {'passes':>8}" if known else "")
        + f" {'tokens/param':>13} {'loss':>6}  nearest size"
    ]
    for row in plan["rows"]:
        passes = f" {row['passes']:8.3g}" if known else ""
        beyond = not plan["least"] <= row["flops"] <= plan["largest"]
        lines.append(
            f"{row['flops']:9.1e} {row['params']:11.3e} {row['tokens']:10.3e}{passes} "
            f"{row['tokens'] / row['params']:13.1f} {row['loss']:6.3f}  {row['size']}"
            + ("  (extrapolated)" if beyond else "")
        )
    lines.append("The optimum of L = E + A/N^alpha + B/D^beta under C = 6 N D, loss in nats per token.")
    if known:
        lines.append("Passes are over the corpus of the runs; the law takes every token for new.")
    lines.append(f"Law: {plan['law']}")
    return "\n".join(lines)


def _first_law(
    path: str | os.PathLike,
) -> tuple[str, dict[str, float], tuple[float, float], float | None]:
    content = read_json(path)
    try:
        groups = content["groups"]
        name, group = next((name, group) for name, group in groups.items() if group["loss_law"])
        law = {name: float(group["loss_law"][name]["value"]) for name in ("E", "A", "B", "alpha", "beta")}
        flops = float(group["flops"]["least"]), float(group["flops"]["most"])
        corpus = group.get("unique_tokens")
        return f"{name} runs of {path}", law, flops, corpus and float(corpus)
    except (StopIteration, KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            f"{path}: holds no loss law; make one with slm fit on a table that supports it"
        ) from None


def _params(size: str) -> int:
    return count_parameters(TransformerConfig(vocab_size=PUBLISHED_VOCABULARY, **SIZES[size]))
