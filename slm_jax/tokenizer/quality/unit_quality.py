"""The quality of units, given the phones and the speakers where they are known."""

from collections.abc import Sequence

import numpy as np

from slm_jax.errors import InputError
from slm_jax.tokenizer.quality.bootstrap import joint_counts, with_intervals
from slm_jax.tokenizer.quality.counts import cluster_purity, entropy, information_share, label_purity
from slm_jax.tokenizer.quality.leakage import speaker_leakage

NO_PHONE = ""  # the label of a frame of which the alignment says nothing


def quality(
    units: Sequence[np.ndarray],
    phones: Sequence[np.ndarray | None] | None = None,
    speakers: Sequence[str] | None = None,
    *,
    k: int,
    seed: int = 0,
) -> dict:
    """Measures of units_T of every frame (0..k-1, repeats kept), one array a recording.

    `phones` are labels_T of the same frames (text; "" or a recording's None: not known), `speakers` a name
    for each recording. Always: recordings, frames, units_in_use, entropy (nats), perplexity. With phones:
    phone_purity, cluster_purity and pnmi (`counts`), over the frames whose phone is known. With speakers:
    those of `speaker_leakage`. NAME_interval is the 95% interval of NAME over recordings.

    Raises InputError when there are no frames, or arrays do not fit each other or k.
    """
    _check(units, phones, speakers, k)
    rng = np.random.default_rng(seed)
    counts_K = np.bincount(np.concatenate(units), minlength=k)
    result = {
        "recordings": len(units),
        "frames": int(counts_K.sum()),
        "units_in_use": int((counts_K > 0).sum()),
        "entropy": entropy(counts_K),
        "perplexity": float(np.exp(entropy(counts_K))),
    }
    if phones is not None:
        result |= _against_phones(units, phones, k, rng)
    if speakers is not None:
        result |= speaker_leakage(units, speakers, k, rng)
    return result


def _against_phones(
    units: Sequence[np.ndarray], phones: Sequence[np.ndarray | None], k: int, rng: np.random.Generator
) -> dict:
    known = [
        (labels_T[labels_T != NO_PHONE], units_T[labels_T != NO_PHONE])
        for labels_T, units_T in zip(phones, units, strict=True)
        if labels_T is not None and (labels_T != NO_PHONE).any()
    ]
    if not known:
        return {}
    symbols, labels_M = np.unique(np.concatenate([labels_T for labels_T, _ in known]), return_inverse=True)
    labels = np.split(labels_M, np.cumsum([len(labels_T) for labels_T, _ in known])[:-1])
    shape = len(symbols), k
    counts_RxC = joint_counts(labels, [units_T for _, units_T in known], shape)
    measures = {"phone_purity": label_purity, "cluster_purity": cluster_purity, "pnmi": information_share}
    return {"phones": len(symbols)} | with_intervals(counts_RxC, shape, measures, rng)


def _check(units, phones, speakers, k) -> None:
    if not units or any(len(units_T) == 0 for units_T in units):
        raise InputError("quality needs units: give at least one recording, and none without frames")
    for name, labels in (("phones", phones), ("speakers", speakers)):
        if labels is not None and len(labels) != len(units):
            raise InputError(f"{name} of {len(labels)} recordings do not fit units of {len(units)}")
    for index, units_T in enumerate(units):
        if units_T.max() >= k:
            raise InputError(f"recording {index + 1}: unit {units_T.max()} is not one of k = {k}")
        if phones is not None and phones[index] is not None and len(phones[index]) != len(units_T):
            raise InputError(
                f"recording {index + 1}: {len(phones[index])} phone labels do not fit {len(units_T)} frames"
            )
