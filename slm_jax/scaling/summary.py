"""The laws as text for a terminal."""

from slm_jax.scaling.formatting import format_estimate, format_size
from slm_jax.scaling.forms import FORMS

WORDS = {
    "loss": "loss at ten times the compute",
    "a": "allocation exponent a",
    "reducible_exponent": "exponent of the reducible loss",
}


def format_summary(laws: dict) -> str:
    """A page of text: per group the laws with their intervals, the claims with verdicts, and the warnings."""
    level = f"{laws['confidence']:.0%}"
    lines = [
        f"Scaling laws of {laws['source']}: {laws['runs']} runs, "
        f"brackets hold {level} intervals ({laws['resamples']:,} resamples)"
    ]
    for name, group in laws["groups"].items():
        lines += ["", *_group(name, group)]
    if laws["comparisons"]:
        lines += ["", "Decades of compute of the slower that one decade of the faster is worth"]
        for row in laws["comparisons"]:
            ratio = format_estimate(row["gamma_ratio"], beside=1.0)
            lines.append(f"  {row['task']}: {row['faster']} over {row['slower']} {ratio}")
            level = next(level for level in row["levels"] if level["best_of"] == row["faster"])
            needed = format_estimate(level["log10_flops"][row["slower"]], "10^{:.1f}".format)
            extrapolated = ", extrapolated" if row["slower"] in level["extrapolated"] else ""
            lines.append(
                f"    for the best accuracy of {row['faster']}, {level['accuracy']:.3g}, {row['slower']} "
                f"needs {needed} FLOPs{extrapolated}"
            )
    for row in laws["loss_comparisons"]:
        one, other = row["groups"]
        lines.append(
            f"[{row['verdict']}] {one} and {other} differ in {row['quantity']}: "
            f"{format_estimate(row['difference'], beside=0.0)}"
        )
    for row in laws["shared_floor"]:
        one, other = row["groups"]
        lines.append(
            f"[{row['verdict']}] {one} and {other} share one irreducible loss: "
            f"E {format_estimate(row['E'])}, apart they differ by {format_estimate(row['difference'])}"
        )
    return "\n".join(lines)


def _group(name: str, group: dict) -> list[str]:
    flops = group["flops"]
    lines = [
        f"== {name}: {group['runs']} runs{_repeats(group['repeats'])}, {len(group['sizes'])} sizes, "
        f"{flops['least']:.2g} to {flops['most']:.2g} FLOPs"
    ]
    law, frontier = group["loss_law"], group["frontier"]
    if law:
        lines.append("Loss law  L(N, D) = E + A / N^alpha + B / D^beta, nats per token")
        lines += [f"  {key:<6} {format_estimate(law[key])}" for key in ("E", "A", "B", "alpha", "beta")]
        lines.append(f"  {law['starts_at_optimum']:,} of {law['starts']:,} starts reached this optimum")
        lines.append("Compute-optimal allocation  N ~ C^a, D ~ C^b")
        lines += [f"  {key:<6} {format_estimate(frontier[key])}" for key in ("a", "b")]
        lines += _other_forms(group)
    else:
        lines.append(f"Loss law: none, because {group['absent']['loss_law']}")
    isoflop = group["isoflop"]
    if isoflop:
        lines.append(
            f"  a by isoFLOP parabolas ({len(isoflop['budgets'])} budgets): "
            f"{format_estimate(isoflop['exponent'])}"
        )
    else:
        lines.append(f"  no isoFLOP parabolas: {group['absent']['isoflop']}")
    if group["envelope"]:
        lines.append(
            f"  a by the envelope of training curves: {format_estimate(group['envelope']['exponent'])}"
        )
    lines += _allocation(group["allocation"])
    lines += _next_decade(group["next_decade"])
    lines += _held_out(group["held_out"]) + _next_run(group["next_run"])
    lines.append("Claims")
    for claim in group["claims"]:
        task = f" ({claim['task']})" if claim["task"] else ""
        lines.append(f"  [{claim['verdict']}] {claim['claim']}{task}: {claim['because']}")
    if group["warnings"]:
        lines.append("Beware")
        lines += [f"  - {warning}" for warning in group["warnings"]]
    return lines


def _repeats(count: int) -> str:
    return f" ({count} of them repeat others with another seed)" if count else ""


def _next_decade(decade: dict) -> list[str]:
    lines = [f"Ten times the largest compute ({decade['flops']:.2g} FLOPs, extrapolated)"]
    if decade["by_loss_law"]:
        best = decade["by_loss_law"]
        lines += [
            f"  {'parameters':<12} {format_estimate(best['params'], write=format_size)}",
            f"  {'tokens':<12} {format_estimate(best['tokens'], write=format_size)}",
            f"  {'loss':<12} {format_estimate(best['loss'])}",
        ]
    elif decade["loss_by_compute_law"]:
        lines.append(f"  {'loss':<12} {format_estimate(decade['loss_by_compute_law'])}")
    lines += [f"  {task:<12} {format_estimate(found)}" for task, found in decade["accuracy"].items()]
    for task, found in decade["accuracy_by_loss"].items():
        if found["sigmoid"]:
            lines.append(f"  {task:<12} {format_estimate(found['sigmoid'])} by the loss")
    return lines


def _other_forms(group: dict) -> list[str]:
    """The forms beside the plain one: how much better they describe the runs, and their parameters."""
    lines = []
    for name, law in group["other_forms"].items():
        better = law["bic"] - group["loss_law"]["bic"]
        lines.append(f"{name.replace('_', '-').capitalize()} law  {law['formula']}")
        lines.append(f"  BIC {better:+.3g} against the plain law ({'better' if better < 0 else 'worse'})")
        lines += [f"  {key:<7} {format_estimate(law[key])}" for key in FORMS[name].symbols]
    return lines


def _allocation(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    lines = ["Best use of a budget"]
    for row in rows:
        repeated = f", {format_estimate(row['epochs'])} epochs" if "epochs" in row else ""
        lines.append(
            f"  {row['flops']:.2g} FLOPs: {format_estimate(row['params'], write=format_size)} parameters, "
            f"{format_estimate(row['tokens_per_parameter'])} tokens per parameter{repeated}"
        )
        off = [
            f"{side['factor']:g} times the size {format_estimate(side['wasted_compute'], '{:.0%}'.format)}"
            for side in row["off"]
        ]
        lines.append(f"    more compute for the same loss at {', at '.join(off)}")
    return lines


def _held_out(found: dict | None) -> list[str]:
    if not found:
        return []
    return [
        f"Fitted up to {found['fitted_to']:.2g} FLOPs, the law misses the {found['runs']} runs beyond by "
        f"{format_estimate(found['error'], '{:+.2%}'.format)} on average, {found['worst']:.2%} at worst"
    ]


def _next_run(rows: list[dict]) -> list[str]:
    lines = ["The next run that narrows most per FLOP"]
    for row in rows:
        if row["best"]:
            best = row["best"]
            passes = f", {best['epochs']:.3g} passes" if best["epochs"] else ""
            lines.append(
                f"  {WORDS[row['target']]}: {format_size(best['params'])} parameters, "
                f"{format_size(best['tokens'])} tokens ({best['flops']:.2g} FLOPs{passes}), "
                f"interval {best['narrows']:.0%} narrower"
            )
    return lines if len(lines) > 1 else []
