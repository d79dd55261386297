"""Phrases become sentences: stories keep to the grammar, bad sentences of minimal pairs break it once."""

from slm_jax.corpora.lexicon import Noun, Number


def noun_phrase(determiner: str, noun: Noun, number: Number) -> str:
    """`noun_phrase("the", fox, "plural")` is "the foxes"."""
    return f"{determiner} {getattr(noun, number)}"


def near(place: str) -> str:
    """`near("river")` is "near the river"."""
    return f"near the {place}"


def sentence(*phrases: str) -> str:
    """`sentence("the foxes", "are", "hungry")` is "The foxes are hungry."."""
    words = " ".join(phrases)
    return f"{words[0].upper()}{words[1:]}."
