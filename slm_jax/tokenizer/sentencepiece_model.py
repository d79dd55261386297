"""SentencePiece models (Kudo & Richardson 2018), of units or of text: trained, and opened."""

import io
import re
from collections.abc import Iterable

import sentencepiece

from slm_jax.errors import InputError

MODELS = ("unigram", "bpe")
UNKNOWN = 0  # SentencePiece's id of it, which nothing that is encoded has: token i is its i + 1
# The threads move the last bits of a unigram model: their number is part of the recipe, on every machine.
THREADS = 16


def check_model(model: str) -> None:
    """Raises InputError for a kind of model that is not one of MODELS."""
    if model not in MODELS:
        raise InputError(f"model {model!r} is unknown; the models of pieces are: {', '.join(MODELS)}")


def open_model(model: bytes) -> sentencepiece.SentencePieceProcessor:
    """Raises InputError for what is no SentencePiece model."""
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise InputError(f"is no SentencePiece model ({error})") from None


def train_model(
    sentences: Iterable[str], *, model: str, pieces: int, argument: str, source: str, **options
) -> bytes:
    """A SentencePiece model of `pieces` pieces beside the unknown symbol; nothing is normalized.

    `options` are SentencePiece's own. Raises InputError, which calls the number of pieces `argument` and the
    sentences `source`, when they do not have as many pieces, or more single characters.
    """
    trained = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=trained,
            model_type=model,
            vocab_size=pieces + 1,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            unk_id=UNKNOWN,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=THREADS,
            minloglevel=2,
            **options,
        )
    except RuntimeError as error:
        raise InputError(_explained(pieces, argument, source, str(error))) from None
    return trained.getvalue()


def _explained(pieces: int, argument: str, source: str, error: str) -> str:
    if most := re.search(r"set it to a value <= (\d+)", error):
        return (
            f"{argument} is {pieces}, but {source} have at most {int(most[1]) - 1} pieces; give a smaller "
            f"{argument} or more to train on"
        )
    if least := re.search(r"smaller than required_chars\. \d+ vs (\d+)", error):
        return (
            f"{argument} is {pieces}, but bytes and the characters of {source} are {int(least[1]) - 1} "
            f"pieces; give a larger {argument}"
        )
    return f"SentencePiece cannot train {pieces} pieces on {source} ({error})"
