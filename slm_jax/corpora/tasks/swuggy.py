"""sWUGGY: words against non-words in 4 voices (Nguyen et al. 2020, arXiv:2011.11588)."""

import math
import pathlib
from collections.abc import Iterator

from slm_jax.corpora.recording import Recording
from slm_jax.corpora.tasks.found import Counts
from slm_jax.corpora.tasks.task import TaskData, task_data
from slm_jax.corpora.tasks.zerospeech import find_gold, gold_recording, gold_rows
from slm_jax.errors import InputError

PUBLISHED = {"dev": Counts(pairs=10_000, phenomena=2), "test": Counts(pairs=40_000, phenomena=2)}
IN_VOCABULARY, OUT_OF_VOCABULARY = "in_vocabulary", "out_of_vocabulary"
WANTED = "the gold.csv of lexical/dev or lexical/test"


def swuggy(root: pathlib.Path, split: str = "") -> TaskData:
    """The pairs of a split; the phenomenon says whether the word occurs in LibriSpeech (`frequency` above 0).

    So the accuracy of in_vocabulary is "in vocabulary", and the micro accuracy of both is "all".
    """
    split, gold = find_gold(root, "lexical", split)
    return task_data(
        "swuggy", "audio", split, _candidates(gold, split), gold=gold, published=PUBLISHED.get(split)
    )


def _candidates(gold: pathlib.Path, split: str) -> Iterator[tuple[str, Recording]]:
    rows = list(gold_rows(gold, ("frequency",), WANTED))
    phenomena = {
        row["id"]: IN_VOCABULARY if _frequency(row["frequency"], where) > 0 else OUT_OF_VOCABULARY
        for where, row, _ in rows
        if row["correct"]  # a non-word has no frequency of its own
    }
    for where, row, path in rows:
        phenomenon = phenomena.get(row["id"], OUT_OF_VOCABULARY)
        yield (
            where,
            gold_recording(
                row,
                path,
                task="swuggy",
                split=split,
                group=row["id"],
                phenomenon=phenomenon,
                text="word",
            ),
        )


def _frequency(text: str, where: str) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise InputError(f"{where}: 'frequency' is {text!r}; write how often LibriSpeech has the word")
    return value
