"""How figures name tasks and losses."""

from slm_jax.scaling.formatting import TASK_NAMES, format_task
from slm_jax.scaling.table import MEASURED


def task_title(task: str) -> str:
    """A task at the beginning of a title."""
    title = format_task(task)
    return title if title.startswith(tuple(TASK_NAMES.values())) else title[:1].upper() + title[1:]


def loss_label(sources: tuple[str, ...], measured: str) -> str:
    """The label of an axis of losses: `measured`, or where they come from when none was measured."""
    (source, *more) = set(sources) or {""}
    return measured if more or source in MEASURED else f"{source[:1].upper()}{source[1:]} (nats per token)"
