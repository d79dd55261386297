"""The published tables fitted, beside the numbers of the paper: where they agree, where not, and why."""

import numpy as np

from slm_jax.scaling.bootstrap import Estimate
from slm_jax.scaling.formatting import format_estimate
from slm_jax.scaling.growth import frontier_runs
from slm_jax.scaling.published import EXPONENTS, published_runs
from slm_jax.scaling.published.definitions import (
    CHANCE,
    DEFINITIONS,
    LARGEST_OF_PAPER,
    TASK,
    exponents,
    text_runs,
)

PAPERS_LARGEST = 0.800  # BLIMP of Pythia 6.9B in Cuervo & Marxer 2024, table 3
LARGEST = "pythia-6.9b"


def beside_paper(resamples: int = 1000, seed: int = 0) -> dict:
    """Every exponent under the paper's definition beside the paper's, other definitions, and why they differ.

    Returns a JSON object with
      exponents: rows of task, of ("speech", "text" or "ratio"), estimate, paper, agrees (the paper's number
        lies in the interval);
      definitions: from `exponents`;
      perplexity: Pearson's r of the log perplexity of LAMBADA and BLiMP, over the text checkpoints;
      why: sentences.
    """
    rows = exponents(resamples, seed)
    stated = rows[0]
    found = [
        _row(TASK, "speech", stated["speech"]["exponent"]),
        _row(TASK, "text", stated["text"]["exponent"]),
        _row(TASK, "ratio", stated["ratio"]),
    ]
    runs = published_runs("speech")
    for place, task in enumerate(task for task in EXPONENTS if task != TASK):
        rng = np.random.default_rng([seed, len(DEFINITIONS), place])
        growth = DEFINITIONS[0].fit(runs, task, resamples, rng)
        found.append(_row(task, "speech", growth.estimate(growth.gamma_1B)))
    text = text_runs()
    r = float(np.corrcoef(text.loss_R, text.tasks[TASK].accuracy_R)[0, 1])
    return {"exponents": found, "definitions": rows, "perplexity": r, "why": _why(found, rows, r)}


def _row(task: str, of: str, found: Estimate) -> dict:
    paper = EXPONENTS[task][of]
    agrees = found["low"] is not None and found["low"] <= paper <= found["high"]
    return {"task": task, "of": of, "estimate": found, "paper": paper, "agrees": agrees}


def _why(found: list[dict], rows: list[dict], r: float) -> list[str]:
    by_name = {row["name"]: row for row in rows}
    speech = [row for row in found if row["of"] == "speech"]
    agree = [row for row in speech if row["agrees"]]
    values = ", ".join(f"{row['estimate']['value']:.3f} for {row['paper']:.3f}" for row in speech)
    stated = by_name["paper"]
    text, paper_text = stated["text"]["exponent"], EXPONENTS[TASK]["text"]
    text_models = text_runs().select(text_runs().params_R < LARGEST_OF_PAPER)
    front = frontier_runs(text_models, TASK)
    start, least = float(front.flops_R.min()), float(front.tasks[TASK].accuracy_R[front.flops_R.argmin()])
    at_chance = start * (CHANCE / least) ** (1 / paper_text)
    ratios = {row["name"]: row["ratio"]["value"] for row in rows}
    lowest, highest = min(ratios, key=ratios.get), max(ratios, key=ratios.get)
    clear = [row["name"] for row in rows if row["ratio"]["low"] is not None and row["ratio"]["low"] > 1]
    models = len(set(text_models.run))
    first = format_estimate(by_name["least compute"]["text"]["exponent"])
    every = format_estimate(by_name["all"]["text"]["exponent"])
    steep = np.log10(start / at_chance)
    return [
        f"Speech agrees: {len(agree)} of {len(speech)} exponents of the paper lie in the intervals here "
        f"({values}; here for the paper's). sStoryCloze is the loosest: its accuracies span six points, and "
        "1,871 questions leave each uncertain by more than one.",
        f"Text is flatter here: {format_estimate(text)}, with the paper's {paper_text} "
        f"{_where(text, paper_text)}. The table starts at {start:.1e} FLOPs, where BLiMP is already "
        f"{least:.2f}, and accuracy stops growing near {stated['text']['saturates_at']:.0e}. The paper also "
        "has Pythia 14M; this table has no model below 70M and no checkpoint before step 3,000.",
        "Growth is fastest where the table begins: within its first factor 30 of compute the exponent is "
        f"{first}, over all runs {every}. At the paper's exponent text would leave chance at {at_chance:.0e} "
        f"FLOPs: its steep part lies in the {steep:.1f} decades before this table, which can neither confirm "
        "nor refute it.",
        f"The accuracies are not the same: the paper gives Pythia 6.9B {PAPERS_LARGEST:.1%} on BLIMP, the "
        f"suite's own evaluations {_largest():.1%} (its last checkpoint here). And the checkpoints stand in "
        "the middle of a learning rate schedule, where the speech models are completed runs.",
        f"The ratio is {format_estimate(stated['ratio'])}, an interval that {_holds(stated['ratio'])}. The "
        f"two tables have no accuracy in common, and the checkpoints of {models} text models are few runs. "
        f"Which number comes out depends on the definition, from {ratios[lowest]:.1f} ({lowest}) to "
        f"{ratios[highest]:.1f} ({highest}); the interval lies above 1 by {_and(clear)} alone.",
        "What does not depend on it: at every compute both tables cover, text is far ahead, and loss "
        "predicts accuracy, for text too as far as LAMBADA tells "
        f"(r = {r:.2f} with its log perplexity).",
    ]


def _and(names: list[str]) -> str:
    return " and ".join(f"“{name}”" for name in names) or "none"


def _holds(ratio: Estimate) -> str:
    paper = EXPONENTS[TASK]["ratio"]
    inside = [f"{number:g}" for number in (paper, 1.0) if ratio["low"] <= number <= ratio["high"]]
    return f"holds {' and '.join(inside)}" if inside else f"holds neither {paper:g} nor 1"


def _where(found: Estimate, number: float) -> str:
    """Where a number lies in an interval."""
    low, high = found["low"], found["high"]
    if abs(number - high) < 0.05 * (high - low) or abs(number - low) < 0.05 * (high - low):
        return "at the very end of the interval"
    return "in the interval" if low < number < high else "outside the interval"


def _largest() -> float:
    runs = published_runs("pythia")
    last = [i for i, run in enumerate(runs.run) if run == LARGEST][-1]
    return float(runs.tasks[TASK].accuracy_R[last])
