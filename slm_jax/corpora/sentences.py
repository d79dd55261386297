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


def state(subject: str, verb: str, adjective: str, place: str) -> str:
    """The foxes are hungry near the river."""
    return sentence(f"{subject} {verb} {adjective} near the {place}")


def state_across_pp(subject: str, modifier: str, verb: str, adjective: str) -> str:
    """The fox behind the bushes is hungry."""
    return sentence(f"{subject} behind {modifier} {verb} {adjective}")


def state_in_time(adverb: str, subject: str, verb: str, adjective: str, place: str) -> str:
    """Tomorrow the foxes will be hungry near the river."""
    return state(f"{adverb} {subject}", verb, adjective, place)


def transitive(subject: str, verb: str, patient: str, place: str) -> str:
    """Mary found these roses near the pond."""
    return sentence(f"{subject} {verb} {patient} near the {place}")


def reflexive(subject: str, verb: str, anaphor: str, place: str) -> str:
    """Mary saw herself near the river."""
    return transitive(subject, verb, anaphor, place)


def intransitive(subject: str, verb: str, place: str) -> str:
    """Mary slept near the pond."""
    return sentence(f"{subject} {verb} near the {place}")
