"""sBLIMP: grammatical against ungrammatical sentences in 4 voices (Nguyen et al. 2020, arXiv:2011.11588)."""

import pathlib
from collections.abc import Iterator

from slm_jax.corpora.recording import Recording
from slm_jax.corpora.tasks.found import Counts
from slm_jax.corpora.tasks.task import TaskData, task_data
from slm_jax.corpora.tasks.zerospeech import find_gold, gold_recording, gold_rows

PUBLISHED = {
    "dev": Counts(questions=25_200, pairs=6_300, voices=4, phenomena=12),
    "test": Counts(pairs=63_000, phenomena=12),
}
WANTED = "the gold.csv of syntactic/dev or syntactic/test"


def sblimp(root: pathlib.Path, split: str = "") -> TaskData:
    """The pairs of a split: a pair is a (type, subtype, id), its phenomenon the type."""
    split, gold = find_gold(root, "syntactic", split)
    return task_data(
        "sblimp", "audio", split, _candidates(gold, split), gold=gold, published=PUBLISHED.get(split)
    )


def _candidates(gold: pathlib.Path, split: str) -> Iterator[tuple[str, Recording]]:
    for where, row, path in gold_rows(gold, ("type", "subtype"), WANTED):
        group = f"{row['type']}/{row['subtype']}/{row['id']}"
        yield (
            where,
            gold_recording(
                row,
                path,
                task="sblimp",
                split=split,
                group=group,
                phenomenon=row["type"],
                text="transcription",
            ),
        )
