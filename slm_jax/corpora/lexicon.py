"""The words of the story grammar, as plain data.

The vocabulary is small (108 words) so that a model of a few hundred thousand parameters can learn it
from hours of speech, and every countable noun has a plural one can hear: an extra syllable (fox, foxes) or
another word (goose, geese), never a final consonant alone.
"""

from typing import Literal, NamedTuple

Number = Literal["singular", "plural"]
Tense = Literal["present", "past"]
Gender = Literal["feminine", "masculine"]


class Noun(NamedTuple):
    singular: str
    plural: str


class Topic(NamedTuple):
    """What a story is about: who is met there, what is found there, and where it is."""

    creatures: tuple[Noun, ...]
    things: tuple[Noun, ...]
    places: tuple[str, ...]


TOPICS: dict[str, Topic] = {
    "farm": Topic(
        (Noun("horse", "horses"), Noun("goose", "geese")),
        (Noun("cabbage", "cabbages"), Noun("fence", "fences")),
        ("barn", "field"),
    ),
    "castle": Topic(
        (Noun("princess", "princesses"), Noun("witch", "witches")),
        (Noun("necklace", "necklaces"), Noun("torch", "torches")),
        ("castle", "tower"),
    ),
    "forest": Topic(
        (Noun("fox", "foxes"), Noun("mouse", "mice")),
        (Noun("bush", "bushes"), Noun("cottage", "cottages")),
        ("forest", "river"),
    ),
    "kitchen": Topic(
        (Noun("child", "children"), Noun("waitress", "waitresses")),
        (Noun("sandwich", "sandwiches"), Noun("glass", "glasses")),
        ("kitchen", "table"),
    ),
    "garden": Topic(
        (Noun("finch", "finches"), Noun("tortoise", "tortoises")),
        (Noun("rose", "roses"), Noun("peach", "peaches")),
        ("garden", "pond"),
    ),
    "town": Topic(
        (Noun("nurse", "nurses"), Noun("judge", "judges")),
        (Noun("bus", "buses"), Noun("package", "packages")),
        ("market", "station"),
    ),
}

HEROES: dict[str, Gender] = {
    "Mary": "feminine",
    "Anna": "feminine",
    "Lucy": "feminine",
    "Tom": "masculine",
    "Jack": "masculine",
    "Peter": "masculine",
}

ADJECTIVES = ("happy", "hungry", "tired", "angry", "quiet", "lonely")

# Verbs are in the past tense; a verb belongs to one list only, so that its list says which frame it takes.
TRANSITIVE_VERBS = ("found", "carried", "painted", "wanted")  # a hero ... an object or a creature
INTRANSITIVE_VERBS = ("slept", "laughed", "danced", "waited")  # a hero ...
REFLEXIVE_VERBS = ("hurt", "saw", "washed", "dressed", "blamed")  # a hero ... himself or herself
MEETING_VERBS = ("followed", "helped", "called", "visited")  # a creature ... him or her

BE: dict[tuple[Tense, Number], str] = {
    ("present", "singular"): "is",
    ("present", "plural"): "are",
    ("past", "singular"): "was",
    ("past", "plural"): "were",
}
DEMONSTRATIVE: dict[Number, str] = {"singular": "this", "plural": "these"}
REFLEXIVE: dict[Gender, str] = {"feminine": "herself", "masculine": "himself"}
SUBJECT_PRONOUN: dict[Gender, str] = {"feminine": "she", "masculine": "he"}
OBJECT_PRONOUN: dict[Gender, str] = {"feminine": "her", "masculine": "him"}
PAST_ADVERB = "yesterday"
FUTURE_ADVERB = "tomorrow"
FUTURE = "will be"

_NOUNS = tuple(noun for topic in TOPICS.values() for noun in topic.creatures + topic.things)
_UNINFLECTED = (
    *HEROES,
    *(place for topic in TOPICS.values() for place in topic.places),
    *ADJECTIVES,
    *TRANSITIVE_VERBS,
    *INTRANSITIVE_VERBS,
    *REFLEXIVE_VERBS,
    *MEETING_VERBS,
)

LEMMAS: dict[str, str] = {word.lower(): word.lower() for word in _UNINFLECTED} | {
    form: noun.singular for noun in _NOUNS for form in noun
}
"""Content word, lower case, to its lemma; words of the grammar that are not here are function words."""


_OTHER = {"singular": "plural", "plural": "singular", "feminine": "masculine", "masculine": "feminine"}


def other(feature: Number | Gender) -> Number | Gender:
    """The number or gender that disagrees with this one."""
    return _OTHER[feature]
