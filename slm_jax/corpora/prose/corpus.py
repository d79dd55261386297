"""Writes a corpus of prose as text, and lists what is to be spoken of it."""

import os
import pathlib
from collections.abc import Sequence
from itertools import islice

from slm_jax.corpora.passage_file import passage_utterances, write_passages
from slm_jax.corpora.prose.passages import distinct_passages
from slm_jax.corpora.utterance import VOICES, Utterance
from slm_jax.errors import InputError

PROSE = "prose.jsonl"


def write_prose(out_dir: str | os.PathLike, *, passages: int, seed: int) -> pathlib.Path:
    """Writes prose.jsonl, with the fields of stories.jsonl; returns the folder, which may be that of stories.

    The same arguments give the same bytes; more passages begin with the same passages. All passages are
    distinct, every 32nd is for validation. Raises InputError for fewer than 2.
    """
    if passages < 2:
        raise InputError(f"passages {passages}: must be at least 2")
    out_dir = pathlib.Path(out_dir)
    write_passages(out_dir / PROSE, "prose", islice(distinct_passages(seed), passages))
    return out_dir


def prose_utterances(corpus_dir: str | os.PathLike, voices: Sequence[str] = tuple(VOICES)) -> list[Utterance]:
    """The passages of a corpus, each in one voice, chosen by the hash of its id."""
    return passage_utterances(pathlib.Path(corpus_dir) / PROSE, "prose", voices)
