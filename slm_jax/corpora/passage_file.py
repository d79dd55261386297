"""A file of made-up passages, stories or prose: written as text, and listed as what is to be spoken of it."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from slm_jax.corpora.utterance import Utterance, pick_voice
from slm_jax.files import read_jsonl, write_jsonl

ONE_IN = 32  # goes to the validation split


class Passage(Protocol):
    text: str
    topic: str


def write_passages(path: pathlib.Path, name: str, passages: Iterable[Passage]) -> None:
    """One row a passage: id ("NAME-0000000" and on), text, topic, and split, every 32nd "validation"."""
    write_jsonl(
        path,
        (
            {
                "id": f"{name}-{index:07d}",
                "text": passage.text,
                "topic": passage.topic,
                "split": "train" if index % ONE_IN else "validation",
            }
            for index, passage in enumerate(passages)
        ),
    )


def passage_utterances(path: pathlib.Path, source: str, voices: Sequence[str]) -> list[Utterance]:
    """The passages of a file, each in one voice, chosen by the hash of its id."""
    return [
        Utterance(
            row["id"],
            row["text"],
            pick_voice(row["id"], voices),
            {"source": source, "split": row["split"], "topic": row["topic"]},
        )
        for row in read_jsonl(path)
    ]
