"""How large the datasets of a study are, or will be: counted where they are there, else from a sample."""

import contextlib
import dataclasses
import functools
import io
import itertools
import pathlib
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from slm_jax.corpora import split_of
from slm_jax.data import open_dataset
from slm_jax.data.shards import shard_count
from slm_jax.errors import InputError
from slm_jax.study.config import StudyConfig
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import ArmData
from slm_jax.study.preparation import Preparation
from slm_jax.study.tokens import Source
from slm_jax.study.written import SPEECH
from slm_jax.tokenizer import SPEECH as OF_SPEECH
from slm_jax.tokenizer import Tokenizer, kind_of, load_recording, read_config

SAMPLE = 64  # recordings of each corpus: a few percent of error in the tokens of one
TIMED = 6  # recordings whose encoding is timed
SHARD_BLOCK = 2**16  # bytes: ArrayRecord writes whole ones, the first for itself
TOKEN_BYTES = 2


@dataclasses.dataclass(frozen=True)
class DatasetSize:
    """A corpus or a task in some tokens; `tokens` without EOS, `seconds` of audio, 0 where none is read."""

    records: int
    tokens: float
    seconds: float
    bytes: float


@dataclasses.dataclass(frozen=True)
class StudyData:
    """What runs and disk cost is a function of.

    Attributes:
      arms: for the grid.
      datasets: by the names of their tokens and their corpus or task.
      text_bytes: of the corpora and tasks as they are written.
      encode_seconds: by tokens of speech: of one core for a second of audio, measured; empty when nothing is
        to be encoded any more.
      is_counted: whether all this was counted, not estimated.
    """

    arms: dict[str, ArmData]
    datasets: dict[tuple[str, str], DatasetSize]
    text_bytes: int
    encode_seconds: dict[str, float]
    is_counted: bool


def study_data(config: StudyConfig, folder: StudyFolder | None) -> StudyData:
    """Counted in the folder of a prepared study, else from a sample of each corpus.

    Raises InputError where a tokenizer cannot be fitted to a sample.
    """
    if folder is not None and all(folder.dataset(*pair).exists() for pair in _pairs(config)):
        return _counted(config, folder)
    with tempfile.TemporaryDirectory() as temporary:
        return _sampled(config, StudyFolder(temporary))


def _pairs(config: StudyConfig) -> list[tuple[str, str]]:
    """The names of tokens and source of every dataset of a study."""
    pairs = []
    for name, arm in config.arms.items():
        for tokens in (*config.tokens_of(arm.tokens).needs, arm.tokens):
            pairs += [(tokens, source) for source in (*arm.corpora, *config.tasks_of(name))]
    return list(dict.fromkeys(pairs))


def _counted(config: StudyConfig, folder: StudyFolder) -> StudyData:
    sizes = {pair: _size_of(folder.dataset(*pair)) for pair in _pairs(config)}
    return StudyData(Preparation(config, folder).arm_data(), sizes, _text_bytes(folder), {}, True)


def _size_of(path: pathlib.Path) -> DatasetSize:
    dataset = open_dataset(path)
    seconds = sum(seconds for of in dataset.sources.values() for _, _, seconds in of.values())
    lengths_R = np.concatenate([dataset.lengths(split) for split in dataset.splits])
    return DatasetSize(len(lengths_R), float(lengths_R.sum()), float(seconds), folder_bytes(path))


def folder_bytes(path: pathlib.Path) -> int:
    """Of all files in a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _text_bytes(folder: StudyFolder) -> int:
    return sum(folder_bytes(folder.path / name) for name in ("corpora", "tasks"))


class _Sample(Preparation):
    """Of the first recordings of each corpus alone."""

    def source(self, name: str) -> Source:
        whole = super().source(name)
        return dataclasses.replace(
            whole, recordings=lambda modality: itertools.islice(whole.recordings(modality), SAMPLE)
        )


@dataclasses.dataclass(frozen=True)
class _Count:
    """Of a corpus or a task: recordings, those to train on, and the letters of their texts."""

    records: int
    training: int
    letters: int


def _count(source: Source, modality: str, most: int | None = None) -> _Count:
    records = training = letters = 0
    for recording in itertools.islice(source.recordings(modality), most):
        records, letters = records + 1, letters + len(recording.text or "")
        training += split_of(recording) == "train"
    return _Count(records, training, letters)


def _sampled(config: StudyConfig, folder: StudyFolder) -> StudyData:
    whole = Preparation(config, folder)
    sample = _Sample(dataclasses.replace(config, tasks={}, claims={}), folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # statistics of a sample would mislead
            whole.write()
            sample.tokenize()
    except InputError as error:
        raise InputError(
            f"the study cannot be tried on {SAMPLE} recordings of each corpus ({error}); make its data with "
            "slm study prepare, and give that --workdir"
        ) from None
    count = functools.cache(lambda name, *of: _count(whole.source(name), *of))  # arms share corpora
    arms, sizes = {}, {}
    for name, arm in config.arms.items():
        modality = config.tokens_of(arm.tokens).modality
        all_tokens, stream_tokens = (*config.tokens_of(arm.tokens).needs, arm.tokens), 0.0
        for corpus in arm.corpora:
            every, first = count(corpus, modality), count(corpus, modality, SAMPLE)
            sampled = sample.data_of(name, [corpus])
            stream_tokens += sampled.stream_tokens * every.training / first.training
            splits = (every.training, every.records - every.training)
            for tokens in all_tokens:
                found = _size_of(folder.dataset(tokens, corpus))
                sizes[tokens, corpus] = _scaled(found, splits, every.records / first.records)
        arms[name] = ArmData(sampled.vocab_size, stream_tokens)
        first = count(arm.corpus, modality, SAMPLE)
        for tokens in all_tokens:
            found = _size_of(folder.dataset(tokens, arm.corpus))
            for task in config.tasks_of(name):
                asked = count(task, modality)
                by_letters = asked.letters / first.letters if first.letters else asked.records / first.records
                sizes[tokens, task] = _scaled(found, (asked.records,), by_letters)
    rates = {
        tokens: _encode_seconds(folder, tokens, whole.source(corpus))
        for tokens, corpus in sizes
        if corpus in config.corpora and kind_of(read_config(folder.tokenizer(tokens))) == OF_SPEECH
    }
    return StudyData(arms, sizes, _text_bytes(folder), rates, False)


def _scaled(sample: DatasetSize, splits: Sequence[int], times: float) -> DatasetSize:
    """With as many records in its splits, and `times` the tokens."""
    tokens, shards = sample.tokens * times, sum(shard_count(records, None) for records in splits)
    blocks = 1 + np.ceil(TOKEN_BYTES * tokens / shards / SHARD_BLOCK)
    return DatasetSize(sum(splits), tokens, sample.seconds * times, float(shards * blocks * SHARD_BLOCK))


def _encode_seconds(folder: StudyFolder, tokens: str, source: Source) -> float:
    """Of one core for a second of audio, loaded or spoken and encoded."""
    tokenizer, seconds = Tokenizer.load(folder.tokenizer(tokens)), 0.0
    recordings = list(itertools.islice(source.recordings(SPEECH), 1 + TIMED))
    tokenizer.encode(load_recording(recordings[0], tokenizer.sample_rate))  # makes what is made once
    started = time.monotonic()
    for recording in recordings[-TIMED:]:
        wave_S = load_recording(recording, tokenizer.sample_rate)
        tokenizer.encode(wave_S)
        seconds += len(wave_S) / tokenizer.sample_rate
    return (time.monotonic() - started) / seconds
