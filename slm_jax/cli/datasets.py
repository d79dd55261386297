"""Verbs that look at datasets and make one from another."""

from slm_jax.cli.arguments import Verbs, add_workers, at_least


def add_verbs(verbs: Verbs) -> None:
    dataset = verbs.group("dataset", "look at datasets, check them, and make one from another")

    sub = dataset.add("info", _info, "hours and units of each split and of each source; more are compared")
    sub.add_argument("datasets", nargs="+", metavar="DIR")
    sub.add_argument("--csv", metavar="FILE", help="write the comparison there too")

    sub = dataset.add("validate", _validate, "compare every file with its checksum")
    sub.add_argument("dataset", metavar="DIR")

    sub = dataset.add("import", _import, "turn units that another project made into a dataset")
    sub.epilog = "slm_scaling: packed shards; slamkit: JSON lines; textless: name|1 2 3, or .km beside a .tsv"
    sub.add_argument("source", metavar="PATH", help="the file or folder of units")
    sub.add_argument("--format", required=True, help="slm_scaling, slamkit or textless")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument("--name", default="speech", help="name of the dataset (default speech)")
    sub.add_argument("--tokenizer", metavar="DIR", help="the tokenizer that made the units, if it is at hand")
    sub.add_argument("--units", type=at_least(1), metavar="K", help="number of units, where neither says it")
    sub.add_argument("--frame-rate", type=float, metavar="HZ", help="feature frames a second of the units")
    sub.add_argument("--origin", help="a name for what made the units (default: the format)")
    sub.add_argument("--source-name", metavar="NAME", help="the source of every record, as LibriSpeech")

    sub = dataset.add("pieces", _pieces, "encode a dataset of units into coarser tokens")
    sub.add_argument("dataset", metavar="DIR")
    sub.add_argument("--tokenizer", required=True, metavar="DIR", help="made by slm tokenizer pieces")
    sub.add_argument("--out", required=True, metavar="DIR")
    add_workers(sub)

    sub = dataset.add("units", _units, "decode a dataset of coarser tokens into the units they were made of")
    sub.add_argument("dataset", metavar="DIR")
    sub.add_argument("--out", required=True, metavar="DIR")
    add_workers(sub)


def _info(options) -> None:
    from slm_jax.data import (
        format_granularity,
        format_sources,
        format_statistics,
        granularity,
        open_dataset,
        write_granularity,
    )

    datasets = [open_dataset(directory) for directory in options.datasets]
    if len(datasets) == 1:
        print(format_statistics(datasets[0]), format_sources(datasets[0]), sep="\n\n", end="\n\n")
    rows = granularity(datasets)
    print(format_granularity(rows))
    if options.csv:
        write_granularity(rows, options.csv)


def _validate(options) -> None:
    from slm_jax.data import open_dataset

    open_dataset(options.dataset).validate()
    print(f"{options.dataset}: every file matches its checksum")


def _import(options) -> None:
    from slm_jax.data import format_statistics, import_units, open_dataset

    notes = import_units(
        options.format,
        options.source,
        options.out,
        name=options.name,
        k=options.units,
        tokenizer_dir=options.tokenizer,
        frame_rate=options.frame_rate,
        origin=options.origin,
        source_name=options.source_name,
    )
    print(format_statistics(open_dataset(options.out)), *notes, sep="\n")


def _pieces(options) -> None:
    from slm_jax.data import encode_pieces, format_statistics, open_dataset

    encode_pieces(options.dataset, options.tokenizer, options.out, workers=options.workers)
    print(format_statistics(open_dataset(options.out)))


def _units(options) -> None:
    from slm_jax.data import decode_pieces, format_statistics, open_dataset

    decode_pieces(options.dataset, options.out, workers=options.workers)
    print(format_statistics(open_dataset(options.out)))
