"""What is to be spoken: a text in a voice."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

VOICES: dict[str, str] = {
    "us_female": "en-us+f3",
    "us_male": "en-us+m3",
    "british_female": "en-gb-x-rp+f2",
    "british_male": "en-gb-x-rp+m7",
}
"""A speaker's name to the espeak-ng voice and variant."""


@dataclass(frozen=True)
class Utterance:
    """A text to be spoken in one of VOICES; `fields` go to the manifest as they are (source, split, ...)."""

    id: str
    text: str
    voice: str
    fields: dict = field(default_factory=dict)


def pick_voice(id: str, voices: Sequence[str] = tuple(VOICES)) -> str:
    """One voice for each id, by hash."""
    return voices[int.from_bytes(hashlib.sha256(f"voice {id}".encode()).digest()[:8], "big") % len(voices)]


def candidates(
    source: str, phenomenon: str, item: str, good: str, bad: str, voices: Sequence[str] = tuple(VOICES)
) -> list[Utterance]:
    """A two-choice item as the utterances of its candidates: the good and the bad one in every voice."""
    group = f"{phenomenon}-{item}"
    return [
        Utterance(
            f"{group}-{voice}-{'good' if correct else 'bad'}",
            text,
            voice,
            {"source": source, "group": group, "phenomenon": phenomenon, "voice": voice, "correct": correct},
        )
        for voice in voices
        for correct, text in ((True, good), (False, bad))
    ]
