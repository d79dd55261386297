"""Two models on the same pairs."""

import numpy as np

from slm_jax.errors import InputError
from slm_jax.evaluation.accuracy import PairScores, pair_scores
from slm_jax.evaluation.intervals import summarize_difference


def compare(first: dict, second: dict, *, seed: int = 0) -> dict:
    """Accuracy of result `first` minus that of `second` with 95 % intervals, shaped as a result's "accuracy".

    The tokenizers may differ, the pairs may not. Raises InputError when a result lists no items, or when the
    two are of different pairs.
    """
    return summarize_difference(_pair_scores(first), _pair_scores(second), seed=seed)


def _pair_scores(result: dict) -> PairScores:
    if "items" not in result:
        raise InputError(
            f"the result of {result['model']['run']} on {result['task']} has no items; evaluate with items"
        )
    points_Q = np.array([item["points"] for item in result["items"]])
    return pair_scores([(item["phenomenon"], item["group"]) for item in result["items"]], points_Q)
