"""What a reader should know before believing a fit."""

import numpy as np

from slm_jax.scaling.formatting import format_task
from slm_jax.scaling.growth import Growth
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.oddities import oddities
from slm_jax.scaling.table import MEASURED, Runs

FEW_RUNS = 12
COLLINEAR = 0.95  # correlation of log N and log D
REPETITION = (
    4.0  # epochs after which repeated data are worth clearly less than fresh (Muennighoff et al. 2023)
)
FLAT = 0.01  # spread of an exponent among equally good fits
WIDE = 0.5  # width of the interval of a
CEILING = 0.95  # an accuracy that leaves little room


def table_warnings(runs: Runs, cells: int) -> list[str]:
    """Warnings about the table itself; `cells`: how many runs are left when repeats count once."""
    found = oddities(runs)
    if cells < FEW_RUNS:
        once = " that do not repeat one another" if cells < len(runs) else ""
        found.append(f"Only {cells} runs{once}: intervals from so few runs are rough.")
    if len(runs) > 2 and np.ptp(runs.params_R) > 0 and np.ptp(runs.tokens_R) > 0:
        together = np.corrcoef(np.log(runs.params_R), np.log(runs.tokens_R))[0, 1]
        if abs(together) > COLLINEAR:
            found.append(
                f"Parameters and tokens change together (correlation of their logarithms {together:.2f}): "
                "their effects cannot be told apart; train one size on several token counts."
            )
    epochs_R = runs.tokens_R / runs.unique_tokens_R
    repeated = int((epochs_R > REPETITION).sum())
    if repeated:
        found.append(
            f"{repeated} runs saw their data more than {REPETITION:g} times "
            f"(up to {np.nanmax(epochs_R):.3g}): the plain law counts repeated tokens as fresh ones."
        )
    return found


def why_no_losses(runs: Runs) -> str:
    """Why no law of the loss is fitted to runs of which none has a measured loss."""
    if not np.isfinite(runs.loss_R).any():
        return "the table has no losses"
    source = next(source for source in runs.loss_source if source not in MEASURED)
    return f"the losses are those of a formula ({source}), and a fit to them would only return it"


def law_warnings(law: LawFit, group: dict, runs: Runs) -> list[str]:
    """Warnings about the parametric fit."""
    found = bound_warnings(law)
    flatness = dict(zip(law.form.symbols, law.flatness_P, strict=True))
    for name in ("alpha", "beta"):
        if flatness[name] > FLAT:
            found.append(
                f"Equally good fits differ in {name} by {flatness[name]:.2g}: "
                "the table does not determine it."
            )
    if law.starts_at_optimum < 0.01 * law.starts:
        found.append(
            f"Only {law.starts_at_optimum} of {law.starts} starts reached the best optimum: "
            "there may be a better one."
        )
    a, floor = group["frontier"]["a"], group["loss_law"]["E"]
    if a["low"] is not None and a["high"] - a["low"] > WIDE:
        found.append(
            f"The interval of the allocation exponent a spans {a['low']:.2g} to {a['high']:.2g}: "
            "these runs hardly constrain how to split compute between parameters and tokens."
        )
    if floor["low"] is not None and floor["high"] - floor["low"] > 0.5 * runs.loss_R.min():
        found.append(
            f"The interval of E spans {floor['low']:.3g} to {floor['high']:.3g} nats: "
            "far extrapolations of the loss are not to be trusted."
        )
    held_out = group["held_out"]
    if held_out and held_out["error"]["low"] is not None:
        error = held_out["error"]
        if error["low"] > 0 or error["high"] < 0:
            side = "above" if error["value"] > 0 else "below"
            found.append(
                f"Fitted to the smaller budgets alone, the law predicts losses {abs(error['value']):.1%} "
                f"{side} those measured at the largest, more than its interval allows: "
                "extrapolations may be off the same way."
            )
    return found


def growth_warnings(task: str, growth: Growth) -> list[str]:
    """Warnings about the power law of accuracy on a task: that it goes through runs with no room to grow."""
    runs, best = int((growth.accuracy_F >= CEILING).sum()), growth.accuracy_F.max()
    if not runs or np.isfinite(growth.saturation_1B[0]):
        return []
    count = "a run" if runs == 1 else f"{runs} runs"
    return [
        f"The power law of accuracy on {format_task(task)} goes through {count} near the most there is "
        f"({best:.2f} of 1), where accuracy can hardly grow: gamma may be too small."
    ]


def chance_warnings(task: str, found: dict) -> list[str]:
    """A warning where no run is surely above chance on a task; `found` is its record in laws.json."""
    if found["above_chance"] != 0:
        return []
    return [f"No run is surely above chance on {format_task(task)}: what would help to learn it cannot show."]


def bound_warnings(law: LawFit) -> list[str]:
    """Parameters that ran into their bounds."""
    if not law.at_bounds():
        return []
    which = "" if law.form.name == "plain" else f" {law.form.name.replace('_', '-')} law's"
    return [f"The best{which} fit lies on the bound of {', '.join(law.at_bounds())}: read it as unknown."]
