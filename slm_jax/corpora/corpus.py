"""Writes a corpus of the grammar as text, and lists what is to be spoken of it."""

import os
import pathlib
from collections.abc import Sequence
from itertools import islice

from slm_jax.corpora.cloze import draw_cloze
from slm_jax.corpora.pairs import PHENOMENA, draw_pairs
from slm_jax.corpora.passage_file import passage_utterances, write_passages
from slm_jax.corpora.stories import distinct_stories
from slm_jax.corpora.utterance import VOICES, Utterance, candidates
from slm_jax.errors import InputError
from slm_jax.files import read_jsonl, write_jsonl

STORIES, PAIRS, CLOZE = "stories.jsonl", "pairs.jsonl", "cloze.jsonl"


def write_corpus(
    out_dir: str | os.PathLike, *, stories: int, pairs_per_phenomenon: int, cloze_items: int, seed: int
) -> pathlib.Path:
    """Writes stories.jsonl, pairs.jsonl (BLiMP's field names) and cloze.jsonl; returns the folder.

    The same arguments give the same bytes; more stories begin with the same stories. All stories are
    distinct, every 32nd is for validation. Raises InputError for a size out of range, or more pairs or cloze
    items than the grammar holds out.
    """
    for name, value, least in (
        ("stories", stories, 2),
        ("pairs_per_phenomenon", pairs_per_phenomenon, 0),
        ("cloze_items", cloze_items, 0),
    ):
        if value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    out_dir = pathlib.Path(out_dir)
    pairs = [row for uid in PHENOMENA for row in draw_pairs(uid, pairs_per_phenomenon, seed)]
    cloze = draw_cloze(cloze_items, seed)
    write_jsonl(out_dir / PAIRS, pairs)
    write_jsonl(out_dir / CLOZE, cloze)
    write_passages(out_dir / STORIES, "story", islice(distinct_stories(seed), stories))
    return out_dir


def story_utterances(corpus_dir: str | os.PathLike, voices: Sequence[str] = tuple(VOICES)) -> list[Utterance]:
    """The stories of a corpus, each in one voice, chosen by the hash of its id."""
    return passage_utterances(pathlib.Path(corpus_dir) / STORIES, "stories", voices)


def pair_utterances(corpus_dir: str | os.PathLike, voices: Sequence[str] = tuple(VOICES)) -> list[Utterance]:
    """The minimal pairs of a corpus: both sentences in every voice."""
    return [
        utterance
        for row in read_jsonl(pathlib.Path(corpus_dir) / PAIRS)
        for utterance in candidates(
            "pairs", row["UID"], row["pairID"], row["sentence_good"], row["sentence_bad"], voices
        )
    ]


def cloze_utterances(corpus_dir: str | os.PathLike, voices: Sequence[str] = tuple(VOICES)) -> list[Utterance]:
    """The cloze items of a corpus: the context with either ending, spoken in one breath, in every voice."""
    return [
        utterance
        for row in read_jsonl(pathlib.Path(corpus_dir) / CLOZE)
        for utterance in candidates(
            "cloze",
            "topic_cloze",
            row["id"],
            f"{row['context']} {row['ending_good']}",
            f"{row['context']} {row['ending_bad']}",
            voices,
        )
    ]
