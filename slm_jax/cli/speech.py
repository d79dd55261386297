"""Verbs that make speech and turn it into units."""

import pathlib

from slm_jax.cli.arguments import Verbs, add_workers, at_least


def add_verbs(verbs: Verbs) -> None:
    sub = verbs.add(
        "corpus", _corpus, "write stories, minimal pairs and topic cloze items from the built-in grammar"
    )
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument(
        "--stories", type=at_least(1), default=1000, help="training and validation stories (default 1000)"
    )
    sub.add_argument(
        "--pairs", type=at_least(1), default=50, help="minimal pairs per phenomenon (default 50)"
    )
    sub.add_argument("--cloze", type=at_least(1), default=50, help="topic cloze items (default 50)")
    sub.add_argument("--seed", type=at_least(0), default=0)

    sub = verbs.add("synthesize", _synthesize, "text to speech with espeak-ng: wav files and a manifest")
    sub.add_argument(
        "--text", required=True, metavar="FILE", help="plain text, or JSON lines of texts or of minimal pairs"
    )
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument(
        "--voices", nargs="+", metavar="VOICE", help="voices to speak with (default: all built-in ones)"
    )
    add_workers(sub)

    sub = verbs.add(
        "tokenize", _tokenize, "encode audio into a unit dataset, resumably; bad files are skipped and listed"
    )
    sub.add_argument("--audio", required=True, metavar="DIR|MANIFEST")
    sub.add_argument("--tokenizer", required=True, metavar="DIR")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument("--name", default="speech", help="name of the dataset (default speech)")
    add_workers(sub)


def _corpus(options) -> None:
    from slm_jax.corpora import write_corpus

    write_corpus(
        options.out,
        stories=options.stories,
        pairs_per_phenomenon=options.pairs,
        cloze_items=options.cloze,
        seed=options.seed,
    )


def _synthesize(options) -> None:
    from slm_jax.corpora import VOICES, read_text, speak

    manifest = speak(
        read_text(options.text, voices=options.voices or tuple(VOICES)), options.out, workers=options.workers
    )
    print(f"spoken: {manifest}")


def _tokenize(options) -> None:
    from slm_jax.corpora import find_recordings
    from slm_jax.data import encode_recordings, format_statistics, open_dataset

    out = pathlib.Path(options.out)
    skipped = encode_recordings(
        find_recordings(options.audio), options.tokenizer, out, name=options.name, workers=options.workers
    )
    print(format_statistics(open_dataset(out)))
    if skipped:
        print(f"{len(skipped)} recordings were skipped; {out / 'skipped.jsonl'} has the reasons")
