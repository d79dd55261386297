"""Tokenizers side by side: the quality of the units each gives the same recordings."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from slm_jax.corpora import Recording
from slm_jax.corpora.phones import Phone, recording_phones
from slm_jax.errors import InputError
from slm_jax.progress import progress
from slm_jax.tokenizer.encoders import Encoder
from slm_jax.tokenizer.features import recording_features
from slm_jax.tokenizer.quality.unit_quality import NO_PHONE, quality
from slm_jax.tokenizer.tokenizer import Tokenizer
from slm_jax.tokenizer.units import assign, collapse
from slm_jax.workers import parallel_map


@dataclasses.dataclass
class _Frames:
    """Units of the frames of a recording, and the sum of squared distances to their centroids."""

    units_T: np.ndarray
    inertia: float


def measure_quality(
    recordings: Sequence[Recording],
    tokenizers: Sequence[str | os.PathLike],
    *,
    workers: int | None = None,
    seed: int = 0,
) -> list[dict]:
    """One row for each tokenizer folder: what it is, and the `quality` of its units on all `recordings`.

    A row has tokenizer (the folder), encoder, layer (None without), normalization, frame_rate, k,
    units_per_second (repeats removed) and inertia (mean squared distance of a frame to its centroid, in the
    units of the features).
    Phones are those of `recording_phones`; speakers count where two or more are named. A recording that a
    tokenizer cannot use is left out for all. Raises InputError when none is left.
    """
    loaded = [Tokenizer.load(directory) for directory in tokenizers]
    encoded = [_encode(tokenizer, recordings, workers) for tokenizer in loaded]
    usable = [index for index, results in enumerate(zip(*encoded, strict=True)) if None not in results]
    if not usable:
        raise InputError("none of the recordings can be used; check one of them with another program")
    recordings = [recordings[index] for index in usable]
    aligned = parallel_map(recording_phones, recordings, workers=workers)
    phones = list(progress(aligned, total=len(recordings), desc="phones", unit="recording"))
    speakers = [recording.speaker for recording in recordings]
    rows = []
    for directory, tokenizer, results in zip(tokenizers, loaded, encoded, strict=True):
        results = [results[index] for index in usable]
        units = [result.units_T for result in results]
        labels = [
            None if found is None else frame_labels(found, frame_middles(tokenizer.encoder, len(units_T)))
            for found, units_T in zip(phones, units, strict=True)
        ]
        frames = sum(map(len, units))
        seconds = frames / tokenizer.frame_rate
        rows.append(
            {
                "tokenizer": str(pathlib.Path(directory)),
                "encoder": tokenizer.encoder.name,
                "layer": tokenizer.encoder.parameters.get("layer"),
                "normalization": tokenizer.encoder.parameters.get("normalization"),
                "frame_rate": tokenizer.frame_rate,
                "k": tokenizer.k,
                "units_per_second": sum(len(collapse(units_T)[0]) for units_T in units) / seconds,
                "inertia": sum(result.inertia for result in results) / frames,
            }
            | quality(units, labels, speakers, k=tokenizer.k, seed=seed)
        )
    return rows


def frame_middles(encoder: Encoder, frames: int) -> np.ndarray:
    """middle_T, s: where in a recording the first `frames` frames have their middle."""
    if not hasattr(encoder, "frame_times"):
        return (np.arange(frames) + 0.5) / encoder.frame_rate
    samples = encoder.sample_rate
    while len(encoder.frame_times(samples)) < frames:  # where a frame lies does not depend on what follows
        samples *= 2
    return encoder.frame_times(samples)[:frames] + 0.5 / encoder.frame_rate


def frame_labels(phones: Sequence[Phone], middle_T: np.ndarray) -> np.ndarray:
    """The phone at the middle of each frame, in s, labels_T of text; "" where there is none."""
    starts_N, ends_N = np.array([phone[:2] for phone in phones]).T
    index_T = np.searchsorted(starts_N, middle_T, side="right") - 1
    inside_T = (index_T >= 0) & (middle_T < ends_N[index_T])
    return np.where(inside_T, np.array([phone.symbol for phone in phones])[index_T], NO_PHONE)


def _encode(
    tokenizer: Tokenizer, recordings: Sequence[Recording], workers: int | None
) -> list[_Frames | None]:
    encoder = tokenizer.encoder
    features = recording_features(encoder, recordings, workers)
    return [
        None if isinstance(found, InputError) else _frames(tokenizer, found)
        for found in progress(features, total=len(recordings), desc=encoder.name, unit="recording")
    ]


def _frames(tokenizer: Tokenizer, features_TxD: np.ndarray) -> _Frames:
    units_T = assign(features_TxD, tokenizer.centroids_KxD)
    return _Frames(units_T, float(((features_TxD - tokenizer.centroids_KxD[units_T]) ** 2).sum()))


_COLUMNS = {
    "tokenizer": ("tokenizer", ""),
    "encoder": ("encoder", ""),
    "layer": ("layer", "d"),
    "normalization": ("normalization", ""),
    "frames/s": ("frame_rate", "g"),
    "K": ("k", "d"),
    "units/s": ("units_per_second", ".1f"),
    "perplexity": ("perplexity", ".0f"),
    "phone purity": ("phone_purity", ".3f"),
    "cluster purity": ("cluster_purity", ".3f"),
    "PNMI": ("pnmi", ".3f"),
    "speaker information": ("speaker_information", ".3f"),
    "(shuffled)": ("speaker_information_chance", ".3f"),
    "speaker accuracy": ("speaker_accuracy", ".2f"),
    "(chance)": ("speaker_chance", ".2f"),
    "inertia": ("inertia", ".4g"),
}


def quality_table(rows: Sequence[dict]) -> str:
    """The rows of `measure_quality` as a Markdown table; ± is half of the 95% interval over recordings.

    Tokenizers are those of the folders' names.
    """
    rows = [row | {"tokenizer": pathlib.Path(row["tokenizer"]).resolve().name} for row in rows]
    columns = {
        title: column
        for title, column in _COLUMNS.items()
        if any(row.get(column[0]) is not None for row in rows)
    }
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(row, *column) for column in columns.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: dict, name: str, style: str) -> str:
    if row.get(name) is None:
        return ""
    low, high = row.get(f"{name}_interval", (None, None))
    half = "" if low is None else f" ± {format((high - low) / 2, style)}"
    return format(row[name], style) + half
