"""What two arms of a study can be compared on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slm_jax.study.folder import LOSS

if TYPE_CHECKING:
    from slm_jax.study.config import StudyConfig

LOSS_PER_SECOND, GROWTH = "loss_per_second", "growth of "  # beside LOSS and tasks


def measures(config: "StudyConfig", better: str, other: str) -> list[str]:
    """The measures of claims about two arms.

    Tasks of both, and how accuracy on them grows. Losses only on the same corpus: per token in the same
    tokens, per second also in tokens that are made of the same ones (`needs`), which are taken to spell them
    without loss. What has fewer units, or fewer a second, says less, and has fewer nats to lose.
    """
    tasks = [task for task in config.tasks_of(better) if task in config.tasks_of(other)]
    found = [*tasks, *(f"{GROWTH}{task}" for task in tasks)]
    one, two = config.arms[better], config.arms[other]
    if one.corpus != two.corpus:
        return found
    needs = {name: config.tokens_of(name).needs for name in config.tokens}
    if _made_of(one.tokens, needs) == _made_of(two.tokens, needs):
        found.append(LOSS_PER_SECOND)
    if one.tokens == two.tokens:
        found.append(LOSS)
    return found


def _made_of(tokens: str, needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The tokens at the end of all chains of `needs`: the units of pieces, or of pieces of pieces."""
    found, left = {tokens}, [tokens]
    while left:
        new = set(needs[left.pop()]) - found
        found |= new
        left += new
    return {name for name in found if not needs[name]}
