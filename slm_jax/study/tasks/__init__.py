"""The kinds of tasks that a study can measure, one file each: a dataclass Task of its settings."""

import pathlib
from collections.abc import Iterable
from typing import Protocol

from slm_jax.corpora import Recording


class Task(Protocol):
    """Questions with a good and bad candidates. Its fields are settings in the config of a study."""

    modalities: tuple[str, ...]  # "speech", "text"; arms of others are not measured on it

    def write(self, folder: pathlib.Path, seed: int) -> None:
        """Writes into an empty folder what `recordings` needs; the same arguments give the same bytes."""

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        """The candidates, with group, phenomenon, voice and correct among their fields."""
