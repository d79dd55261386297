"""A result as a table for the terminal."""


def format_table(result: dict) -> str:
    """One line a phenomenon, then macro and micro accuracy, in percent with their 95 % intervals."""
    accuracy, model = result["accuracy"], result["model"]
    totals = {"pairs": result["pairs"], "questions": result["questions"]}
    rows = [("phenomenon", "pairs", "questions", "accuracy %", "95 % interval")]
    rows += [_row(name, numbers) for name, numbers in accuracy["phenomena"].items()]
    rows += [_row(name, accuracy[name] | totals) for name in ("macro", "micro")]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(lines[0])
    title = f"{result['task']}: {model['name'] or model['run']} at step {model['checkpoint_step']}"
    return "\n".join([title, "", lines[0], rule, *lines[1:-2], rule, *lines[-2:]])


def _row(name: str, numbers: dict) -> tuple[str, ...]:
    value, low, high = (f"{100 * numbers[key]:.1f}" for key in ("value", "low", "high"))
    return name, f"{numbers['pairs']:,}", f"{numbers['questions']:,}", value, f"{low:>5} to {high:>5}"
