"""The answers of laws.json in words: claims, laws in numbers, and what could not be said."""

from slm_jax.study.report.numbers import (
    GREEK,
    fixed,
    interval,
    percent,
    power,
    significant,
    task,
    typeset,
)

MOST_LOG10_FLOPS = 40  # a prediction beyond it says no more than "never"
MARKS = {"supported": "✓", "not supported": "✕", "cannot tell": "?"}
SYMBOLS = GREEK | {"exponent of C": "x"}
LAW_MEANINGS = {
    "E": "loss in nats per token that neither size nor data removes",
    "A": "scale of the term in parameters",
    "B": "scale of the term in tokens",
    "alpha": "how fast the loss falls with parameters",
    "beta": "how fast the loss falls with tokens",
}
ABSENT_NAMES = {
    "loss_law": "Loss law L(N, D) and the compute-optimal size",
    "compute_law": "Power law of loss in compute",
    "compute_floor": "Power law of loss in compute above an irreducible part",
    "data_constrained": "Loss law of repeated data",
    "isoflop": "Loss at equal compute (isoFLOP)",
    "envelope": "Envelope of the training curves",
}


def describe_group(name: str, group: dict) -> dict:
    """One group of runs (an arm, or a modality and tokenizer) as the page shows it."""
    return {
        "name": name,
        "claims": [_claim(claim) for claim in group["claims"]],
        "laws": _law_tables(group),
        "absent": {
            ABSENT_NAMES.get(key, f"Laws of {task(key)}"): reason for key, reason in group["absent"].items()
        },
        "warnings": group["warnings"],
    }


def claims_by_group(groups: list[dict]) -> list[dict]:
    """The claims as rows of a table: {claim, task, symbol, groups: name -> claim}."""
    rows: dict[tuple, dict] = {}
    for group in groups:
        for claim in group["claims"]:
            row = {"claim": claim["claim"], "task": claim["task"], "symbol": claim["symbol"], "groups": {}}
            rows.setdefault((claim["claim"], claim["task"]), row)["groups"][group["name"]] = claim
    return list(rows.values())


def merged(found: dict[str, list]) -> list[tuple]:
    """(what, names of the groups that say so), each once."""
    names: dict = {}
    for group, items in found.items():
        for item in items:
            names.setdefault(item, []).append(group)
    return list(names.items())


def look_of(verdict: str) -> dict:
    """How a verdict is shown: told apart by its mark and its border, as well as by colour."""
    return {"verdict": verdict, "mark": MARKS.get(verdict, ""), "look": verdict.replace(" ", "-")}


def describe_comparisons(laws: dict) -> list[dict]:
    """Claims that compare two groups: whose accuracy grows faster with compute, and by how much."""
    return [
        {
            "claim": f"Accuracy grows faster with compute for {row['faster']} than for {row['slower']}",
            "task": task(row["task"]),
            "faster": row["faster"],
            "slower": row["slower"],
            "symbol": "ratio of γ",
            "number": (ratio := interval(row["gamma_ratio"], beside=1.0)),
            "reading": f"One decade of {row['faster']} compute is worth {ratio} "
            f"decades of {row['slower']} compute. {_reach(row)}",
            "why": "" if row["verdict"] == "supported" else "The interval does not exclude a ratio of 1.",
            **look_of(row["verdict"]),
        }
        for row in laws["comparisons"]
    ]


def _reach(row: dict) -> str:
    """The compute the slower group would need for the best accuracy of the faster."""
    level = next(level for level in row["levels"] if level["best_of"] == row["faster"])
    logs = {end: log for end, log in level["log10_flops"][row["slower"]].items() if log is not None}
    if any(log > MOST_LOG10_FLOPS for log in logs.values()):
        return ""
    place = {end: 10**log for end, log in logs.items()}
    interval_of = f" [{power(place['low'])}, {power(place['high'])}]" if len(place) == 3 else ""
    how = ", extrapolated" if row["slower"] in level["extrapolated"] else ""
    if row["slower"] in level["saturated"]:
        how += " and as if it did not saturate below"
    best = f"the best {row['faster']} run ({level['accuracy']:.2f})"
    return f"To reach {best}, {row['slower']} would need {power(place['value'])}{interval_of} FLOPs{how}."


def _claim(claim: dict) -> dict:
    found = claim["estimate"]
    read = READINGS.get(claim["symbol"])
    value, _, bounds = interval(found, beside=0.0).partition(" [")
    return {
        "claim": claim["claim"],
        "task": task(claim["task"] or ""),
        "symbol": SYMBOLS.get(claim["symbol"], claim["symbol"]),
        "number": interval(found, beside=0.0),
        "value": value,
        "bounds": f"[{bounds}" if bounds else "",
        "reading": read(found) if read and found else "",
        "why": _why(claim),
        **look_of(claim["verdict"]),
    }


def _why(claim: dict) -> str:
    """The reason for the verdict, without the number, which stands beside it."""
    if claim["verdict"] == "cannot tell":
        if claim["estimate"] is None:
            return f"These runs cannot say: {typeset(claim['because'])}."
        if claim["estimate"]["low"] is None:
            return "There are too few runs for an interval."
        return f"These runs do not decide it: {typeset(claim['because'].rpartition('], ')[2])}."
    symbol = SYMBOLS.get(claim["symbol"], claim["symbol"])
    if claim["verdict"] == "not supported":
        return f"The whole interval of {symbol} contradicts it."
    side = "above" if claim["estimate"]["low"] > 0 else "below"
    return f"The whole interval of {symbol} lies {side} 0."


def _tenfold(exponent: dict) -> str:
    """The factor that ten times the compute brings, with its interval if there is one."""
    if exponent["low"] is None:
        return significant(10 ** exponent["value"])
    return interval({end: 10**number for end, number in exponent.items()})


READINGS = {
    "exponent of C": lambda found: f"L ∝ Cˣ: ten times the compute multiplies the loss by {_tenfold(found)}.",
    "a": lambda found: (
        f"N ∝ Cᵃ: ten times the compute is best spent on {_tenfold(found)} times the parameters."
    ),
    "r": lambda found: (
        f"Differences in loss account for {percent(found['value'] ** 2)} of the differences in accuracy "
        "between runs (r²)."
    ),
    "gamma": lambda found: f"Q ∝ Cᵞ: ten times the compute multiplies accuracy by {_tenfold(found)}.",
}


def _law_tables(group: dict) -> list[dict]:
    """Tables of {title, note, rows: [(symbol, meaning, number)]}."""
    tables = []
    law = group["loss_law"]
    if law:
        rows = [(SYMBOLS.get(key, key), text, interval(law[key])) for key, text in LAW_MEANINGS.items()]
        note = f"{law['starts_at_optimum']:,} of {law['starts']:,} starts of the fit reached this optimum."
        tables.append({"title": "Loss law L(N, D) = E + A/Nᵅ + B/Dᵝ", "note": note, "rows": rows})
    allocation = _allocation_rows(group)
    if allocation:
        note = (
            "Where ways to find a differ, trust none to more than their spread."
            if len(allocation) > 2
            else ""
        )
        tables.append({"title": "Best size for a budget, N ∝ Cᵃ", "note": note, "rows": allocation})
    power_law = group["compute_law"]
    if power_law:
        rows = [
            ("x", f"through {power_law['runs']} frontier runs", interval(power_law["exponent"])),
            ("R²", "of the line", fixed(power_law["r_squared"], 3)),
        ]
        tables.append({"title": "Loss along the frontier, L ∝ Cˣ", "note": "", "rows": rows})
    for name, found in group["tasks"].items():
        if found:
            tables.append({"title": f"Accuracy on {task(name)}", "note": "", "rows": _task_rows(found)})
    return tables


def _allocation_rows(group: dict) -> list[tuple]:
    frontier, isoflop, envelope = group["frontier"], group["isoflop"], group["envelope"]
    rows = []
    if frontier:
        rows.append(("a", "by the loss law", interval(frontier["a"])))
        rows.append(("b", "for tokens, D ∝ Cᵇ, by the loss law", interval(frontier["b"])))
    if isoflop and isoflop["exponent"]:
        budgets = sum(1 for budget in isoflop["budgets"] if budget["inside"])
        rows.append(("a", f"by isoFLOP parabolas ({budgets} budgets)", interval(isoflop["exponent"])))
    if envelope:
        rows.append(("a", f"by the envelope of {envelope['curves']} curves", interval(envelope["exponent"])))
    return rows


def _task_rows(found: dict) -> list[tuple]:
    rows, correlation, growth = [], found["correlation"], found["compute"]
    if correlation:
        low, high = correlation["fisher"]
        fisher = {"value": correlation["value"], "low": low, "high": high}
        rows.append(("r", f"correlation with loss, {found['runs']} runs", interval(correlation)))
        rows.append(("r", "the same, by Fisher’s z", interval(fisher)))
        rows.append(("slope", "accuracy per nat of loss", interval(found["line"]["slope"])))
    if growth:
        through = f"{growth['runs']} runs of the {growth['frontier']} per FLOP"
        rows.append(("γ", f"accuracy ∝ Cᵞ, through {through}", interval(growth["exponent"])))
        if "all_runs" in growth:
            rows.append(("γ", "the same through all runs", interval(growth["all_runs"])))
        if growth["saturation"]:
            level, where = growth["saturation"]["accuracy"], power(growth["saturation"]["flops"]["value"])
            rows.append(("Q", f"where accuracy stops growing, at {where} FLOPs", interval(level)))
    return rows
