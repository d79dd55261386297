"""Which combinations of words are kept for evaluation and never occur in a story."""

import functools
import hashlib
import re

from slm_jax.corpora.lexicon import LEMMAS

ONE_IN = 4


def combination(sentence: str) -> tuple[str, ...]:
    """The sorted lemmas of a sentence's content words: what it says, apart from grammar and word order."""
    words = re.findall(r"[a-z]+", sentence.lower())
    return tuple(sorted({LEMMAS[word] for word in words if word in LEMMAS}))


@functools.cache
def is_held_out(sentence: str) -> bool:
    """True for one in four combinations of content words, by a hash: the same for every seed and corpus size.

    Stories are written with sentences that are not held out, minimal pairs and cloze endings with sentences
    that are. Number, tense, gender and word order do not count, so neither a pair's good sentence nor its bad
    one, nor the same words in another construction, is ever trained on.
    """
    digest = hashlib.sha256(" ".join(combination(sentence)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % ONE_IN == 0
