"""Quality of units for a grid of encoders, frame rates, normalizations and K, on synthesized stories.

python benchmarks/quality.py [--sentences 200]     a Markdown table, and one JSON line a tokenizer with --json
"""

import argparse
import itertools
import json
import pathlib
import tempfile

from slm_jax import corpora
from slm_jax.corpora.stories import distinct_stories
from slm_jax.tokenizer import fit_tokenizer, make_encoder, measure_quality, quality_table

GRID = [
    *({"encoder": "mfcc", "frame_rate": rate, "k": k} for rate in (25, 50, 100) for k in (50, 200, 500)),
    *({"encoder": "logmel", "frame_rate": rate, "k": 200} for rate in (25, 50, 100)),
    *(
        {"encoder": encoder, "frame_rate": 50, "k": 200, "normalization": normalization}
        for encoder in ("mfcc", "logmel")
        for normalization in ("mean", "variance", "speaker_mean", "speaker_variance")
    ),
]
FIT_SECONDS = 600


def speech(folder: pathlib.Path, sentences: int, fit_stories: int) -> tuple[list, list]:
    """Recordings to measure (single sentences) and to fit on (other stories), in all four voices."""
    stories = distinct_stories(seed=0)
    voices = itertools.cycle(corpora.VOICES)
    measured = [
        corpora.Utterance(f"sentence-{index}", story.text.split(".")[0] + ".", next(voices))
        for index, story in enumerate(itertools.islice(stories, sentences))
    ]
    fitted = [
        corpora.Utterance(f"story-{index}", story.text, next(voices), {"split": "train"})
        for index, story in enumerate(itertools.islice(stories, fit_stories))
    ]
    return (
        corpora.read_manifest(corpora.speak(measured, folder / "measured", phones=True)),
        corpora.read_manifest(corpora.speak(fitted, folder / "fitted")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--fit-stories", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="JSON lines instead of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        measured, fitted = speech(folder, options.sentences, options.fit_stories)
        tokenizers = []
        for index, setting in enumerate(GRID):
            parameters = {field: setting[field] for field in setting if field not in ("encoder", "k")}
            encoder = make_encoder(setting["encoder"], parameters)
            tokenizer = fit_tokenizer(  # so little audio that starting workers would take longer
                fitted, encoder=encoder, k=setting["k"], sample_seconds=FIT_SECONDS, seed=0, workers=1
            )
            tokenizers.append(folder / f"tokenizer-{index}")
            tokenizer.save(tokenizers[-1])
        rows = measure_quality(measured, tokenizers, workers=1)
    print("\n".join(map(json.dumps, rows)) if options.json else quality_table(rows))


if __name__ == "__main__":
    main()
