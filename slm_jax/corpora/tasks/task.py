"""What a task is: the candidates of its questions, checked, and what was found of it."""

import collections
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable

from slm_jax.corpora.question import check_question
from slm_jax.corpora.recording import TEXT, Recording, unique
from slm_jax.corpora.tasks.found import Counts, describe
from slm_jax.errors import InputError

UNNAMED_VOICE = "unknown"  # of audio that does not say who speaks
WRITTEN_VOICE = "text"  # of candidates that nobody speaks
NO_AUDIO = pathlib.Path(TEXT)


@dataclasses.dataclass(frozen=True)
class TaskData:
    """A task as it lies on the disk.

    `modality` is "audio", "text" (recordings have `text` and no audio) or "units" (recordings have a list of
    unit ids in `fields`). `recordings` carry group, phenomenon, voice and correct in `fields`, as pairs
    manifests do. `found` are plain lines: what is scored, and its counts beside the published ones.
    """

    name: str
    modality: str
    split: str
    recordings: list[Recording]
    found: list[str]

    @property
    def fingerprint(self) -> str:
        """Of all that its candidates say, and of where their audio is; not of the audio itself."""
        digest = hashlib.sha256()
        for recording in self.recordings:
            digest.update(repr(recording).encode())
        return digest.hexdigest()


def task_data(
    name: str,
    modality: str,
    split: str,
    located: Iterable[tuple[str, Recording]],
    *,
    gold: pathlib.Path,
    published: Counts | None = None,
) -> TaskData:
    """The task of candidates, each with its "FILE, line N" or its path; `gold` is what says which is good.

    Raises InputError naming file and line for an id that occurs twice, for an empty text, and for a question
    (a group in a voice) without exactly one good and at least one bad candidate.
    """
    located = list(located)
    recordings = unique(located)
    if not recordings:
        raise InputError(f"{gold}: holds no questions; give the folder of the whole task")
    check_questions(located)
    return TaskData(name, modality, split, recordings, describe(name, split, recordings, gold, published))


def pair_fields(group: str, phenomenon: str, voice: str, correct: bool) -> dict:
    """The fields that make a recording a candidate of a minimal pair."""
    return {"group": group, "phenomenon": phenomenon, "voice": voice, "correct": correct}


def only_split(name: str, wanted: str, split: str = "test") -> str:
    """The split of a task that has one; InputError when another is wanted."""
    if wanted not in ("", split):
        raise InputError(f"split {wanted!r}: {name} has the one split {split!r}; leave the split out")
    return split


def check_questions(located: Iterable[tuple[str, Recording]]) -> None:
    questions: dict[tuple[str, str], list[tuple[str, Recording]]] = collections.defaultdict(list)
    phenomena: dict[str, str] = {}
    for where, recording in located:
        fields = recording.fields
        if recording.path == NO_AUDIO and not (recording.text or "").strip():
            raise InputError(f"{where}: the candidate {recording.id!r} is empty; write its text")
        known = phenomena.setdefault(fields["group"], fields["phenomenon"])
        if known != fields["phenomenon"]:
            raise InputError(
                f"{where}: group {fields['group']!r} is of phenomenon {fields['phenomenon']!r} here and of "
                f"{known!r} above; give groups names of their own"
            )
        questions[fields["group"], fields["voice"]].append((where, recording))
    for (group, voice), members in questions.items():
        good = [where for where, recording in members if recording.fields["correct"]]
        check_question(
            good[1] if len(good) > 1 else members[0][0],
            group,
            voice,
            good=len(good),
            bad=len(members) - len(good),
            fix="correct its candidates, or leave the question out",
        )
