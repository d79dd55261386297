"""The constructions of the grammar: stories use them as they should be, minimal pairs break one feature.

Each function takes the words that must agree as arguments, so that a pair's bad sentence is the same call
with one argument changed.
"""

from slm_jax.corpora.lexicon import Noun, Number


def noun_phrase(determiner: str, noun: Noun, number: Number) -> str:
    """`noun_phrase("the", fox, "plural")` is "the foxes"."""
    return f"{determiner} {getattr(noun, number)}"


def sentence(words: str) -> str:
    """Capital letter and full stop."""
    return f"{words[0].upper()}{words[1:]}."


def near(words: str, place: str | None) -> str:
    """Adds the place, if there is one: "Mary slept near the pond"."""
    return f"{words} near the {place}" if place else words


def state(subject: str, verb: str, adjective: str, place: str | None = None) -> str:
    """The foxes are hungry (near the river)."""
    return sentence(near(f"{subject} {verb} {adjective}", place))


def state_across_pp(subject: str, modifier: str, verb: str, adjective: str) -> str:
    """The fox behind the bushes is hungry."""
    return state(f"{subject} behind {modifier}", verb, adjective)


def state_in_time(adverb: str, subject: str, verb: str, adjective: str, place: str | None = None) -> str:
    """Tomorrow the foxes will be hungry (near the river)."""
    return state(f"{adverb} {subject}", verb, adjective, place)


def transitive(subject: str, verb: str, patient: str, place: str | None = None) -> str:
    """Mary found these roses (near the pond); Mary saw herself; the foxes followed her."""
    return sentence(near(f"{subject} {verb} {patient}", place))


def intransitive(subject: str, verb: str, place: str | None = None) -> str:
    """Mary slept (near the pond)."""
    return sentence(near(f"{subject} {verb}", place))
