"""LibriLight (Kahn et al. 2020): whole files with their metadata, or the pieces its cut_by_vad.py writes."""

import os
import pathlib
import re
from collections.abc import Iterator

from slm_jax.corpora.adapters.layout import expect, files, folders
from slm_jax.corpora.recording import Recording, as_text, part_id
from slm_jax.errors import InputError
from slm_jax.files import read_json

SUBSETS = ("small", "medium", "large", "duplicate")
LAYOUT = (
    "SUBSET/SPEAKER/BOOK/*.flac and *.json (SUBSET one of small, medium, large, duplicate), or the output of "
    "cut_by_vad.py, SPEAKER/BOOK/NAME_0000.flac"
)


def librilight(root: str | os.PathLike, *, voice_activity: bool = False) -> Iterator[Recording]:
    """The files of LibriLight's subsets, or the pieces its cut script made of them.

    `root` holds the subsets, or is one of them, or the folder the cut script wrote. With `voice_activity`
    each stretch of speech in a file's metadata is a recording; without, the whole file is. There are no
    published splits: pieces and stretches of one file share theirs. A file that has metadata but is not there
    is listed as well: loading it says that it is missing. Raises InputError for another layout or metadata.
    """
    return expect(_recordings(pathlib.Path(root), voice_activity), root, LAYOUT)


def _recordings(root: pathlib.Path, voice_activity: bool) -> Iterator[Recording]:
    for subset in [root / name for name in SUBSETS if (root / name).is_dir()] or [root]:
        for speaker in folders(subset):
            for book in folders(speaker):
                described = {path.stem for path in files(book, ".json")}
                audio = {path.stem: path for path in files(book, ".flac", ".wav")}
                for stem in sorted(audio.keys() | described):
                    name = f"{speaker.name}/{book.name}/{stem}"
                    piece = None if stem in described else re.fullmatch(r"(.+)_\d{4}", name)
                    recording = Recording(
                        id=as_text(name),
                        path=audio.get(stem, book / f"{stem}.flac"),
                        speaker=as_text(speaker.name),
                        source="librilight",
                        parent=as_text(piece[1]) if piece else None,
                    )
                    if voice_activity and stem in described:
                        yield from _stretches(recording, book / f"{stem}.json")
                    else:
                        yield recording


def _stretches(recording: Recording, metadata: pathlib.Path) -> Iterator[Recording]:
    content = read_json(metadata)
    try:
        stretches = [(float(start), float(end)) for start, end in content["voice_activity"]]
    except (TypeError, KeyError, ValueError):
        raise InputError(
            f'{metadata}: no list of [start, end] under "voice_activity"; use whole files'
        ) from None
    for start, end in stretches:
        yield Recording(
            id=part_id(recording.id, start),
            path=recording.path,
            speaker=recording.speaker,
            source=recording.source,
            start=start,
            seconds=end - start,
            parent=recording.id,
        )
