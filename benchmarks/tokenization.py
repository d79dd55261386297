"""Tokenization in seconds of audio per second: wav files -> MFCC -> nearest centroid -> shards, on all cores.

python benchmarks/tokenization.py [--stories 300]     one JSON line

Against it, on as many processes: the loop one would write with librosa and scikit-learn, for the same
features and centroids. Where other work disturbs the clock, compare the figures from CPU time: seconds of
audio per CPU second of all processes, times the cores. Process start is in all of them.
"""

import argparse
import functools
import json
import multiprocessing
import pathlib
import resource
import tempfile
import time

import numpy as np

from slm_jax import corpora
from slm_jax.cores import available_cores
from slm_jax.data import UnitDataset, encode_recordings
from slm_jax.tokenizer import fit_tokenizer, make_encoder
from slm_jax.versions import versions


def measured(work) -> tuple[float, float]:
    """Seconds by the clock, and CPU seconds of this process and of those it started."""
    started, before = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - started, cpu_seconds() - before


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def librosa_units(path: pathlib.Path, model, frame_rate: int) -> np.ndarray:
    """What MFCC() and the nearest centroid give, as a loop around the two libraries would."""
    import librosa

    wave, _ = librosa.load(path, sr=16_000)
    cepstra = librosa.feature.mfcc(
        y=wave, sr=16_000, n_mfcc=13, n_fft=400, hop_length=160, n_mels=40, lifter=22, dct_type=2
    )
    slopes = 6 * librosa.feature.delta(cepstra, width=9, mode="nearest")
    features = np.concatenate([cepstra, slopes]).T
    group = 100 // frame_rate
    frames = len(features) // group
    features = features[: frames * group].reshape(frames, group, -1).mean(axis=1)
    units = model.predict(np.ascontiguousarray(features, np.float32))
    return units[np.flatnonzero(np.diff(units, prepend=-1))]


def librosa_loop(recordings, tokenizer, out: pathlib.Path, cores: int) -> None:
    from sklearn.cluster import KMeans

    model = KMeans(len(tokenizer.centroids_KxD), n_init=1, max_iter=1, init=tokenizer.centroids_KxD)
    model.fit(tokenizer.centroids_KxD)
    model.cluster_centers_ = tokenizer.centroids_KxD
    encode = functools.partial(librosa_units, model=model, frame_rate=tokenizer.frame_rate)
    with multiprocessing.get_context("spawn").Pool(cores, start_librosa) as pool, out.open("w") as file:
        paths = [recording.path for recording in recordings]
        for recording, units in zip(recordings, pool.imap(encode, paths, chunksize=8), strict=True):
            file.write(json.dumps({"id": recording.id, "units": units.tolist()}) + "\n")


def start_librosa() -> None:
    """One thread a process, as the other side has; more would fight over the cores."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(1)


def agreement(dataset: UnitDataset, path: pathlib.Path) -> float:
    """Share of the recordings that both sides give the same units."""
    rows = (json.loads(line) for line in path.open())
    expected = {row["id"]: row["units"] for row in rows}
    same = [
        row["units"].tolist() == expected[row["id"]]
        for split in dataset.splits
        for row in dataset.examples(split)
    ]
    return sum(same) / len(expected)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stories", type=int, default=300)
    parser.add_argument("--units", type=int, default=500)
    options = parser.parse_args()
    cores = available_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        corpora.write_corpus(
            folder / "text", stories=options.stories, pairs_per_phenomenon=1, cloze_items=0, seed=0
        )
        corpora.speak(corpora.story_utterances(folder / "text"), folder / "speech")
        recordings = corpora.read_manifest(folder / "speech" / "manifest.jsonl")
        tokenizer = fit_tokenizer(
            recordings, encoder=make_encoder("mfcc", {}), k=options.units, sample_seconds=600
        )
        tokenizer.save(folder / "tokenizer")
        ours, our_cpu = measured(
            lambda: encode_recordings(recordings, folder / "tokenizer", folder / "units", name="stories")
        )
        theirs, their_cpu = measured(
            lambda: librosa_loop(recordings, tokenizer, folder / "units.jsonl", cores)
        )
        dataset = UnitDataset(folder / "units")
        audio = 3600 * sum(split["hours"] for split in dataset.statistics().values())
        same = agreement(dataset, folder / "units.jsonl")
    result = {
        "benchmark": "tokenization",
        "audio_seconds": round(audio),
        "cores": cores,
        "times_real_time": round(audio / ours),
        "times_real_time_by_cpu": round(cores * audio / our_cpu),
        "librosa_sklearn_times_real_time": round(audio / theirs),
        "librosa_sklearn_times_real_time_by_cpu": round(cores * audio / their_cpu),
        "recordings_with_the_same_units": round(same, 4),
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
