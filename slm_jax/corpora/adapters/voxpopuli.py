"""VoxPopuli (Wang et al. 2021) in English: raw sessions, pieces of them, or transcribed speech."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.adapters.layout import expect, files, folders
from slm_jax.corpora.recording import UNKNOWN_SPEAKER, Recording
from slm_jax.corpora.split import SPLITS
from slm_jax.errors import InputError
from slm_jax.files import stream_lines

LANGUAGE = "en"
PARTS = ("train", "dev", "test")
RAW, PIECES, TRANSCRIBED = "raw_audios", "unlabelled_data", "transcribed_data"
LAYOUT = (
    f"{RAW}/en/YEAR/*.ogg (sessions of hours), {PIECES}/en/YEAR/*.ogg (as get_unlabelled_data.py cuts them), "
    f"or {TRANSCRIBED}/en/YEAR/*.ogg and {TRANSCRIBED}/en/asr_{{train,dev,test}}.tsv"
)


def voxpopuli(root: str | os.PathLike) -> Iterator[Recording]:
    """English sessions, pieces of them, or transcribed utterances: `root` is the folder of one of these.

    Sessions and pieces have no speaker, and are split by the hash of the session; they are hours long, so cut
    them with `segment`. Transcribed utterances have VoxPopuli's splits, text and speakers; one that has no
    file is listed as well: loading it says that it is missing. Raises InputError for another layout, when the
    same speech lies there in several forms, or naming file and line of an utterance that is none.
    """
    return expect(_recordings(pathlib.Path(root)), root, LAYOUT)


def _recordings(root: pathlib.Path) -> Iterator[Recording]:
    kinds = [name for name in (RAW, PIECES, TRANSCRIBED) if (root / name / LANGUAGE).is_dir()]
    if len(kinds) > 1:
        raise InputError(
            f"{root}: holds the same speech as {' and '.join(kinds)}; name the folder of one of them"
        )
    if kinds:
        root = root / kinds[0]
    kind = kinds[0] if kinds else root.absolute().name
    if kind == TRANSCRIBED:
        yield from _transcribed(root / LANGUAGE)
    elif kind in (RAW, PIECES):
        yield from _sessions(root / LANGUAGE, cut=kind == PIECES)


def _sessions(folder: pathlib.Path, cut: bool) -> Iterator[Recording]:
    for year in folders(folder):
        for path in files(year, ".ogg"):
            parent = path.stem.rpartition("_")[0] if cut else None
            yield Recording(path.stem, path, speaker=UNKNOWN_SPEAKER, source="voxpopuli", parent=parent)


def _transcribed(folder: pathlib.Path) -> Iterator[Recording]:
    for name in PARTS:
        path = folder / f"asr_{name}.tsv"
        if not path.exists():
            continue
        lines = stream_lines(path)
        columns = next(lines, (1, ""))[1].split("\t")
        for number, line in lines:
            row = dict(zip(columns, line.split("\t"), strict=False))
            if not line:
                continue
            if not {"id", "normalized_text", "speaker_id"} <= row.keys():
                raise InputError(
                    f"{path}, line {number}: expected the columns id, normalized_text and speaker_id, which "
                    f"line 1 names, found {line[:60]!r}"
                )
            yield Recording(
                id=row["id"],
                path=folder / row["id"][:4] / f"{row['id']}.ogg",
                speaker=row["speaker_id"] or UNKNOWN_SPEAKER,
                source="voxpopuli",
                split=SPLITS[name],
                text=row["normalized_text"] or row.get("raw_text") or None,
            )
