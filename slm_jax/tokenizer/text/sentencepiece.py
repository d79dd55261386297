"""Pieces of words: SentencePiece models (Kudo & Richardson 2018) with bytes for what they do not know."""

from collections.abc import Sequence

from slm_jax.errors import InputError
from slm_jax.tokenizer.sentencepiece_model import UNKNOWN, check_model, open_model, train_model

VOCAB = 5000
LONGEST_TEXT = 2**30  # bytes: SentencePiece leaves out longer ones


class SentencePiece:
    """Token i is SentencePiece's i + 1, whose 0 is its unknown symbol: bytes spell what is not a piece."""

    library = "sentencepiece"

    def __init__(self, model: bytes):
        """Raises InputError when `model` is no SentencePiece model, or one without bytes."""
        self._processor = open_model(model)
        if self._processor.unk_id() != UNKNOWN or not self._processor.is_byte(UNKNOWN + 1):
            raise InputError("is a SentencePiece model without bytes for what it does not know; fit it again")

    @property
    def k(self) -> int:
        return len(self._processor) - 1

    def encode(self, text: str) -> list[int]:
        return [id - 1 for id in self._processor.encode(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return self._processor.decode([int(id) + 1 for id in ids])


def train_sentencepiece(texts: Sequence[str], *, vocab: int = VOCAB, model: str = "unigram") -> bytes:
    """A SentencePiece model of `vocab` pieces, 256 of them the bytes; "unigram" or "bpe".

    Nothing is normalized: spaces and line ends stay as they are. The same texts in the same order give the
    same model. Raises InputError when the texts have fewer pieces, or more characters than `vocab` has room
    for.
    """
    check_model(model)
    return train_model(
        texts,
        model=model,
        pieces=vocab,
        argument="vocab",
        source="the texts",
        max_sentence_length=LONGEST_TEXT,
        byte_fallback=True,
    )
