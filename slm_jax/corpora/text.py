"""Text from outside as utterances: prose, JSON lines, or minimal pairs in BLiMP's format."""

import os
import pathlib
import re
from collections.abc import Iterator, Sequence

from slm_jax.corpora.split import assign_split
from slm_jax.corpora.utterance import VOICES, Utterance, candidates, pick_voice
from slm_jax.errors import InputError
from slm_jax.files import read_jsonl

WORDS_PER_PASSAGE = 60  # about 20 s of speech
_SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\bMr\.)(?<!\bMrs\.)(?<!\bDr\.)(?<!\bSt\.)([\"'”’)]*) (?=[\"'“‘(]?[A-Z])"
)


def read_text(path: str | os.PathLike, voices: Sequence[str] = tuple(VOICES)) -> list[Utterance]:
    """The utterances of a text file.

    - Plain text: a passage between blank lines is an utterance, long ones are divided into a few sentences
      each.
    - `.jsonl` with "text": an utterance a row; id, split, source and all other fields are kept.
    - `.jsonl` with "sentence_good" and "sentence_bad" (BLiMP): both sentences of each pair, in every voice.

    All but pairs are spoken in one voice each, chosen by the hash of the id, and without a split get one by
    the same hash rule as recordings. Raises InputError naming file and row for empty or missing text.
    """
    path = pathlib.Path(path)
    utterances = list(_read_jsonl(path, voices) if path.suffix == ".jsonl" else _read_plain(path, voices))
    if not utterances:
        raise InputError(f"{path}: no text in the file")
    return utterances


def _read_jsonl(path: pathlib.Path, voices: Sequence[str]) -> Iterator[Utterance]:
    for index, row in enumerate(read_jsonl(path)):
        where = f"{path}, record {index + 1}"
        if "sentence_good" in row:
            good, bad = (_text(row, key, where) for key in ("sentence_good", "sentence_bad"))
            yield from candidates(
                path.stem, row.get("UID", path.stem), row.get("pairID", str(index)), good, bad, voices
            )
        else:
            text = _text(row, "text", where)
            fields = {key: value for key, value in row.items() if key not in ("id", "text")}
            yield _passage(str(row.get("id", f"{path.stem}-{index:06d}")), text, path.stem, voices, fields)


def _text(row: dict, key: str, where: str) -> str:
    text = row.get(key)
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f'{where}: no text under "{key}"; give each row "text", or "sentence_good" and "sentence_bad"'
        )
    return text


def _read_plain(path: pathlib.Path, voices: Sequence[str]) -> Iterator[Utterance]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such text file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error})") from None
    passages = (p for paragraph in re.split(r"\n\s*\n", text) for p in divide(paragraph))
    for index, passage in enumerate(passages):
        yield _passage(f"{path.stem}-{index:06d}", passage, path.stem, voices, {})


def _passage(id: str, text: str, source: str, voices: Sequence[str], fields: dict) -> Utterance:
    return Utterance(id, text, pick_voice(id, voices), {"source": source, "split": assign_split(id)} | fields)


def divide(paragraph: str) -> list[str]:
    """Divides a paragraph at sentence ends into passages of at most WORDS_PER_PASSAGE words.

    A longer sentence is a passage by itself; what has no letter or digit (a rule of dashes) is left out.
    """
    passages: list[list[str]] = []
    for sentence in _SENTENCE_END.sub(r"\1\n", " ".join(paragraph.split())).split("\n"):
        words = sentence.split()
        if passages and len(passages[-1]) + len(words) <= WORDS_PER_PASSAGE:
            passages[-1].extend(words)
        else:
            passages.append(words)
    return [text for words in passages if re.search(r"\w", text := " ".join(words))]
