"""TED-LIUM 3 (Hernandez et al. 2018), as openslr.org/51 unpacks: whole talks, and segments in STM files."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.adapters.layout import expect, files
from slm_jax.corpora.recording import Recording, part_id
from slm_jax.corpora.split import SPLITS
from slm_jax.errors import InputError
from slm_jax.files import stream_lines

PARTS = ("train", "dev", "test")
NOT_SPEECH = "inter_segment_gap"
UNTRANSCRIBED = "ignore_time_segment_in_scoring"
LAYOUT = (
    "TEDLIUM_release-3/legacy/{train,dev,test}/{sph,stm} (its splits), or another folder with sph and stm, "
    "such as TEDLIUM_release-3/data"
)


def tedlium3(root: str | os.PathLike) -> Iterator[Recording]:
    """The segments of the STM files as parts of the talks, with text; gaps between segments are left out.

    `root` is TEDLIUM_release-3/ (or the folder it lies in): its legacy/ distribution gives the splits. It may
    also be a folder with sph/ and stm/, whose talks are split by hash unless it is named train, dev or test.
    A segment whose talk is not there is listed as well: loading it says that it is missing. Raises InputError
    for another layout, or naming file and line of a segment that is none.
    """
    return expect(_recordings(pathlib.Path(root)), root, LAYOUT)


def _recordings(root: pathlib.Path) -> Iterator[Recording]:
    for folder in (root / "TEDLIUM_release-3", root):
        if (folder / "legacy").is_dir():
            folder = folder / "legacy"
        parts = [folder / name for name in PARTS if (folder / name / "stm").is_dir()]
        parts = parts or [part for part in (folder / "data", folder) if (part / "stm").is_dir()][:1]
        for part in parts:
            for path in files(part / "stm", ".stm"):
                yield from _segments(path, part / "sph", SPLITS.get(part.absolute().name))
        if parts:
            return


def _segments(path: pathlib.Path, audio: pathlib.Path, split: str | None) -> Iterator[Recording]:
    for number, line in stream_lines(path):
        if not line.strip() or line.startswith(";;"):  # a comment
            continue
        try:
            talk, _, speaker, start, end, _, *words = line.split()
            start, seconds = float(start), round(float(end) - float(start), 6)
        except ValueError:
            start = seconds = -1.0
        if not (start >= 0 and seconds > 0):
            raise InputError(
                f"{path}, line {number}: expected NAME CHANNEL SPEAKER START END <LABELS> TEXT with times in "
                f"seconds, found {line[:60]!r}"
            )
        text = " ".join(words)
        if speaker != NOT_SPEECH and text != UNTRANSCRIBED:
            yield Recording(
                id=part_id(talk, start),
                path=audio / f"{talk}.sph",
                speaker=speaker,
                source="tedlium3",
                split=split,
                text=text or None,
                start=start,
                seconds=seconds,
                parent=talk,
            )
