"""A question: the candidates of a group in a voice, of which exactly one is good."""

from slm_jax.errors import InputError


def check_question(where: object, group: str, voice: str, *, good: int, bad: int, fix: str) -> None:
    """Raises InputError, saying `where` and how to `fix` it, unless 1 is good and at least 1 bad."""
    if good != 1 or bad < 1:
        raise InputError(
            f"{where}: question {group!r} in voice {voice!r} has {good} good and {bad} bad candidates, but "
            f"needs 1 good and at least 1 bad; {fix}"
        )
