"""LibriSpeech (Panayotov et al. 2015), as openslr.org/12 unpacks."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.adapters.layout import expect, files, folders
from slm_jax.corpora.recording import Recording
from slm_jax.errors import InputError
from slm_jax.files import stream_lines

SUBSETS = {
    "dev-clean": "validation",
    "dev-other": "validation",
    "test-clean": "test",
    "test-other": "test",
    "train-clean-100": "train",
    "train-clean-360": "train",
    "train-other-500": "train",
}
LAYOUT = f"LibriSpeech/SUBSET/SPEAKER/CHAPTER/*.flac and *.trans.txt, SUBSET one of {', '.join(SUBSETS)}"


def librispeech(root: str | os.PathLike) -> Iterator[Recording]:
    """The utterances of the subsets that are there, in LibriSpeech's splits, with text and `subset`.

    `root` is LibriSpeech/ or the folder it lies in. An utterance that has a transcript but no file is listed
    as well: loading it says that it is missing. Raises InputError for another layout or a broken transcript.
    """
    return expect(_recordings(pathlib.Path(root)), root, LAYOUT)


def _recordings(root: pathlib.Path) -> Iterator[Recording]:
    if (root / "LibriSpeech").is_dir():
        root = root / "LibriSpeech"
    for subset, split in SUBSETS.items():
        for speaker in folders(root / subset):
            for chapter in folders(speaker):
                texts = _transcripts(chapter)
                for id in sorted({path.stem for path in files(chapter, ".flac")} | texts.keys()):
                    yield Recording(
                        id=id,
                        path=chapter / f"{id}.flac",
                        speaker=speaker.name,
                        source="librispeech",
                        split=split,
                        text=texts.get(id),
                        fields={"subset": subset},
                    )


def _transcripts(chapter: pathlib.Path) -> dict[str, str]:
    texts = {}
    for path in files(chapter, ".txt"):
        for number, line in stream_lines(path):
            id, _, text = line.partition(" ")
            if line and not text:
                raise InputError(f"{path}, line {number}: expected an id and its text, found {line[:60]!r}")
            if line:
                texts[id] = text
    return texts
