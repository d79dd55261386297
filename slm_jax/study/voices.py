"""Voices that a task asks about and no corpus is spoken by."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slm_jax.study.written import SPEECH, TEXT

if TYPE_CHECKING:
    from slm_jax.study.config import StudyConfig


def unheard_voices(config: "StudyConfig") -> list[str]:
    """A sentence for each task that is spoken in voices which the models of an arm never heard.

    Known of kinds with a setting `voices` that names them. A task of speech alone is taken for recordings,
    which have voices of their own.
    """
    found = []
    for task, fields in config.tasks.items():
        asked = _voices(fields) if TEXT in config.task(task).modalities else set()
        arms: dict[tuple[str, ...], list[str]] = {}
        for arm in config.arms:
            arms.setdefault(tuple(sorted(asked - _heard(config, arm, asked))), []).append(arm)
        found += [
            f"config.tasks.{task}.voices: no corpus of {' and '.join(names)} is spoken by "
            f"{', '.join(unheard)}; give the task the voices of the corpus, unless it is to ask about voices "
            "that the models never heard"
            for unheard, names in arms.items()
            if unheard
        ]
    return found


def _heard(config: "StudyConfig", arm: str, asked: set[str]) -> set[str]:
    """The voices of an arm's corpora; those `asked` where they are not known, or the arm reads text."""
    corpora = [_voices(config.corpora[corpus]) for corpus in config.arms[arm].corpora]
    if config.tokens_of(config.arms[arm].tokens).modality != SPEECH or not all(corpora):
        return asked
    return set.union(*corpora)


def _voices(fields: Mapping) -> set[str]:
    """Those that a corpus or a task names."""
    voices = fields.get("voices")
    return set(voices) if isinstance(voices, tuple) else set()
