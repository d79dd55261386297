"""What a study sounds like: its corpora, what its units keep, its minimal pairs, and what its models say."""

import shutil
from collections.abc import Iterable, Iterator

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.files import atomic_path, read_json, write_json
from slm_jax.study.config import StudyConfig
from slm_jax.study.examples.clips import SAMPLE_RATE, Clips, beginning, left_out_if_it_fails, words
from slm_jax.study.examples.continuations import ABOUT, continuation_clips, models_to_hear
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.written import SPEECH
from slm_jax.tokenizer import (
    MFCC,
    LogMel,
    Tokenizer,
    kind_of,
    load_recording,
    read_config,
    recording_statistics,
    resynthesize,
)
from slm_jax.tokenizer import SPEECH as OF_SPEECH

EXAMPLES, INDEX = "examples", "examples.json"
CLIP_SECONDS = 8.0
LONGEST_CANDIDATE_SECONDS = 11.0  # a candidate is heard whole or not at all
PHENOMENA_TO_HEAR = 4


def write_examples(folder: StudyFolder, config: StudyConfig, runs: list[PlannedRun]) -> None:
    """examples/ of a study with these finished runs, whole or not at all; not again for the same models and
    tasks.

    examples.json has "runs", the names of the models, "tasks", and "groups" of clips, each with "title",
    "text", "voice" and "file", an MP3 beside it (None for what is read). The same study gives the same
    examples. A clip that cannot be made is left out, and the reason printed.
    """
    examples, models = folder.path / EXAMPLES, models_to_hear(config, runs)
    made_of = {"runs": [run.name for run in models], "tasks": list(config.tasks)}
    there = read_json(examples / INDEX) if (examples / INDEX).exists() else {}
    if {name: there.get(name) for name in made_of} == made_of:
        return
    with atomic_path(examples) as temporary:
        temporary.mkdir()
        groups = _groups(folder, config, models, Clips(temporary))
        write_json(temporary / INDEX, made_of | {"groups": [group for group in groups if group["clips"]]})
        if examples.exists():  # a folder takes the name of no folder that has files
            shutil.rmtree(examples)


def _groups(
    folder: StudyFolder, config: StudyConfig, models: list[PlannedRun], clips: Clips
) -> Iterator[dict]:
    arms = [arm for arm in config.arms.values() if config.tokens_of(arm.tokens).modality == SPEECH]
    corpora = dict.fromkeys(corpus for arm in arms for corpus in arm.corpora)
    heard = list(_corpus_clips(folder, config, corpora, clips))
    yield _group("The corpora", "The beginning of a recording of each corpus.", heard)
    if arms:
        yield _units_group(folder, config, [arm.tokens for arm in arms], arms[0].corpus, clips, heard)
        yield _group(
            "Minimal pairs",
            "The model is to find the first of each pair likelier.",
            list(_pair_clips(folder, config, clips)),
        )
    spoken = list(continuation_clips(config, folder, models, clips))
    yield _group("Continuations", ABOUT, spoken)


def _group(title: str, about: str, clips: list[dict]) -> dict:
    return {"title": title, "about": about, "clips": clips}


def _corpus_clips(
    folder: StudyFolder, config: StudyConfig, corpora: Iterable[str], clips: Clips
) -> Iterator[dict]:
    for corpus in corpora:
        with left_out_if_it_fails(f"the corpus {corpus}"):
            wave_S, text, voice = _first_recording(folder, config, corpus, SAMPLE_RATE)
            yield clips.sound(wave_S, SAMPLE_RATE, title=words(corpus), text=text, voice=voice)


def _first_recording(
    folder: StudyFolder, config: StudyConfig, corpus: str, sample_rate: int
) -> tuple[np.ndarray, str, str]:
    """The beginning of the first recording of a corpus: wave_S, its text and its voice."""
    recording = next(iter(config.corpus(corpus).recordings(folder.corpus(corpus), SPEECH)))
    wave_S = load_recording(recording, sample_rate)
    return *beginning(wave_S, sample_rate, CLIP_SECONDS, recording.text or ""), recording.speaker


def _units_group(
    folder: StudyFolder, config: StudyConfig, tokens: list[str], corpus: str, clips: Clips, heard: list[dict]
) -> dict:
    """Of every speech tokenizer that the tokens of arms are, or are made of."""
    found = [clip | {"title": "the recording"} for clip in heard if clip["title"] == words(corpus)]
    about = "The same recording, made sound again from nothing but the units of each tokenizer."
    made_of = [name for of in tokens for name in (of, *config.tokens_of(of).needs)]
    for name in dict.fromkeys(made_of):
        if kind_of(read_config(folder.tokenizer(name))) != OF_SPEECH:
            continue
        with left_out_if_it_fails(f"what the units {name} keep"):
            tokenizer = Tokenizer.load(folder.tokenizer(name))
            wave_S, text, voice = _first_recording(folder, config, corpus, tokenizer.sample_rate)
            try:
                again_S = _from_units(tokenizer, wave_S)
            except InputError as error:
                about += f" Not of {words(name)}: {error}."
                raise
            title = f"{words(name)}: {tokenizer.k} units, {tokenizer.frame_rate:g} frames a second"
            found.append(clips.sound(again_S, tokenizer.sample_rate, title=title, text=text, voice=voice))
    return _group("What the units keep", about, found)


def _from_units(tokenizer: Tokenizer, wave_S: np.ndarray) -> np.ndarray:
    """The sound of the units of every frame, so that each lasts as long as it did.

    Raises InputError for an encoder that cannot be turned back into sound.
    """
    (units_T,) = tokenizer.encode_many([wave_S])
    if isinstance(units_T, InputError):
        raise units_T
    is_mel = isinstance(tokenizer.encoder, MFCC | LogMel)
    statistics = recording_statistics(tokenizer.encoder, wave_S) if is_mel else None
    return resynthesize(tokenizer, units_T, 1, statistics=statistics)


def _pair_clips(folder: StudyFolder, config: StudyConfig, clips: Clips) -> Iterator[dict]:
    for task in config.tasks:
        if SPEECH not in config.task(task).modalities:
            continue
        with left_out_if_it_fails(f"the task {task}"):
            recordings = config.task(task).recordings(folder.task(task), SPEECH)
            for phenomenon, pair in _first_pairs(recordings):
                with left_out_if_it_fails(f"the phenomenon {phenomenon}"):
                    yield from _both(pair, words(phenomenon), clips)


def _first_pairs(recordings: Iterable[Recording]) -> Iterator[tuple[str, list[Recording]]]:
    """The good and a bad candidate of one question of each of the first phenomena."""
    found, begun = set(), {}
    for recording in recordings:
        phenomenon, group, voice, correct = (
            recording.fields[name] for name in ("phenomenon", "group", "voice", "correct")
        )
        candidates = begun.setdefault((phenomenon, group, voice), {})
        candidates.setdefault(bool(correct), recording)
        if len(candidates) == 2 and phenomenon not in found:
            yield phenomenon, [candidates[True], candidates[False]]
            found.add(phenomenon)
        if len(found) == PHENOMENA_TO_HEAR:
            return


def _both(pair: list[Recording], title: str, clips: Clips) -> list[dict]:
    waves = [load_recording(recording, SAMPLE_RATE) for recording in pair]
    seconds = max(map(len, waves)) / SAMPLE_RATE
    if seconds > LONGEST_CANDIDATE_SECONDS:
        raise InputError(f"its candidates last {seconds:.0f} s, too long for a page")
    return [
        clips.sound(
            wave_S,
            SAMPLE_RATE,
            title=f"{title}, {name}",
            text=recording.text or "",
            voice=recording.fields["voice"],
        )
        for name, recording, wave_S in zip(("good", "bad"), pair, waves, strict=True)
    ]
