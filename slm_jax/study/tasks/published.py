"""A published task from where its data were unpacked to: sBLIMP, StoryCloze, BLiMP, SALMon, ..."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

from slm_jax.corpora import TASKS, Recording, TaskData, open_task, spoken
from slm_jax.errors import InputError
from slm_jax.files import read_json, write_json
from slm_jax.study.written import EVERY_VOICE, SPEECH, TEXT

SPEECH_TASKS = ("sblimp", "swuggy", "sstorycloze", "tstorycloze", "salmon")


@dataclasses.dataclass(frozen=True)
class Task:
    """`task` of corpora.TASKS, its data at `path` (docs/tasks.md); a text task is spoken in `voices`."""

    task: str = ""
    path: str = ""
    split: str = ""
    voices: tuple[str, ...] = EVERY_VOICE

    def __post_init__(self):
        if self.task not in TASKS:
            raise InputError(f"task is {self.task!r}: choose one of {', '.join(TASKS)}")
        if not self.path:
            raise InputError("path is empty: give where the data of the task were unpacked to")

    @property
    def modalities(self) -> tuple[str, ...]:
        return (SPEECH,) if self.task in SPEECH_TASKS else (SPEECH, TEXT)

    def write(self, folder: pathlib.Path, seed: int) -> None:
        place = os.path.abspath(self.path)
        found = open_task(self.task, place, self.split)
        write_json(folder / "task.json", {"path": place, "found": found.found})

    def recordings(self, folder: pathlib.Path, modality: str) -> Iterable[Recording]:
        return self._task(folder, modality).recordings

    def _task(self, folder: pathlib.Path, modality: str) -> TaskData:
        task = open_task(self.task, read_json(folder / "task.json")["path"], self.split)
        return spoken(task, self.voices) if task.modality == "text" and modality == SPEECH else task
