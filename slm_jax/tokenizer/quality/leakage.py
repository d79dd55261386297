"""Speaker leakage: what units give away of who speaks."""

from collections.abc import Sequence

import numpy as np

from slm_jax.tokenizer.quality.bootstrap import joint_counts, with_intervals
from slm_jax.tokenizer.quality.counts import information_share

FOLDS = 5
SHUFFLES = 20
STRENGTH = 100.0  # inverse of the weight decay


def speaker_leakage(
    units: Sequence[np.ndarray], speakers: Sequence[str], k: int, rng: np.random.Generator
) -> dict:
    """How much the units of recordings say of their speakers.

    `speaker_information` is I(unit; speaker) / H(speaker) over frames. It is above 0 for any units, since
    recordings differ in what is said: `speaker_information_chance` is its mean when the speakers are shuffled
    among the recordings. `speaker_accuracy` is that of a linear classifier of unit histograms on recordings
    it has not seen (5 folds), `speaker_chance` that of naming the most frequent speaker; both are missing
    unless two speakers have five recordings each. Empty where there are fewer than two speakers.
    """
    names, speakers_R = np.unique(speakers, return_inverse=True)
    if len(names) < 2:
        return {}
    shape = len(names), k
    frames_R = [len(units_T) for units_T in units]
    labels = [np.full(frames, speaker) for frames, speaker in zip(frames_R, speakers_R, strict=True)]
    counts_RxC = joint_counts(labels, units, shape)
    result = with_intervals(counts_RxC, shape, {"speaker_information": information_share}, rng)
    histograms_RxK = np.stack([np.bincount(units_T, minlength=k) for units_T in units])
    result["speaker_information_chance"] = _shuffled(histograms_RxK, speakers_R, rng)
    return result | _classified(histograms_RxK, speakers_R)


def _shuffled(histograms_RxK: np.ndarray, speakers_R: np.ndarray, rng: np.random.Generator) -> float:
    speaker_SxR = np.eye(speakers_R.max() + 1)[:, speakers_R]
    shuffles = [rng.permutation(len(speakers_R)) for _ in range(SHUFFLES)]
    return float(np.mean([information_share(speaker_SxR[:, order] @ histograms_RxK) for order in shuffles]))


def _classified(histograms_RxK: np.ndarray, speakers_R: np.ndarray) -> dict:
    from scipy.stats import binomtest  # these take seconds to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    enough_R = np.bincount(speakers_R)[speakers_R] >= FOLDS
    speakers_R = speakers_R[enough_R]
    if len(np.unique(speakers_R)) < 2:
        return {}
    # square roots of relative frequencies: their Euclidean distance is Hellinger's, made for histograms
    features_RxK = np.sqrt(histograms_RxK[enough_R] / histograms_RxK[enough_R].sum(axis=1, keepdims=True))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    classifier = LogisticRegression(C=STRENGTH, max_iter=1000)
    right = int((cross_val_predict(classifier, features_RxK, speakers_R, cv=folds) == speakers_R).sum())
    low, high = binomtest(right, len(speakers_R)).proportion_ci(method="wilson")
    return {
        "speaker_accuracy": right / len(speakers_R),
        "speaker_accuracy_interval": [float(low), float(high)],
        "speaker_chance": float(np.bincount(speakers_R).max() / len(speakers_R)),
    }
