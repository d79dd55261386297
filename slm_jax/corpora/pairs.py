"""Minimal pairs: for each phenomenon, every held-out sentence of the grammar beside its ungrammatical twin.

A phenomenon's pairs come in sides (singular and plural, feminine and masculine, ...) of which equal numbers
are taken: what is right on one side is wrong on the other, so a liking for one word gains nothing by itself.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from itertools import product
from typing import NamedTuple

from slm_jax.corpora import sentences
from slm_jax.corpora.held_out import is_held_out
from slm_jax.corpora.lexicon import (
    ADJECTIVES,
    BE,
    DEMONSTRATIVE,
    FUTURE,
    FUTURE_ADVERB,
    HEROES,
    INTRANSITIVE_VERBS,
    MEETING_VERBS,
    OBJECT_PRONOUN,
    PAST_ADVERB,
    REFLEXIVE,
    REFLEXIVE_VERBS,
    SUBJECT_PRONOUN,
    TOPICS,
    TRANSITIVE_VERBS,
    other,
)
from slm_jax.corpora.sentences import noun_phrase
from slm_jax.errors import InputError

NUMBERS = ("singular", "plural")
TENSES = ("present", "past")
GENDERS = ("feminine", "masculine")


class Pair(NamedTuple):
    side: Hashable
    good: str
    bad: str


def subject_verb_agreement() -> Iterator[Pair]:
    """The foxes are (is) hungry near the river."""
    for topic in TOPICS.values():
        for creature, adjective, place, number, tense in product(
            topic.creatures, ADJECTIVES, topic.places, NUMBERS, TENSES
        ):
            subject = noun_phrase("the", creature, number)
            yield Pair(
                (number, tense),
                sentences.state(subject, BE[tense, number], adjective, place),
                sentences.state(subject, BE[tense, other(number)], adjective, place),
            )


def agreement_across_pp() -> Iterator[Pair]:
    """The fox behind the bushes is (are) hungry: the noun beside the verb has the other number."""
    for topic in TOPICS.values():
        for creature, thing, adjective, number, tense in product(
            topic.creatures, topic.things, ADJECTIVES, NUMBERS, TENSES
        ):
            subject = noun_phrase("the", creature, number)
            modifier = noun_phrase("the", thing, other(number))
            yield Pair(
                (number, tense),
                sentences.state_across_pp(subject, modifier, BE[tense, number], adjective),
                sentences.state_across_pp(subject, modifier, BE[tense, other(number)], adjective),
            )


def anaphor_gender_agreement() -> Iterator[Pair]:
    """Mary saw herself (himself) near the river."""
    for (hero, gender), verb, topic in product(HEROES.items(), REFLEXIVE_VERBS, TOPICS.values()):
        for place in topic.places:
            yield Pair(
                gender,
                sentences.transitive(hero, verb, REFLEXIVE[gender], place),
                sentences.transitive(hero, verb, REFLEXIVE[other(gender)], place),
            )


def determiner_noun_agreement() -> Iterator[Pair]:
    """Mary found these (this) roses near the pond."""
    for hero, verb, patient, place, number in _actions():
        yield Pair(
            number,
            sentences.transitive(hero, verb, noun_phrase(DEMONSTRATIVE[number], patient, number), place),
            sentences.transitive(
                hero, verb, noun_phrase(DEMONSTRATIVE[other(number)], patient, number), place
            ),
        )


def word_order() -> Iterator[Pair]:
    """Mary found the roses near the pond (Mary found roses the near the pond)."""
    for hero, verb, patient, place, number in _actions():
        noun = getattr(patient, number)
        good = sentences.transitive(hero, verb, f"the {noun}", place)
        yield Pair(
            "verb after object", good, sentences.sentence(f"{hero} the {noun} {verb} near the {place}")
        )
        yield Pair("article after noun", good, sentences.transitive(hero, verb, f"{noun} the", place))
        yield Pair(
            "preposition after place", good, sentences.sentence(f"{hero} {verb} the {noun} the {place} near")
        )


def tense_time_adverb() -> Iterator[Pair]:
    """Yesterday (tomorrow) the foxes were hungry near the river; tomorrow (yesterday) they will be."""
    for topic in TOPICS.values():
        for creature, adjective, place, number in product(topic.creatures, ADJECTIVES, topic.places, NUMBERS):
            subject = noun_phrase("the", creature, number)
            was = BE["past", number]
            yield Pair(
                "past",
                sentences.state_in_time(PAST_ADVERB, subject, was, adjective, place),
                sentences.state_in_time(FUTURE_ADVERB, subject, was, adjective, place),
            )
            yield Pair(
                "future",
                sentences.state_in_time(FUTURE_ADVERB, subject, FUTURE, adjective, place),
                sentences.state_in_time(PAST_ADVERB, subject, FUTURE, adjective, place),
            )


def argument_structure() -> Iterator[Pair]:
    """Mary found (slept) the roses near the pond; Mary slept (found) near the pond."""
    for (hero, verb, patient, place, number), intransitive_verb in product(_actions(), INTRANSITIVE_VERBS):
        patient_phrase = noun_phrase("the", patient, number)
        yield Pair(
            "transitive",
            sentences.transitive(hero, verb, patient_phrase, place),
            sentences.transitive(hero, intransitive_verb, patient_phrase, place),
        )
    for hero, verb, transitive_verb, topic in product(
        HEROES, INTRANSITIVE_VERBS, TRANSITIVE_VERBS, TOPICS.values()
    ):
        for place in topic.places:
            yield Pair(
                "intransitive",
                sentences.intransitive(hero, verb, place),
                sentences.intransitive(hero, transitive_verb, place),
            )


def pronoun_case() -> Iterator[Pair]:
    """She (her) found the roses near the pond; the foxes followed her (she) near the river."""
    for topic in TOPICS.values():
        for gender, verb, patient, place, number in product(
            GENDERS, TRANSITIVE_VERBS, topic.creatures + topic.things, topic.places, NUMBERS
        ):
            phrase = noun_phrase("the", patient, number)
            yield Pair(
                ("subject", gender),
                sentences.transitive(SUBJECT_PRONOUN[gender], verb, phrase, place),
                sentences.transitive(OBJECT_PRONOUN[gender], verb, phrase, place),
            )
        for gender, verb, creature, place, number in product(
            GENDERS, MEETING_VERBS, topic.creatures, topic.places, NUMBERS
        ):
            phrase = noun_phrase("the", creature, number)
            yield Pair(
                ("object", gender),
                sentences.transitive(phrase, verb, OBJECT_PRONOUN[gender], place),
                sentences.transitive(phrase, verb, SUBJECT_PRONOUN[gender], place),
            )


def _actions() -> Iterator[tuple]:
    """Every (hero, verb, patient, place, number) a transitive sentence can have."""
    for topic in TOPICS.values():
        yield from product(HEROES, TRANSITIVE_VERBS, topic.creatures + topic.things, topic.places, NUMBERS)


class Phenomenon(NamedTuple):
    """A kind of contrast, with BLiMP's two labels for it."""

    pairs: Callable[[], Iterator[Pair]]
    linguistics_term: str
    field: str


PHENOMENA: dict[str, Phenomenon] = {
    function.__name__: Phenomenon(function, term, field)
    for function, term, field in (
        (subject_verb_agreement, "subject_verb_agreement", "morphology"),
        (agreement_across_pp, "subject_verb_agreement", "morphology"),
        (anaphor_gender_agreement, "anaphor_agreement", "morphology"),
        (determiner_noun_agreement, "determiner_noun_agreement", "morphology"),
        (word_order, "word_order", "syntax"),
        (tense_time_adverb, "tense_agreement", "semantics"),
        (argument_structure, "argument_structure", "syntax"),
        (pronoun_case, "case", "morphology"),
    )
}


def draw_pairs(uid: str, count: int, seed: int) -> list[dict]:
    """`count` pairs of one phenomenon, as many from each side, no good sentence twice, as BLiMP rows.

    Raises InputError if fewer such pairs exist.
    """
    phenomenon = PHENOMENA[uid]
    rng = random.Random(f"pairs {uid} {seed}")
    by_side: dict[Hashable, list[Pair]] = defaultdict(list)
    for pair in phenomenon.pairs():
        if is_held_out(pair.good):
            by_side[pair.side].append(pair)
    for pairs in by_side.values():
        rng.shuffle(pairs)
    chosen: dict[str, Pair] = {}
    sides = list(by_side.values())
    while len(chosen) < count:
        pairs = sides[len(chosen) % len(sides)]
        while pairs and pairs[-1].good in chosen:
            pairs.pop()
        if not pairs:
            raise InputError(
                f"pairs_per_phenomenon {count}: {uid} has only {len(chosen)} distinct held-out pairs; "
                "ask for fewer"
            )
        pair = pairs.pop()
        chosen[pair.good] = pair
    return [
        {
            "sentence_good": pair.good,
            "sentence_bad": pair.bad,
            "UID": uid,
            "linguistics_term": phenomenon.linguistics_term,
            "field": phenomenon.field,
            "pairID": str(index),
        }
        for index, pair in enumerate(chosen.values())
    ]
