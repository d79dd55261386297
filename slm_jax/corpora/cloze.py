"""Topic cloze: which ending belongs to the story? After tStoryCloze (Hassid et al. 2023, TWIST)."""

import random

from slm_jax.corpora.lexicon import TOPICS
from slm_jax.corpora.stories import Story, draw_story
from slm_jax.errors import InputError

MAX_DRAWS = 1000


def draw_cloze(count: int, seed: int) -> list[dict]:
    """`count` story beginnings, each with its own ending and the ending of a story on another topic.

    The right ending is a combination of words that no training story has. All endings are distinct, and each
    is the right one once and the wrong one once, so that an ending which is likely by itself gains nothing.

    Raises InputError for a single item (there is no other ending) or more items than there are distinct
    endings.
    """
    if count == 1:
        raise InputError(
            "cloze_items 1: a wrong ending comes from another item; ask for at least 2, or for 0"
        )
    rng = random.Random(f"cloze {seed}")
    stories = _draw_ring(count, rng)
    return [
        {
            "id": f"cloze-{index:05d}",
            "context": story.context,
            "ending_good": story.ending,
            "ending_bad": neighbour.ending,
            "topic": story.topic,
            "topic_bad": neighbour.topic,
        }
        for index, (story, neighbour) in enumerate(zip(stories, stories[1:] + stories[:1], strict=True))
    ]


def _draw_ring(count: int, rng: random.Random) -> list[Story]:
    """Stories with distinct endings, each on another topic than the next, the last than the first."""
    ring: list[Story] = []
    endings: set[str] = set()
    while len(ring) < count:
        neighbours = {ring[-1].topic, ring[0].topic} if ring else set()
        topic = rng.choice([name for name in TOPICS if name not in neighbours])
        for _ in range(MAX_DRAWS):
            story = draw_story(rng, topic, held_out_ending=True)
            if story.ending not in endings:
                break
        else:
            raise InputError(
                f"cloze_items {count}: only about {len(ring)} distinct held-out endings exist; ask for fewer"
            )
        endings.add(story.ending)
        ring.append(story)
    return ring
