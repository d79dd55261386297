"""The layout of the ZeroSpeech 2021 benchmark: PART/SPLIT/gold.csv beside the wav files that it names."""

import os
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.recording import Recording
from slm_jax.corpora.tasks.csv_rows import csv_rows
from slm_jax.corpora.tasks.task import pair_fields
from slm_jax.errors import InputError

SPLITS = ("dev", "test")
GOLD = "gold.csv"
LABELS = {"1": True, "0": False}


def find_gold(root: pathlib.Path, part: str, split: str) -> tuple[str, pathlib.Path]:
    """The split and the gold.csv of `part` ("syntactic" or "lexical") at or below `root`.

    `root` may be the folder of the data set, one above it, the part's or the split's. Raises InputError when
    there is none, when there are several and `split` does not choose, and when the split has no gold.csv.
    """
    if split not in ("", *SPLITS):
        raise InputError(f"split {split!r}: ZeroSpeech 2021 has the splits {' and '.join(SPLITS)}")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the folder of the ZeroSpeech 2021 data set")
    if (root / GOLD).is_file():
        own = root.resolve().name
        if own in SPLITS and split not in ("", own):
            raise InputError(f"{root}: is the {own} split, but {split!r} is wanted; give the folder above it")
        return own if own in SPLITS else split or "unnamed", root / GOLD
    splits = [folder for folder in _split_folders(root, part) if split in ("", folder.name)]
    found = [folder for folder in splits if (folder / GOLD).is_file()]
    if not found and splits:
        raise InputError(
            f"{splits[0]}: has no {GOLD}, which says what is good and bad; choose the other split, or add "
            f"{GOLD} from a release of the data set that has it"
        )
    if not found:
        raise InputError(
            f"{root}: neither {part}/dev/{GOLD} nor {part}/test/{GOLD} is at or below it; give the folder "
            "that the ZeroSpeech 2021 data set was unpacked to"
        )
    if len(found) > 1:
        names = sorted({folder.name for folder in found})
        fix = f"choose the split {' or '.join(names)}" if len(names) == len(found) else "give one of these"
        raise InputError(f"{root}: holds {', '.join(str(folder / GOLD) for folder in found)}; {fix}")
    return found[0].name, found[0] / GOLD


def _split_folders(root: pathlib.Path, part: str) -> list[pathlib.Path]:
    parts = [root, root / part, *sorted(root.glob(f"*/{part}"))]
    return [folder / split for folder in parts for split in SPLITS if (folder / split).is_dir()]


def gold_rows(
    gold: pathlib.Path, columns: tuple[str, ...], wanted: str
) -> Iterator[tuple[str, dict, pathlib.Path]]:
    """Each row of a gold.csv with where it stands and the wav file that it names.

    The row has `filename` without its suffix and `correct` as a bool. Raises InputError naming the line for a
    file that is not there, an empty field or a label that is neither 1 nor 0.
    """
    folder = gold.parent
    present = {entry.name for entry in os.scandir(folder)}
    required = ("filename", "id", "voice", "correct", *columns)
    for where, row in csv_rows(gold, required, wanted):
        for column in ("filename", "id", "voice"):
            if not row[column].strip():
                raise InputError(f"{where}: the field {column!r} is empty; restore {GOLD}")
        if row["correct"].strip() not in LABELS:
            raise InputError(f"{where}: 'correct' is {row['correct']!r}; write 1 or 0")
        name = row["filename"].removesuffix(".wav")
        if f"{name}.wav" not in present:
            raise InputError(
                f"{where}: names {name}.wav, which is not in {folder}; unpack the audio of the split there "
                "(the wav files lie beside gold.csv), or get the archive again if it was cut"
            )
        labels = {"filename": name, "correct": LABELS[row["correct"].strip()]}
        yield where, row | labels, folder / f"{name}.wav"


def gold_recording(
    row: dict, path: pathlib.Path, *, task: str, split: str, group: str, phenomenon: str, text: str
) -> Recording:
    """The candidate that a row of `gold_rows` describes; `text` is the column that says what is spoken."""
    return Recording(
        id=row["filename"],
        path=path,
        speaker=row["voice"],
        source=task,
        split=split,
        text=row.get(text) or None,
        fields=pair_fields(group, phenomenon, row["voice"], row["correct"]),
    )
