"""A claim's number in one plain sentence."""

from slm_jax.scaling import CANNOT_TELL, SUPPORTED, format_task, places_for_interval
from slm_jax.study.folder import LOSS
from slm_jax.study.measures import GROWTH


def name_of(arm: str) -> str:
    return arm.replace("_", " ")


def sentence(claim: dict) -> str:
    """What the runs say of a claim, to people: the number, its interval, and what it does not rule out."""
    better, other = map(name_of, claim["arms"])
    found, measure = claim["estimate"], claim["measure"]
    if found is None:
        if claim["verdict"] == CANNOT_TELL:
            return f"These runs cannot tell: {claim['because']}."
        faster, slower = (better, other) if claim["verdict"] == SUPPORTED else (other, better)
        said = f"Accuracy on {format_task(measure.removeprefix(GROWTH))} grows faster with compute"
        return f"{said} for {faster} than for {slower}: {claim['because']}."
    if measure.startswith(GROWTH):
        number, interval = _numbers(found, "", beside=1.0)
        task = format_task(measure.removeprefix(GROWTH))
        said = f"Accuracy on {task} grows {number} times as fast with compute for {better} as for {other}"
    elif claim["unit"] == "accuracy":
        points = {end: value if value is None else 100 * value for end, value in found.items()}
        number, interval = _numbers(points, "+")
        more = "more" if found["value"] >= 0 else "less"
        task = format_task(measure)
        said = f"At equal compute, {better} is {number} points {more} accurate on {task} than {other}"
        interval = interval and f"{interval} points"
    else:
        number, interval = _numbers(found, "+")
        more, what = "higher" if found["value"] >= 0 else "lower", "token" if measure == LOSS else "second"
        said = f"At equal compute, the loss of {better} per {what} is {number} % {more} than that of {other}"
        interval = interval and f"{interval} %"
    if interval is None:
        return f"{said}; {claim['because']}."
    if claim["verdict"] != CANNOT_TELL:
        return f"{said} (95 % interval {interval})."
    undecided = "grows faster" if measure.startswith(GROWTH) else "is better"
    return f"{said} (95 % interval {interval}), which leaves open which {undecided}."


def _numbers(found: dict, sign: str, beside: float = 0.0) -> tuple[str, str | None]:
    """The size of an estimate, without its sign where the interval has one, and its interval."""
    low, high = found["low"], found["high"]
    places = None if low is None else places_for_interval(low, high, beside)
    write = ".3g" if places is None else f".{places}f"
    number = f"{abs(found['value']):{write}}"
    if low is None:
        return number, None
    ends = (f"{end:{sign}z{write}}" if "f" in write else f"{end:{sign}{write}}" for end in (low, high))
    return number, " to ".join(ends).replace("-", "−")
