"""Peak memory of tokenization, for a corpus and for one ten times larger: bounded by a shard, not the corpus.

python benchmarks/memory.py [--recordings 2000]     one JSON line

The corpora are streams of recordings of the same few files of noise under other ids. Each is tokenized in a
process of its own; its peak, and the largest peak of its two workers, are what the kernel says (ru_maxrss).
"""

import argparse
import json
import multiprocessing
import pathlib
import resource
import sys
import tempfile

import numpy as np
import soundfile

from slm_jax.corpora import Recording
from slm_jax.data import UnitDataset, encode_recordings
from slm_jax.tokenizer import MFCC, Tokenizer
from slm_jax.versions import versions

FILES = 16
WORKERS = 2
RECORDINGS_PER_SHARD = 64


def stream(folder: pathlib.Path, recordings: int):
    for index in range(recordings):
        yield Recording(f"recording-{index}", folder / f"{index % FILES}.wav", "noise", "made up")


def tokenize(folder: pathlib.Path, recordings: int, results) -> None:
    out = folder / f"units-{recordings}"
    encode_recordings(
        stream(folder, recordings),
        folder / "tokenizer",
        out,
        name="noise",
        workers=WORKERS,
        records_per_shard=RECORDINGS_PER_SHARD,
        durations=True,
    )
    peaks = {name: peak(who) for name, who in (("parent", "RUSAGE_SELF"), ("worker", "RUSAGE_CHILDREN"))}
    encoded = sum(split["records"] for split in UnitDataset(out).statistics().values())
    results.put({"recordings": encoded, **peaks})


def peak(who: str) -> float:
    """MiB; the peak of RUSAGE_CHILDREN is that of the largest child."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(getattr(resource, who)).ru_maxrss * unit / 2**20, 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=2000)
    options = parser.parse_args()
    spawn, rng = multiprocessing.get_context("spawn"), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for index in range(FILES):
            soundfile.write(folder / f"{index}.wav", rng.normal(0, 0.1, 16_000), 16_000)
        Tokenizer(MFCC(), rng.normal(0, 100, (500, 26))).save(folder / "tokenizer")
        rows = []
        for recordings in (options.recordings, 10 * options.recordings):
            results = spawn.SimpleQueue()
            process = spawn.Process(target=tokenize, args=(folder, recordings, results))
            process.start()
            rows.append(results.get())
            process.join()
    result = {
        "benchmark": "memory",
        "peak_mib": rows,
        "growth": {who: round(rows[1][who] / rows[0][who], 3) for who in ("parent", "worker")},
        "workers": WORKERS,
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
