"""A law read back from laws.json, with the resamples that give every function of it an interval."""

import dataclasses

import numpy as np

from slm_jax.errors import InputError
from slm_jax.scaling.bootstrap import Estimate, estimate
from slm_jax.scaling.forms import FORMS, Form

FAR = 10.0  # beyond so many times the largest compute a law is a guess


@dataclasses.dataclass(frozen=True)
class FittedLaw:
    """One form of one group: parameters values_P, those of its resamples values_BxP, and its record."""

    form: Form
    values_P: np.ndarray
    values_BxP: np.ndarray
    record: dict
    group: dict
    group_name: str

    def estimate(self, value, samples_B) -> Estimate:
        """A function of the law: its value and its interval from the resamples."""
        return estimate(float(value), np.asarray(samples_B, float), self.record["tail"])

    def warnings(self, flops: float) -> list[str]:
        """What to know before believing the law at this compute."""
        most = self.group["flops"]["most"]
        if flops <= FAR * most:
            return []
        return [
            f"{flops:.2g} FLOPs are {flops / most:.3g} times the largest compute of the table ({most:.2g}): "
            "the interval holds only if the law does."
        ]


def open_law(laws: dict, *, group: str | None = None, form: str = "plain") -> FittedLaw:
    """The law of a group in the content of laws.json; the only group by default.

    Raises InputError, naming what there is, when there is no such group or it has no such law.
    """
    name = the_group(laws, group)
    record = laws["groups"][name]
    found = record["loss_law"] if form == "plain" else record["other_forms"].get(form)
    if found is None:
        reason = record["absent"].get("loss_law" if form == "plain" else form, "it was not fitted")
        raise InputError(f"group {name!r} of {laws['source']} has no {form} law: {reason}")
    symbols = FORMS[form].symbols
    values_P = np.array([found[symbol]["value"] for symbol in symbols])
    values_BxP = np.array(laws["samples"][name][form], float).reshape(-1, len(symbols))
    return FittedLaw(FORMS[form], values_P, values_BxP, found, record, name)


def the_group(laws: dict, group: str | None) -> str:
    """The name given, or that of the only group. Raises InputError when that does not say which."""
    names = list(laws["groups"])
    if group is None and len(names) == 1:
        return names[0]
    if group not in names:
        given = "no group was given" if group is None else f"there is no group {group!r}"
        raise InputError(f"{given}: the laws of {laws['source']} are those of {', '.join(map(repr, names))}")
    return group
