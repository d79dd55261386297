"""The text tokenizer: one of several ways to spell a text, and the folder it is kept in."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from importlib import metadata
from typing import ClassVar, Protocol

import numpy as np

from slm_jax.errors import InputError
from slm_jax.files import write_json
from slm_jax.tokenizer.folder import (
    CONFIG,
    SPECIAL,
    TEXT,
    TEXT_MODELS,
    fingerprint,
    load_with_model,
    new_folder,
)
from slm_jax.tokenizer.text.characters import Characters
from slm_jax.tokenizer.text.huggingface import HuggingFace
from slm_jax.tokenizer.text.sentencepiece import SentencePiece
from slm_jax.tokenizer.units import eos_id, id_type, pad_id


class Spelling(Protocol):
    """What a form of text tokenizer does: tokens 0..k-1 of a text, by `library` (None: our own code)."""

    library: str | None
    k: int

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


FORMS: dict[str, type[Spelling]] = {
    "characters": Characters,
    "sentencepiece": SentencePiece,
    "huggingface": HuggingFace,
}


@dataclasses.dataclass
class TextTokenizer:
    """Text to tokens and back.

    Token ids: tokens 0..k-1, EOS = k, PAD = k + 1. `model` is the content of the file that the form keeps;
    `special` says which of the tokens are BOS, EOS and PAD in the project that they come from, `fit` how the
    tokens came about. With `lower_case` texts are put into lower case first.
    """

    form: str
    model: bytes = dataclasses.field(repr=False)
    lower_case: bool = False
    special: dict[str, int | None] = dataclasses.field(default_factory=lambda: dict.fromkeys(SPECIAL))
    fit: dict = dataclasses.field(default_factory=dict)
    libraries: dict | None = None

    collapse: ClassVar[bool] = False

    def __post_init__(self):
        """Raises InputError when `model` is broken."""
        self.spelling = FORMS[self.form](self.model)
        if self.libraries is None:
            self.libraries = {library: metadata.version(library) for library in self.library_names}

    @property
    def k(self) -> int:
        return self.spelling.k

    @property
    def library_names(self) -> tuple[str, ...]:
        """The library that encodes, if there is one."""
        return (self.spelling.library,) if self.spelling.library else ()

    @property
    def config(self) -> dict:
        """The content of tokenizer.json."""
        return {
            "kind": TEXT,
            "form": self.form,
            "lower_case": self.lower_case,
            "special": self.special,
            "frame_rate": None,
            "k": self.k,
            "collapse": self.collapse,
            "eos": eos_id(self.k),
            "pad": pad_id(self.k),
            "vocab_size": self.k + 2,
            "fit": self.fit,
            "libraries": self.libraries,
            "model": {"file": TEXT_MODELS[self.form], "sha256": hashlib.sha256(self.model).hexdigest()},
        }

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.config)

    def encode(self, text: str) -> np.ndarray:
        """ids_L of a text, uint16, or uint32 where k needs it; raises InputError for a lone surrogate."""
        check_text(text)
        return np.array(self.spelling.encode(text.lower() if self.lower_case else text), id_type(self.k))

    def decode(self, ids_L: np.ndarray | Sequence[int]) -> str:
        """The text that was encoded, up to its case; docs/text.md says where other things are lost."""
        return self.spelling.decode(np.asarray(ids_L).tolist())

    def save(self, directory: str | os.PathLike) -> None:
        """Writes the folder whole; raises InputError when it is there already."""
        with new_folder(directory) as temporary:
            (temporary / TEXT_MODELS[self.form]).write_bytes(self.model)
            write_json(temporary / CONFIG, self.config)


def load_text_tokenizer(directory: str | os.PathLike) -> TextTokenizer:
    """Reads the folder of a text tokenizer or of a dataset of text; raises InputError naming the file."""
    fields = ("form", "lower_case", "special", "fit", "libraries")
    return load_with_model(
        directory,
        TEXT,
        "model",
        lambda config, model: TextTokenizer(model=model, **{field: config[field] for field in fields}),
    )


def check_text(text: str) -> None:
    """Raises InputError for a text that UTF-8 cannot write."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text holds a lone surrogate ({error.object[error.start]!r}), no character; correct it"
        ) from None
