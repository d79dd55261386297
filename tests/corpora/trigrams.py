"""A word trigram model with back-off: what a model of little reach can learn from a corpus."""

import collections
from collections.abc import Iterable


def accuracy_by_phenomenon(sentences: Iterable[list[str]], pairs: list[dict], words_of) -> dict[str, float]:
    """Of the model trained on `sentences` (their words), on pairs whose sentences `words_of` splits."""
    counts = collections.Counter()
    for sentence in sentences:
        words = ["<s>", "<s>", *sentence, "</s>"]
        for n in (1, 2, 3):
            counts.update(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    def score(sentence: str) -> float:  # stupid back-off (Brants et al. 2007)
        words = ["<s>", "<s>", *words_of(sentence), "</s>"]
        total = 1.0
        for i in range(2, len(words)):
            weight = 1.0
            for n in (3, 2, 1):
                gram = tuple(words[i - n + 1 : i + 1])
                if counts[gram]:
                    total *= weight * counts[gram] / (counts[gram[:-1]] if n > 1 else 1e5)
                    break
                weight *= 0.4
        return total

    wins = collections.defaultdict(list)
    for row in pairs:
        wins[row["UID"]].append(score(row["sentence_good"]) > score(row["sentence_bad"]))
    return {uid: sum(each) / len(each) for uid, each in wins.items()}
