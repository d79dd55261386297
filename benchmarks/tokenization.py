"""Speech synthesis and tokenization, in seconds of audio per second: text -> wav -> MFCC units -> shards.

python benchmarks/tokenization.py [--stories 1000]     one JSON line
"""

import argparse
import json
import os
import pathlib
import tempfile
import time

from slm_jax import corpora
from slm_jax.data import UnitDataset, encode_recordings
from slm_jax.tokenizer import fit_tokenizer, make_encoder
from slm_jax.versions import versions


def seconds_of(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stories", type=int, default=1000)
    parser.add_argument("--units", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        corpora.write_corpus(
            folder / "text", stories=options.stories, pairs_per_phenomenon=1, cloze_items=0, seed=0
        )
        utterances = corpora.story_utterances(folder / "text")
        speaking = seconds_of(lambda: corpora.speak(utterances, folder / "speech"))
        recordings = corpora.read_manifest(folder / "speech" / "manifest.jsonl")
        tokenizer = fit_tokenizer(
            recordings, encoder=make_encoder("mfcc", {}), k=options.units, sample_seconds=600
        )
        tokenizer.save(folder / "tokenizer")
        encoding = seconds_of(
            lambda: encode_recordings(recordings, folder / "tokenizer", folder / "units", name="stories")
        )
        statistics = UnitDataset(folder / "units").statistics().values()
        audio = 3600 * sum(split["hours"] for split in statistics)
    result = {
        "benchmark": "tokenization",
        "audio_seconds": round(audio),
        "speaking_times_real_time": round(audio / speaking),
        "encoding_times_real_time": round(audio / encoding),
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
