"""How the smallest and the largest model of each arm go on from a prompt, and from nothing."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from slm_jax.data import UnitDataset
from slm_jax.errors import InputError
from slm_jax.evaluation import Prompt, Reader, continue_prompts, describe, open_run, record_prompts
from slm_jax.study.config import StudyConfig
from slm_jax.study.examples.clips import Clips, first_words, left_out_if_it_fails, words, written
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.written import SPEECH, TEXT
from slm_jax.tokenizer import TEXT as OF_TEXT
from slm_jax.tokenizer import resynthesize

PROMPT_SECONDS, CONTINUED_SECONDS = 2.0, 6.0
CHARACTERS_A_SECOND = 15  # of English that is read aloud, for texts that nobody reads
TEMPERATURE = 0.8
ABOUT = (
    f"The smallest and the largest model of each arm go on from the same {PROMPT_SECONDS:.0f} seconds, and "
    "from nothing. The words beside a clip of speech are about those of the prompt, what follows them is the "
    "model's; in a written one the model's part is behind the bar."
)


class _Begun(NamedTuple):
    """A prompt, how many tokens follow it, and what is said in it by whom."""

    prompt: Prompt
    tokens: int
    text: str
    voice: str


def models_to_hear(config: StudyConfig, runs: list[PlannedRun]) -> list[PlannedRun]:
    """Of each arm the smallest and the largest model, by parameters and then tokens; of seeds the first."""
    chosen = []
    for arm in config.arms:
        of_arm = sorted((run for run in runs if run.arm == arm), key=lambda run: run.seed)
        if of_arm:
            ends = (pick(of_arm, key=lambda run: (run.params, run.tokens)) for pick in (min, max))
            chosen += dict.fromkeys(ends)
    return chosen


def continuation_clips(
    config: StudyConfig, folder: StudyFolder, runs: list[PlannedRun], clips: Clips
) -> Iterator[dict]:
    """The clips of these models, one model in memory at a time; those of text are written."""
    for run in runs:
        with left_out_if_it_fails(f"what {run.name} says"):
            yield from _clips_of(config, folder, run, clips)


def _clips_of(config: StudyConfig, folder: StudyFolder, run: PlannedRun, clips: Clips) -> Iterator[dict]:
    arm = config.arms[run.arm]
    data = folder.dataset(arm.tokens, arm.corpus)
    opened = open_run(folder.run(run.name))
    reader = Reader(opened, data)
    is_text = config.tokens_of(arm.tokens).modality == TEXT
    tokenizer = None if is_text else reader.speech_tokenizer()
    begun = _begun_text(UnitDataset(data), reader) if is_text else _begun_speech(config, folder, run.arm)
    prompt_and_nothing = [begun.prompt, Prompt("nothing")]
    found = continue_prompts(
        opened,
        prompt_and_nothing,
        tokens=min(begun.tokens, opened.context - len(begun.prompt.tokens_P)),
        temperature=TEMPERATURE,
        seed=config.seed,
    )
    for continuation, goes_on in zip(found, ("from a prompt", "from nothing"), strict=True):
        row = describe(continuation, reader)
        title = f"{words(run.arm)}, {run.params:,} parameters, {goes_on}"
        with left_out_if_it_fails(title):
            if is_text:
                text = " | ".join(filter(None, (row["prompt"], row["continuation"])))
                yield written(title, text + " …" * (not row["ended"]))
                continue
            units_L = np.array(row["prompt"] + row["continuation"], int)
            if not len(units_L):
                raise InputError("the model ended it before the first unit")
            wave_S = resynthesize(tokenizer, units_L)
            text, voice = (begun.text, begun.voice) if row["prompt"] else ("", "")
            yield clips.sound(wave_S, tokenizer.sample_rate, title=title, text=text, voice=voice)


def _begun_speech(config: StudyConfig, folder: StudyFolder, arm: str) -> _Begun:
    corpus, tokens = config.arms[arm].corpus, config.arms[arm].tokens
    dataset = UnitDataset(folder.dataset(tokens, corpus))
    split = _held_out(dataset)
    (prompt,) = record_prompts(dataset, split, count=1, seconds=PROMPT_SECONDS)
    row = next(row for row in dataset.examples(split) if row["id"] == prompt.id)
    recordings = config.corpus(corpus).recordings(folder.corpus(corpus), SPEECH)
    text = next((recording.text for recording in recordings if recording.id == prompt.id), None)
    tokens_T = round(len(prompt.tokens_P) * CONTINUED_SECONDS / PROMPT_SECONDS)
    return _Begun(prompt, tokens_T, first_words(text or "", PROMPT_SECONDS / row["seconds"]), row["speaker"])


def _begun_text(dataset: UnitDataset, reader: Reader) -> _Begun:
    if reader.kind != OF_TEXT:
        raise InputError(f"{dataset.directory}: no tokenizer of its tokens can write them as text")
    row = next(dataset.examples(_held_out(dataset)))
    text = reader.read(row["units"])
    given = text[: round(PROMPT_SECONDS * CHARACTERS_A_SECOND)].rpartition(" ")[0]
    tokens = round(CONTINUED_SECONDS * CHARACTERS_A_SECOND * len(row["units"]) / len(text))
    return _Begun(Prompt(row["id"], reader.encode(given)), max(1, tokens), given, "")


def _held_out(dataset: UnitDataset) -> str:
    return "validation" if "validation" in dataset.splits else dataset.splits[0]
