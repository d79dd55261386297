"""Numbers as a table of text: columns aligned, thousands separated, a dash where there is no number."""

from collections.abc import Callable, Sequence

DASH = "-"


def format_table(rows: Sequence[dict], columns: dict[str, str | Callable]) -> str:
    """One line a row under the names of `columns`, {key of the rows: format of its values, or a function}.

    Text stands at the left of its column, numbers at the right; None is a dash.
    """
    names = [name.replace("_", " ") for name in columns]
    cells = [[_cell(row[name], form) for name, form in columns.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    left = [any(isinstance(row[name], str) for row in rows) for name in columns]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in [names, *cells]
    )


def format_hours(hours: float) -> str:
    """Two decimals, and three digits below an hour."""
    return f"{hours:,.2f}" if hours >= 1 else f"{hours:.3g}"


def _cell(value, form: str | Callable) -> str:
    if value is None:
        return DASH
    return form.format(value) if isinstance(form, str) else form(value)
