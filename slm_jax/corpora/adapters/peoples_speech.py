"""The People's Speech (Galvez et al. 2021): manifests of documents, and flac files out of tar archives."""

import os
import pathlib
import re
from collections.abc import Iterator

from slm_jax.corpora.adapters.layout import expect, files, folders
from slm_jax.corpora.recording import Recording
from slm_jax.corpora.split import SPLITS
from slm_jax.errors import InputError
from slm_jax.files import stream_jsonl

LAYOUT = (
    "manifests (*.json or *.jsonl) in it or in train, validation and test, such as train/clean.json, with "
    "the files of their tar archives beside them or in a folder of the same name, such as train/clean/"
)


def peoples_speech(root: str | os.PathLike) -> Iterator[Recording]:
    """The utterances that manifests list, with text; the speaker is the document they are cut from.

    The split is that of a manifest's folder (train, validation, test) or of a word in its name
    (flac_train_manifest.jsonl); utterances of one document share theirs in any case. A file a manifest names
    is looked for below the manifest's folder and the folder named as the manifest; one that is not there is
    listed as well: loading it says that it is missing. Raises InputError for another layout, or naming file
    and line of a document that is none.
    """
    return expect(_recordings(pathlib.Path(root)), root, LAYOUT)


def _recordings(root: pathlib.Path) -> Iterator[Recording]:
    for folder in (root, *folders(root)):
        for manifest in files(folder, ".json", ".jsonl"):
            words = [folder.absolute().name, *re.split(r"[^a-z]+", manifest.stem)]
            split = next((SPLITS[word] for word in words if word in SPLITS), None)
            for number, row in stream_jsonl(manifest):
                yield from _document(row, f"{manifest}, line {number}", manifest, split)


def _document(row: dict, where: str, manifest: pathlib.Path, split: str | None) -> Iterator[Recording]:
    data = row.get("training_data")
    names, texts, ms = (
        data.get(key) if isinstance(data, dict) else None for key in ("name", "label", "duration_ms")
    )
    if not (
        all(isinstance(each, list) for each in (names, texts, ms)) and len(names) == len(texts) == len(ms)
    ):
        raise InputError(
            f'{where}: expected "training_data" with lists "name", "label" and "duration_ms" of one length'
        )
    document = str(row.get("audio_document_id", row.get("identifier", "unknown")))
    for name, text in zip(names, texts, strict=True):
        relative = pathlib.PurePosixPath(name)
        inside = manifest.with_suffix("") / relative
        yield Recording(
            id=str(relative.with_suffix("")),
            path=inside if inside.exists() else manifest.parent / relative,
            speaker=document,
            source="peoples_speech",
            split=split,
            text=text or None,
            parent=document,
        )
