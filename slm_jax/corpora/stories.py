"""Stories: five sentences about one hero, the creatures and objects of one topic, and one place."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from slm_jax.corpora import lexicon
from slm_jax.corpora.held_out import is_held_out
from slm_jax.corpora.lexicon import Gender, Noun, Number, Topic
from slm_jax.corpora.sentences import near, noun_phrase, sentence


class Cast(NamedTuple):
    """Who and what a story keeps coming back to."""

    hero: str
    gender: Gender
    creature: Noun
    creature_number: Number
    thing: Noun
    thing_number: Number
    place: str


class Story(NamedTuple):
    topic: str
    opening: tuple[str, ...]
    ending: str

    @property
    def context(self) -> str:
        return " ".join(self.opening)

    @property
    def text(self) -> str:
        return f"{self.context} {self.ending}"


Construction = Callable[[random.Random, Cast], str]


def draw_cast(rng: random.Random, topic: Topic) -> Cast:
    hero = rng.choice(list(lexicon.HEROES))
    return Cast(
        hero=hero,
        gender=lexicon.HEROES[hero],
        creature=rng.choice(topic.creatures),
        creature_number=rng.choice(("singular", "plural")),
        thing=rng.choice(topic.things),
        thing_number=rng.choice(("singular", "plural")),
        place=rng.choice(topic.places),
    )


def _determiner(rng: random.Random, number: Number) -> str:
    return rng.choice(("the", lexicon.DEMONSTRATIVE[number]))


def _creature(rng: random.Random, cast: Cast) -> str:
    return noun_phrase(_determiner(rng, cast.creature_number), cast.creature, cast.creature_number)


def _thing(rng: random.Random, cast: Cast) -> str:
    return noun_phrase(_determiner(rng, cast.thing_number), cast.thing, cast.thing_number)


def _be(rng: random.Random, number: Number) -> str:
    return lexicon.BE[rng.choice(("present", "past")), number]


def _placed(rng: random.Random, cast: Cast, *clause: str) -> str:
    """The clause with the place in front or at the end, or without it."""
    place = near(cast.place)
    return sentence(*rng.choice(((place, *clause), (place, *clause), (*clause, place), clause)))


def _creature_state(rng: random.Random, cast: Cast) -> str:
    verb = _be(rng, cast.creature_number)
    return _placed(rng, cast, _creature(rng, cast), verb, rng.choice(lexicon.ADJECTIVES))


def _creature_state_across_pp(rng: random.Random, cast: Cast) -> str:
    verb = _be(rng, cast.creature_number)
    adjective = rng.choice(lexicon.ADJECTIVES)
    return sentence(_creature(rng, cast), "behind", _thing(rng, cast), verb, adjective)


def _state_in_time(rng: random.Random, cast: Cast) -> str:
    subject, number = rng.choice(((cast.hero, "singular"), (_creature(rng, cast), cast.creature_number)))
    verb, adverb = rng.choice(
        ((lexicon.BE["past", number], lexicon.PAST_ADVERB), (lexicon.FUTURE, lexicon.FUTURE_ADVERB))
    )
    return _placed(rng, cast, subject, verb, rng.choice(lexicon.ADJECTIVES), adverb)


def _hero_reflexive(rng: random.Random, cast: Cast) -> str:
    verb = rng.choice(lexicon.REFLEXIVE_VERBS)
    return _placed(rng, cast, cast.hero, verb, lexicon.REFLEXIVE[cast.gender])


def _action(rng: random.Random, cast: Cast, hero: str) -> tuple[str, ...]:
    patient = rng.choice((_creature, _thing))(rng, cast)
    return hero, rng.choice(lexicon.TRANSITIVE_VERBS), patient


def _hero_acts(rng: random.Random, cast: Cast) -> str:
    clause, place = _action(rng, cast, cast.hero), near(cast.place)
    return sentence(*rng.choice(((place, *clause), (*clause, place))))


def _pronoun_acts(rng: random.Random, cast: Cast) -> str:
    return _placed(rng, cast, *_action(rng, cast, lexicon.SUBJECT_PRONOUN[cast.gender]))


def _hero_moves(rng: random.Random, cast: Cast) -> str:
    return _placed(rng, cast, cast.hero, rng.choice(lexicon.INTRANSITIVE_VERBS))


def _creature_meets_pronoun(rng: random.Random, cast: Cast) -> str:
    verb = rng.choice(lexicon.MEETING_VERBS)
    return _placed(rng, cast, _creature(rng, cast), verb, lexicon.OBJECT_PRONOUN[cast.gender])


# A story does not begin with a pronoun, and its last sentence names its topic twice.
MIDDLE: tuple[Construction, ...] = (
    _creature_state,
    _creature_state_across_pp,
    _state_in_time,
    _hero_reflexive,
    _hero_moves,
    _pronoun_acts,
    _creature_meets_pronoun,
)
FIRST: tuple[Construction, ...] = (*MIDDLE[:5], _hero_acts)
LAST: tuple[Construction, ...] = (_hero_acts, _creature_state_across_pp)


def draw_story(rng: random.Random, topic: str, *, held_out_ending: bool = False) -> Story:
    """One story on the topic; its ending is made of a combination held out from training if asked for."""
    while True:  # until every sentence is on the side of the hold-out where it should be
        cast = draw_cast(rng, lexicon.TOPICS[topic])
        last = rng.choice(LAST)
        first = rng.choice([construction for construction in FIRST if construction is not last])
        middle = rng.sample(
            [construction for construction in MIDDLE if construction not in (first, last)], k=3
        )
        opening = tuple(construction(rng, cast) for construction in (first, *middle))
        ending = last(rng, cast)
        if is_held_out(ending) == held_out_ending and not any(map(is_held_out, opening)):
            return Story(topic, opening, ending)


def distinct_stories(seed: int) -> Iterator[Story]:
    """Stories without end, no two with the same text; the first n do not depend on how many are taken."""
    seen = set()
    for index in itertools.count():
        rng = random.Random(f"story {seed} {index}")
        story = draw_story(rng, rng.choice(list(lexicon.TOPICS)))
        if story.text not in seen:
            seen.add(story.text)
            yield story
