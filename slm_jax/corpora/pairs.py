"""Minimal pairs: for each phenomenon, every held-out sentence of the grammar beside its ungrammatical twin.

A phenomenon's pairs come in sides (singular and plural, feminine and masculine, ...) of which equal numbers
are taken: what is right on one side is wrong on the other, so a liking for one word gains nothing by itself.

Where English allows it the place stands in front, so that little speech follows the words that differ:
whatever follows is shifted by parts of a frame between the two recordings, which adds noise to the
comparison.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from itertools import product
from typing import NamedTuple

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
from slm_jax.corpora.sentences import near, noun_phrase, sentence
from slm_jax.errors import InputError

NUMBERS = ("singular", "plural")
TENSES = ("present", "past")
GENDERS = ("feminine", "masculine")
PLACES = tuple(place for topic in TOPICS.values() for place in topic.places)


class Pair(NamedTuple):
    side: Hashable
    good: str
    bad: str


def subject_verb_agreement() -> Iterator[Pair]:
    """Near the river the foxes are (is) hungry."""
    for creature, adjective, place, number, tense in _states(TENSES):
        subject = noun_phrase("the", creature, number)
        yield Pair(
            (number, tense),
            sentence(near(place), subject, BE[tense, number], adjective),
            sentence(near(place), subject, BE[tense, other(number)], adjective),
        )


def agreement_across_pp() -> Iterator[Pair]:
    """The fox behind the bushes is (are) hungry: the noun beside the verb has the other number."""
    for topic in TOPICS.values():
        for creature, thing, adjective, number, tense in product(
            topic.creatures, topic.things, ADJECTIVES, NUMBERS, TENSES
        ):
            subject = (
                f"{noun_phrase('the', creature, number)} behind {noun_phrase('the', thing, other(number))}"
            )
            yield Pair(
                (number, tense),
                sentence(subject, BE[tense, number], adjective),
                sentence(subject, BE[tense, other(number)], adjective),
            )


def anaphor_gender_agreement() -> Iterator[Pair]:
    """Near the river Mary saw herself (himself)."""
    for (hero, gender), verb, place in product(HEROES.items(), REFLEXIVE_VERBS, PLACES):
        yield Pair(
            gender,
            sentence(near(place), hero, verb, REFLEXIVE[gender]),
            sentence(near(place), hero, verb, REFLEXIVE[other(gender)]),
        )


def determiner_noun_agreement() -> Iterator[Pair]:
    """Near the pond Mary found these (this) roses."""
    for hero, verb, patient, place, number in _actions():
        yield Pair(
            number,
            sentence(near(place), hero, verb, noun_phrase(DEMONSTRATIVE[number], patient, number)),
            sentence(near(place), hero, verb, noun_phrase(DEMONSTRATIVE[other(number)], patient, number)),
        )


def word_order() -> Iterator[Pair]:
    """Mary found the roses near the pond (Mary found roses the near the pond)."""
    for hero, verb, patient, place, number in _actions():
        noun = getattr(patient, number)
        good = sentence(hero, verb, "the", noun, near(place))
        yield Pair("verb after object", good, sentence(hero, "the", noun, verb, near(place)))
        yield Pair("article after noun", good, sentence(hero, verb, noun, "the", near(place)))
        yield Pair("preposition after place", good, sentence(hero, verb, "the", noun, "the", place, "near"))


def tense_time_adverb() -> Iterator[Pair]:
    """Near the river the foxes were hungry yesterday (tomorrow), or will be tomorrow (yesterday)."""
    for creature, adjective, place, number, side in _states(("past", "future")):
        subject = noun_phrase("the", creature, number)
        verb = BE["past", number] if side == "past" else FUTURE
        right, wrong = (PAST_ADVERB, FUTURE_ADVERB) if side == "past" else (FUTURE_ADVERB, PAST_ADVERB)
        yield Pair(
            side,
            sentence(near(place), subject, verb, adjective, right),
            sentence(near(place), subject, verb, adjective, wrong),
        )


def argument_structure() -> Iterator[Pair]:
    """Near the pond Mary found (slept) the roses; Mary slept (found) near the pond."""
    for (hero, verb, patient, place, number), intransitive in product(_actions(), INTRANSITIVE_VERBS):
        phrase = noun_phrase("the", patient, number)
        yield Pair(
            "transitive",
            sentence(near(place), hero, verb, phrase),
            sentence(near(place), hero, intransitive, phrase),
        )
    for hero, verb, transitive, place in product(HEROES, INTRANSITIVE_VERBS, TRANSITIVE_VERBS, PLACES):
        yield Pair("intransitive", sentence(hero, verb, near(place)), sentence(hero, transitive, near(place)))


def pronoun_case() -> Iterator[Pair]:
    """Near the pond she (her) found the roses; near the river the foxes followed her (she)."""
    for topic in TOPICS.values():
        for gender, place, number in product(GENDERS, topic.places, NUMBERS):
            subject, object_ = SUBJECT_PRONOUN[gender], OBJECT_PRONOUN[gender]
            for verb, patient in product(TRANSITIVE_VERBS, topic.creatures + topic.things):
                phrase = noun_phrase("the", patient, number)
                yield Pair(
                    ("subject", gender),
                    sentence(near(place), subject, verb, phrase),
                    sentence(near(place), object_, verb, phrase),
                )
            for verb, creature in product(MEETING_VERBS, topic.creatures):
                phrase = noun_phrase("the", creature, number)
                yield Pair(
                    ("object", gender),
                    sentence(near(place), phrase, verb, object_),
                    sentence(near(place), phrase, verb, subject),
                )


def _states(tenses: tuple[str, ...]) -> Iterator[tuple]:
    """Every (creature, adjective, place, number, tense) a state can have."""
    for topic in TOPICS.values():
        yield from product(topic.creatures, ADJECTIVES, topic.places, NUMBERS, tenses)


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
