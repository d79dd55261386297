"""Verbs that make tokenizers."""

from slm_jax.cli.arguments import Verbs, add_workers, at_least


def add_verbs(verbs: Verbs) -> None:
    tokenizer = verbs.group("tokenizer", "make a speech tokenizer")
    sub = tokenizer.add("fit", _fit, "train k-means units on features of a sample of the audio")
    sub.add_argument("--audio", required=True, metavar="DIR|MANIFEST")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument("--encoder", default="mfcc", help="features to cluster (default mfcc)")
    sub.add_argument("--frame-rate", type=at_least(1), default=25, help="frames per second (default 25)")
    sub.add_argument(
        "--units", type=at_least(1), default=200, metavar="K", help="number of units (default 200)"
    )
    sub.add_argument("--sample-seconds", type=float, default=3600.0, help="audio to train on (default 3600)")
    sub.add_argument("--seed", type=at_least(0), default=0)
    add_workers(sub)


def _fit(options) -> None:
    from slm_jax.corpora import find_recordings
    from slm_jax.tokenizer import fit_tokenizer, make_encoder

    tokenizer = fit_tokenizer(
        find_recordings(options.audio),
        encoder=make_encoder(options.encoder, {"frame_rate": options.frame_rate}),
        k=options.units,
        seed=options.seed,
        sample_seconds=options.sample_seconds,
        workers=options.workers,
    )
    tokenizer.save(options.out)
    print(f"{options.out}: {tokenizer.k} units, {tokenizer.frame_rate} frames a second")
