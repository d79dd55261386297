"""The laws as text for a terminal."""

from slm_jax.scaling.formatting import format_estimate, format_size


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
            lines.append(
                f"  {row['task']}: {row['faster']} over {row['slower']} {format_estimate(row['gamma_ratio'])}"
            )
    return "\n".join(lines)


def _group(name: str, group: dict) -> list[str]:
    flops = group["flops"]
    lines = [
        f"== {name}: {group['runs']} runs, {len(group['sizes'])} sizes, "
        f"{flops['least']:.2g} to {flops['most']:.2g} FLOPs"
    ]
    law, frontier = group["loss_law"], group["frontier"]
    if law:
        lines.append("Loss law  L(N, D) = E + A / N^alpha + B / D^beta, nats per token")
        lines += [f"  {key:<6} {format_estimate(law[key])}" for key in ("E", "A", "B", "alpha", "beta")]
        lines.append(f"  {law['starts_at_optimum']:,} of {law['starts']:,} starts reached this optimum")
        lines.append("Compute-optimal allocation  N ~ C^a, D ~ C^b")
        lines += [f"  {key:<6} {format_estimate(frontier[key])}" for key in ("a", "b")]
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
    lines += _next_decade(group["next_decade"])
    lines.append("Claims")
    for claim in group["claims"]:
        task = f" ({claim['task']})" if claim["task"] else ""
        lines.append(f"  [{claim['verdict']}] {claim['claim']}{task}: {claim['because']}")
    if group["warnings"]:
        lines.append("Beware")
        lines += [f"  - {warning}" for warning in group["warnings"]]
    return lines


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
    return lines
