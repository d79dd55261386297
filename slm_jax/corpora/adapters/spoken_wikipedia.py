"""The Spoken Wikipedia Corpora (Baumann et al. 2019): article folders with audio and its alignment."""

import bisect
import dataclasses
import os
import pathlib
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import NamedTuple

import soundfile

from slm_jax.corpora.adapters.layout import expect, files, folders
from slm_jax.corpora.recording import UNKNOWN_SPEAKER, Recording, as_text
from slm_jax.corpora.segments import UNREADABLE, parts_between
from slm_jax.errors import InputError

ALIGNMENT = "aligned.swc"
METADATA = (ALIGNMENT, "info.json", "audiometa.txt")
LAYOUT = "english/ARTICLE/ with audio.ogg (or audio1.ogg, audio2.ogg, ...) and aligned.swc, or such articles"


class Sentence(NamedTuple):
    """An aligned sentence: when it begins, in s from the beginning of the article, and its words."""

    start: float
    text: str


def spoken_wikipedia(root: str | os.PathLike, *, max_seconds: float = 30.0) -> Iterator[Recording]:
    """The articles, cut between sentences into parts of at most `max_seconds` s that cover them.

    An article without an alignment is passed on whole (cut it with `segment`). The parts have as text what is
    aligned in them; the reader is the speaker; no published splits, so all parts of an article share the
    split of its hash. An article with metadata but no audio is listed as well: loading it says that the audio
    is missing. Raises InputError for another layout, or naming an alignment that is not valid XML.
    """
    return expect(_recordings(pathlib.Path(root), max_seconds), root, LAYOUT)


def _recordings(root: pathlib.Path, max_seconds: float) -> Iterator[Recording]:
    for article in folders(root / "english" if (root / "english").is_dir() else root):
        audio = sorted(
            (path for path in files(article, ".ogg") if re.fullmatch(r"audio\d*", path.stem)),
            key=lambda path: int(path.stem[len("audio") :] or 0),
        )
        if not audio and any((article / name).exists() for name in METADATA):
            audio = [article / "audio.ogg"]
        if audio:
            yield from _article(article, audio, max_seconds)


def _article(article: pathlib.Path, audio: list[pathlib.Path], max_seconds: float) -> Iterator[Recording]:
    """The parts of one article. Times of an alignment run on from one of its files to the next."""
    title = as_text(article.name)
    sentences, reader = _alignment(article / ALIGNMENT)
    offset = 0.0
    for path in audio:
        whole = Recording(
            id=title if len(audio) == 1 else f"{title}/{path.stem}",
            path=path,
            speaker=reader,
            source="spoken_wikipedia",
            parent=title,
        )
        try:
            info = soundfile.info(path)
        except UNREADABLE:
            yield whole
            sentences = []  # where the next file begins is not known
            continue
        here = [
            s._replace(start=s.start - offset) for s in sentences if 0 <= s.start - offset < info.duration
        ]
        offset += info.duration
        yield from _parts(whole, here, info.frames, info.samplerate, max_seconds) if here else [whole]


def _parts(
    whole: Recording, sentences: list[Sentence], frames: int, rate: int, max_seconds: float
) -> Iterator[Recording]:
    starts = [round(sentence.start * rate) for sentence in sentences]
    cuts, limit = [0], int(max_seconds * rate)
    while frames - cuts[-1] > limit:
        latest = min(cuts[-1] + limit, frames - limit // 4)  # leaves no scrap behind
        ahead = starts[bisect.bisect_right(starts, latest) - 1]
        cuts.append(ahead if cuts[-1] + limit // 4 <= ahead <= latest else latest)
    cuts.append(frames)
    parts = parts_between(whole, cuts, rate)
    for part, first, last in zip(parts, cuts, cuts[1:], strict=False):
        texts = [s.text for s, start in zip(sentences, starts, strict=True) if first <= start < last]
        yield dataclasses.replace(part, text=" ".join(texts) or None)


def _alignment(path: pathlib.Path) -> tuple[list[Sentence], str]:
    """The aligned sentences in the order of time, and the reader; none and "unknown" without a file."""
    if not path.exists():
        return [], UNKNOWN_SPEAKER
    try:
        tree = ElementTree.parse(path)
    except ElementTree.ParseError as error:
        raise InputError(
            f"{path}: not valid XML ({error}); remove it to use the article without it"
        ) from None
    sentences = []
    for sentence in tree.iter("s"):
        starts = [float(part.get("start")) / 1000 for part in sentence.iter() if part.get("start")]
        words = ["".join(token.itertext()).strip() for token in sentence.iter("t")]
        if starts:
            sentences.append(Sentence(min(starts), " ".join(filter(None, words))))
    readers = [prop.get("value") for prop in tree.iter("prop") if prop.get("key") == "reader.name"]
    return sorted(sentences), (readers[0] if readers else None) or UNKNOWN_SPEAKER
