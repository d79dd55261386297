"""The laws of one group of runs: its record in laws.json."""

import numpy as np

from slm_jax.scaling.allocation import best_for, best_split
from slm_jax.scaling.bootstrap import resample_counts
from slm_jax.scaling.cautions import (
    bound_warnings,
    chance_warnings,
    growth_warnings,
    law_warnings,
    table_warnings,
    why_no_losses,
)
from slm_jax.scaling.downstream import MIN_RUNS as MIN_TASK_RUNS
from slm_jax.scaling.downstream import fit_task
from slm_jax.scaling.envelope import Curves, fit_envelope
from slm_jax.scaling.fitted_law import FittedLaw
from slm_jax.scaling.forms import COMPUTE_FLOOR, DATA_CONSTRAINED, KAPLAN, PLAIN, Form
from slm_jax.scaling.frontier import allocation_exponents, on_frontier, optimum
from slm_jax.scaling.growth import ALL_RUNS, HIGHEST_ACCURACY, Growth, fit_growth
from slm_jax.scaling.held_out import held_out_error
from slm_jax.scaling.isoflop import fit_isoflop
from slm_jax.scaling.law_fit import LawFit
from slm_jax.scaling.next_run import NEXT_DECADE, TARGETS, best_next_run
from slm_jax.scaling.power_law import fit_power_law
from slm_jax.scaling.prediction import accuracies
from slm_jax.scaling.repeats import average_curves, average_repeats, cells
from slm_jax.scaling.table import Runs
from slm_jax.scaling.verdicts import claims

EXTRAPOLATION = 100.0  # predictions reach this far beyond the largest compute
POINTS = 33
CHANCE = 0.5


class GroupFit:
    """The laws of one group.

    `group` is its record, `fits` the loss laws by form, `growths` the growth of accuracy by task, `samples`
    the resampled laws. Loss laws are fitted to the `measured` runs alone. `runs` and `measured` have repeats
    averaged.
    """

    def __init__(
        self,
        name: str,
        runs: Runs,
        rng,
        resamples: int,
        curves: Curves,
        chance: dict[str, float],
        max_epochs: float,
    ):
        self.table, runs = runs, average_repeats(runs)
        self.runs, self.rng, self.resamples, self.max_epochs = runs, rng, resamples, max_epochs
        self.measured = runs.select(runs.measured_R)
        self.fits: dict[str, LawFit] = {}
        self.growths: dict[str, Growth] = {}
        self.samples: dict = {"tasks": {}}
        self.counts_BxR = resample_counts(len(runs), resamples, rng, runs.run or None)
        self.most = float(runs.flops_R.max())
        flops_P = np.geomspace(runs.flops_R.min(), self.most * EXTRAPOLATION, POINTS)
        self.flops_P = np.sort(np.append(flops_P, [self.most, self.most * NEXT_DECADE]))
        self.front_R = on_frontier(self.measured.flops_R, self.measured.loss_R)
        self.group = self._empty()
        if len(self.measured) > 0:
            self._fit_loss(name)
            self._fit_compute()
        else:
            reason = why_no_losses(runs)
            self.group["absent"] |= dict.fromkeys(
                ("loss_law", "compute_law", "compute_floor", "isoflop"), reason
            )
        self._fit_curves(average_curves(curves, self.table))
        for task in runs.tasks:
            self._fit_task(task, chance.get(task, CHANCE))
        self.group["next_decade"] = self._next_decade(name)
        self.group["claims"] = claims(self.group)

    def _empty(self) -> dict:
        runs = self.runs
        on_it_C = np.flatnonzero(runs.measured_R)[self.front_R]
        on_it_R = self.table.measured_R & np.isin(cells(self.table), on_it_C)
        return {
            "runs": len(self.table),
            "repeats": len(self.table) - len(runs),
            "sizes": sorted({float(size) for size in runs.params_R}),
            "flops": {"least": float(runs.flops_R.min()), "most": self.most},
            "unique_tokens": _corpus_tokens(runs),
            "frontier_runs": list(self.table.select(on_it_R).model),
            "loss_law": None,
            "other_forms": {},
            "frontier": None,
            "allocation": [],
            "held_out": None,
            "next_run": [],
            "compute_law": None,
            "compute_floor": None,
            "isoflop": None,
            "envelope": None,
            "tasks": {},
            "absent": {},
            "warnings": table_warnings(self.table, len(runs)),
        }

    def _fit_form(self, form: Form, columns, rows=slice(None)) -> LawFit:
        law = LawFit(
            form,
            columns,
            np.log(self.measured.loss_R[rows]),
            resamples=self.resamples,
            rng=self.rng,
            run_R=np.array(self.measured.run)[rows] if self.measured.run else None,
        )
        self.fits[form.name], self.samples[form.name] = law, law.samples()
        return law

    def _law(self, name: str, form: Form) -> FittedLaw:
        record = self.group["loss_law"] if form is PLAIN else self.group["other_forms"][form.name]
        law = self.fits[form.name]
        return FittedLaw(form, law.values_P, law.values_BxP, record, self.group, name)

    def _fit_loss(self, name: str) -> None:
        """The plain law and what follows from it, then the other forms of N and D."""
        runs, group = self.measured, self.group
        reason = PLAIN.why_not_identified(runs.params_R, runs.tokens_R)
        if reason:
            group["absent"]["loss_law"] = reason
            return
        law = self._fit_form(PLAIN, (runs.params_R, runs.tokens_R))
        group["loss_law"] = law.record()
        group["frontier"] = _frontier(law, self.flops_P, self.most)
        group["held_out"] = held_out_error(runs, self.resamples, self.rng)
        group["warnings"] += law_warnings(law, group, runs)
        plain = self._law(name, PLAIN)
        group["allocation"] = [best_for(plain, flops) for flops in (self.most, self.most * NEXT_DECADE)]
        group["next_run"] = [best_next_run(plain, goal, max_epochs=self.max_epochs) for goal in TARGETS]

        group["other_forms"][KAPLAN.name] = self._fit_form(KAPLAN, (runs.params_R, runs.tokens_R)).record()
        if not (runs.tokens_R > runs.unique_tokens_R).any():
            return
        columns = (runs.params_R, runs.tokens_R, runs.unique_tokens_R)
        reason = DATA_CONSTRAINED.why_not_identified(*columns)
        if reason:
            group["absent"][DATA_CONSTRAINED.name] = reason
            return
        law = self._fit_form(DATA_CONSTRAINED, columns)
        group["other_forms"][DATA_CONSTRAINED.name] = law.record()
        group["warnings"] += bound_warnings(law)
        repeated, largest = self._law(name, DATA_CONSTRAINED), np.nanmax(self.runs.unique_tokens_R)
        for flops in (self.most, self.most * NEXT_DECADE):
            group["allocation"].append(best_for(repeated, flops, largest))

    def _fit_compute(self) -> None:
        """Loss along the frontier, without and with an irreducible part, and at equal compute."""
        runs, group, front = self.measured, self.group, self.front_R
        flops_F, loss_F = runs.flops_R[front], runs.loss_R[front]
        group["compute_law"] = fit_power_law(flops_F, loss_F, self.flops_P, self.resamples, self.rng)
        if group["compute_law"] is None:
            group["absent"]["compute_law"] = "the frontier has fewer than two runs with different compute"
        reason = COMPUTE_FLOOR.why_not_identified(flops_F)
        if reason:
            group["absent"]["compute_floor"] = reason
        else:
            group["compute_floor"] = self._fit_form(COMPUTE_FLOOR, flops_F[None], front).record()
        counts_BxR = self.counts_BxR[:, self.runs.measured_R]
        group["isoflop"] = fit_isoflop(runs.params_R, runs.flops_R, runs.loss_R, counts_BxR)
        if group["isoflop"] is None:
            group["absent"]["isoflop"] = "no compute budget is shared by three model sizes"

    def _fit_curves(self, curves: Curves) -> None:
        exponent = fit_envelope(curves, self.resamples, self.rng)
        if exponent:
            self.group["envelope"] = {"curves": len(curves), "exponent": exponent}
            return
        self.group["absent"]["envelope"] = (
            "the training curves of the sizes hardly cross" if curves else "no training curves given"
        )

    def _fit_task(self, task: str, chance: float) -> None:
        found, samples = fit_task(self.runs, task, self.counts_BxR, self.rng, chance)
        self.group["tasks"][task] = found
        if found is None:
            self.group["absent"][task] = (
                f"needs at least {MIN_TASK_RUNS} evaluated runs of different accuracy"
            )
            return
        self.samples["tasks"][task] = samples
        self.group["warnings"] += chance_warnings(task, found)
        growth = fit_growth(self.runs, task, resamples=self.resamples, rng=self.rng)
        found["compute"] = growth and growth.record(self.flops_P)
        if growth:
            self.growths[task] = growth
            self.group["warnings"] += growth_warnings(task, growth)
        if growth and growth.frontier == HIGHEST_ACCURACY:  # grows by construction: no evidence for a claim
            trend = fit_growth(self.runs, task, resamples=self.resamples, rng=self.rng, through=ALL_RUNS)
            found["compute"]["all_runs"] = trend.estimate(trend.gamma_1B)

    def _next_decade(self, name: str) -> dict:
        """What ten times the largest compute would buy, by the laws there are."""
        group, flops = self.group, self.most * NEXT_DECADE

        def at(law):
            point = next(point for point in law["points"] if np.isclose(point["flops"], flops, rtol=1e-9))
            return {key: value for key, value in point.items() if key not in ("flops", "extrapolated")}

        by_loss = {}
        if group["loss_law"]:
            plain = self._law(name, PLAIN)
            loss_1B = best_split(PLAIN, np.concatenate([plain.values_P[None], plain.values_BxP]), flops)[2]
            by_loss = accuracies(plain, loss_1B, self.samples["tasks"])
        return {
            "flops": float(flops),
            "by_loss_law": at(group["frontier"]) if group["frontier"] else None,
            "loss_by_compute_law": at(group["compute_law"]) if group["compute_law"] else None,
            "accuracy": {
                task: at(found["compute"])
                for task, found in group["tasks"].items()
                if found and found["compute"]
            },
            "accuracy_by_loss": by_loss,
        }


def _corpus_tokens(runs: Runs) -> float | None:
    """Tokens of the largest corpus; None where no run tells.

    A run whose tokens were all unique may have seen a part of it: one that saw it again, or was given fewer
    tokens than there are, tells its size.
    """
    of_largest_R = runs.unique_tokens_R == np.nanmax(runs.unique_tokens_R, initial=0.0)
    told_R = of_largest_R & (runs.tokens_R != runs.unique_tokens_R)
    return float(runs.unique_tokens_R[told_R][0]) if told_R.any() else None


def _frontier(law: LawFit, flops_P: np.ndarray, most: float) -> dict:
    alpha, alpha_B = law.values_P[3], law.values_BxP[:, 3]
    exponents, exponents_B = allocation_exponents(law.values_P), allocation_exponents(law.values_BxP)
    best = optimum(law.values_P, flops_P)
    best_B = optimum(law.values_BxP[:, None, :], flops_P)
    return {
        "a": law.estimate(exponents[0], exponents_B[0]),
        "b": law.estimate(exponents[1], exponents_B[1]),
        "reducible_exponent": law.estimate(alpha * exponents[0], alpha_B * exponents_B[0]),
        "points": [
            {
                "flops": float(flops),
                "extrapolated": bool(flops > most),
                **{
                    name: law.estimate(best[k][p], best_B[k][:, p])
                    for k, name in enumerate(("params", "tokens", "loss"))
                },
            }
            for p, flops in enumerate(flops_P)
        ],
    }
