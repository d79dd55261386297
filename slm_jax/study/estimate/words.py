"""An estimate as people read it."""

from slm_jax.study.estimate.cost import Estimate
from slm_jax.study.estimate.data import SAMPLE
from slm_jax.study.grid import PlannedRun, budget_name

COLUMNS = "  size   budget  seed   parameters         tokens  epochs    FLOPs  trunk"


def format_estimate(estimate: Estimate) -> str:
    """The runs of each arm, the sums, and which numbers are counted, measured or estimated."""
    lines = []
    about = "" if estimate.data.is_counted else "about "
    for name, arm in estimate.config.arms.items():
        data = estimate.data.arms[name]
        lines.append(
            f"{name}: {' and '.join(arm.corpora)} in {arm.tokens}, vocabulary {data.vocab_size:,}, "
            f"{about}{data.stream_tokens:,.0f} tokens a pass"
        )
        lines += [COLUMNS, *(_row(estimate, run) for run in estimate.runs if run.arm == name), ""]
    return "\n".join([*lines, *_sums(estimate), "", *_origins(estimate)])


def _row(estimate: Estimate, run: PlannedRun) -> str:
    trunk = f"  {run.shared_steps / run.steps:.0%} from {run.trunk}" if run.trunk else ""
    return (
        f"{run.size:>6} {budget_name(run.budget):>8} {run.seed:5d} {run.params:12,d} {run.tokens:14,d} "
        f"{estimate.epochs(run):7.2f} {run.flops:8.2e}{trunk}"
    )


def _sums(estimate: Estimate) -> list[str]:
    whole = estimate.flops + estimate.saved_flops
    seconds = estimate.prepare_seconds + estimate.training_seconds
    parts = ", ".join(f"{name} {_size(size)}" for name, size in estimate.disk.items())
    return [
        f"runs   {len(estimate.runs)} of {len(estimate.config.arms)} arms, {estimate.workers} at once",
        f"FLOPs  {estimate.flops:.2e}, after the {estimate.saved_flops:.2e} "
        f"({estimate.saved_flops / whole:.0%}) that shared trunks save",
        f"time   about {_time(seconds)}: {_time(estimate.prepare_seconds)} to speak and encode, "
        f"{_time(estimate.training_seconds)} to train and score",
        f"disk   about {_size(sum(estimate.disk.values()))}: {parts}",
    ]


def _origins(estimate: Estimate) -> list[str]:
    data, speed = estimate.data, estimate.speed
    smallest, largest = (pick(run.params for run in estimate.runs) for pick in (min, max))
    rates = [
        f"{1 / speed.seconds(1, params):,.0f} tokens a second at {params:,} parameters"
        for params in dict.fromkeys((smallest, largest))
    ]
    lines = [f"Measured, a worker: {' and '.join(rates)}, by {speed.source}."]
    if data.is_counted:
        lines.insert(0, "Counted in the datasets: tokens, vocabularies, and with them runs and FLOPs.")
    else:
        lines.insert(
            0,
            f"Estimated from the first {SAMPLE} recordings of each corpus: tokens and vocabularies, and with "
            "them epochs and which runs fit.",
        )
        lines += [
            f"Measured, a core: {1 / rate:,.0f} s of audio a second into {tokens}."
            for tokens, rate in data.encode_seconds.items()
        ]
    return [*lines, "Reckoned from those: time and disk. Fitting laws and the report are not in them."]


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _size(size: float) -> str:
    for limit, unit in ((1e12, "TB"), (1e9, "GB")):
        if size >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size / 1e6:.1f} MB"
