"""fairseq's TSV manifests, as wav2vec_manifest.py writes them for wav2vec 2.0, HuBERT and GSLM."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.recording import Recording
from slm_jax.corpora.split import SPLITS
from slm_jax.errors import InputError
from slm_jax.files import stream_lines


def stream_tsv(path: str | os.PathLike) -> Iterator[tuple[str, Recording]]:
    """The recordings of a TSV manifest one by one, each with its "FILE, line N".

    The first line is the folder of the audio (relative to the manifest's, unless absolute), every other one
    a path below it, a tab, and the number of frames. Id, speaker and source are as in a scanned folder. The
    names train.tsv, valid.tsv (or dev.tsv) and test.tsv decide the split. Raises InputError naming file and
    line for a folder that is not there, a line of another form, or a manifest without recordings.
    """
    path = pathlib.Path(path)
    lines = stream_lines(path)
    root = path.parent / next(lines, (1, ""))[1].strip()
    if not root.is_dir():
        raise InputError(f"{path}, line 1: {root} is no folder; write the folder the paths below start from")
    where = None
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        audio, tab, frames = line.partition("\t")
        if not (tab and audio and frames.isascii() and frames.isdigit()):
            raise InputError(f"{where}: expected a path, a tab and the number of frames, found {line[:60]!r}")
        relative = pathlib.PurePosixPath(audio)
        yield (
            where,
            Recording(
                id=str(relative.with_suffix("")),
                path=root / audio,
                speaker=relative.parent.name or "unknown",
                source=root.resolve().name,
                split=SPLITS.get(path.stem),
            ),
        )
    if where is None:
        raise InputError(f"{path}: no recordings below the first line; write a path and its frames a line")
