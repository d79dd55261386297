"""The `slm` command: each verb is a thin function of one room, imported only when it is called."""

import argparse
import ast
import errno
import logging
import os
import pathlib
import runpy
import sys
from collections.abc import Sequence

from slm_jax import __version__
from slm_jax.errors import InputError, WorkError
from slm_jax.files import read_json

DESCRIPTION = """\
slm_jax: from raw audio to the scaling laws of speech language models.

A whole miniature study on this computer, nothing downloaded:
  slm study --config=configs/studies/smoke.py --workdir=runs/smoke

Step by step, on your own recordings:
  slm tokenizer fit --audio recordings/ --out tokenizer/
  slm tokenize --audio recordings/ --tokenizer tokenizer/ --out units/
  slm train --config=configs/cpu_small.py --config.data.path=units/ --workdir=runs/first
  slm evaluate --checkpoint runs/first --data pairs/ --task minimal_pairs --out scores.json
  slm fit results.csv --out laws.json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code: 0, 2 for bad input, 1 when the work itself failed."""
    options, rest = _parser().parse_known_args(arguments)
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax tells of every option, and of errors twice
    try:
        if rest and not options.takes_config:
            raise InputError(f"unknown argument {rest[0]}; see slm {options.verb} --help")
        if options.takes_config:
            options.config = load_config(options.config, rest)
        options.run(options)
    except InputError as error:
        return _fail(2, str(error))
    except WorkError as error:
        return _fail(1, str(error))
    except OSError as error:
        where = error.filename or "a file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(2, f"{where}: the disk is full; free some space and run the same command again")
        if error.filename is None:
            raise
        return _fail(2, f"{where}: {error.strerror}")
    except KeyboardInterrupt:
        return _fail(130, "stopped; run the same command again to go on")
    return 0


def _fail(code: int, message: str) -> int:
    print(f"slm: {message}", file=sys.stderr)
    return code


def load_config(path: str, overrides: Sequence[str] = ()) -> dict:
    """The fields that `get_config()` of a Python file gives, with `--config.field=value` applied.

    Values are Python literals, or else text. Raises InputError naming the file and what is wrong with it; the
    fields themselves are checked by whom the config is for.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"{path}: no such config file; the project's configs folder has examples")
    try:
        config = runpy.run_path(path)["get_config"]().to_dict()
    except KeyError:
        raise InputError(
            f"{path}: has no get_config(); see the examples in the project's configs folder"
        ) from None
    except Exception as error:  # whatever a user's file may do
        raise InputError(f"{path}: {type(error).__name__}: {' '.join(str(error).split())}") from None
    for argument in overrides:
        name, equals, text = argument.removeprefix("--config.").partition("=")
        if not argument.startswith("--config.") or not equals:
            raise InputError(f"unknown argument {argument}; to set a config field write --config.field=value")
        *parents, field = name.split(".")
        fields = config
        for parent in parents:
            fields = fields.setdefault(parent, {})
            if not isinstance(fields, dict):
                raise InputError(f"{argument}: config.{parent} has no fields")
        fields[field] = _literal(text)
    return config


def _literal(text: str):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _check_output(path: str, field: str) -> None:
    """Finds out before the work whether its result may be written: over nothing, or over an earlier result.

    `field` is one that every result of this kind has.
    """
    target = pathlib.Path(path)
    if target.is_dir() or not target.name:
        raise InputError(f"--out {path} is a folder; give the name of a file")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"--out {path}: the folder {target.parent} cannot be written to")
    if target.exists() and not _has_field(target, field):
        raise InputError(f"--out {path}: exists and is something else; give another name")


def _has_field(path: pathlib.Path, field: str) -> bool:
    try:
        return field in read_json(path)
    except (InputError, TypeError):
        return False


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


def _tokenizer_fit(options) -> None:
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


def _tokenize(options) -> None:
    from slm_jax.corpora import find_recordings
    from slm_jax.data import encode_recordings

    out = pathlib.Path(options.out)
    skipped = encode_recordings(
        find_recordings(options.audio), options.tokenizer, out, name=options.name, workers=options.workers
    )
    _dataset_info(argparse.Namespace(dataset=out))
    if skipped:
        print(f"{len(skipped)} recordings were skipped; {out / 'skipped.jsonl'} has the reasons")


def _dataset_info(options) -> None:
    from slm_jax.data import format_statistics, open_dataset

    print(format_statistics(open_dataset(options.dataset)))


def _dataset_validate(options) -> None:
    from slm_jax.data import open_dataset

    open_dataset(options.dataset).validate()
    print(f"{options.dataset}: every file matches its checksum")


def _plan(options) -> None:
    from slm_jax.study import format_plan, plan_budget

    print(format_plan(plan_budget(options.budget, laws=options.laws)))


def _train(options) -> None:
    import json

    import jax

    from slm_jax.model import share_cpu_among_devices
    from slm_jax.training import parse_config, train

    if "grid" in options.config:
        raise InputError("this is a study's config; run it with slm study")
    config = parse_config(options.config)
    if options.distributed:
        try:
            jax.distributed.initialize()
        except ValueError as error:
            raise InputError(
                f"--distributed: found no TPU pod, SLURM or Open MPI ({error}); leave it out for one process"
            ) from None
    else:
        share_cpu_among_devices(config.batch_size)
    print(json.dumps(train(config, options.workdir), indent=2))


def _evaluate(options) -> None:
    from slm_jax.evaluation import evaluate, format_table, open_run, write_result

    _check_output(options.out, "accuracy")
    run = open_run(options.checkpoint)
    result = evaluate(run, options.data, task=options.task, items=options.items)
    write_result(result, options.out)
    print(format_table(result))


def _fit(options) -> None:
    from slm_jax.files import write_json
    from slm_jax.scaling import fit, format_summary, read_runs, write_figures

    _check_output(options.out, "groups")
    runs = read_runs(options.table)
    laws = fit(runs, seed=options.seed, resamples=options.resamples)
    write_json(options.out, laws)
    if options.figures:
        write_figures(runs, laws, options.figures)
    print(format_summary(laws))


def _study(options) -> None:
    from slm_jax.study import run_study

    if "data" in options.config:
        raise InputError("this is the config of a run; train it with slm train")
    report = run_study(options.config, options.workdir)
    print(f"report: {report}")


def _export(options) -> None:
    from slm_jax.model import save_llama
    from slm_jax.training import load_model, read_run_config

    config, model_config, _ = read_run_config(options.checkpoint)
    model, _ = load_model(options.checkpoint)
    save_llama(model, options.out, context=config.context, eos=model_config.vocab_size - 2)


def _at_least(least: int):
    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return whole_number


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("slm", description=DESCRIPTION, formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"slm_jax {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, run, help, parent=verbs, takes_config=False):
        sub = parent.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run, takes_config=takes_config)
        return sub

    def workers(sub):
        sub.add_argument(
            "--workers", type=_at_least(1), metavar="N", help="processes to use (default: one a core)"
        )

    def config(sub, example):
        sub.epilog = (
            "any field is set with --config.field=value; --config.field.subfield=value for nested ones"
        )
        sub.add_argument(
            "--config", required=True, metavar="FILE", help=f"a Python file with get_config(), as {example}"
        )
        sub.add_argument(
            "--workdir", required=True, metavar="DIR", help="where everything goes; the same again resumes"
        )

    sub = verb(
        "corpus", _corpus, "write stories, minimal pairs and topic cloze items from the built-in grammar"
    )
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument(
        "--stories", type=_at_least(1), default=1000, help="training and validation stories (default 1000)"
    )
    sub.add_argument(
        "--pairs", type=_at_least(1), default=50, help="minimal pairs per phenomenon (default 50)"
    )
    sub.add_argument("--cloze", type=_at_least(1), default=50, help="topic cloze items (default 50)")
    sub.add_argument("--seed", type=_at_least(0), default=0)

    sub = verb("synthesize", _synthesize, "text to speech with espeak-ng: wav files and a manifest")
    sub.add_argument(
        "--text", required=True, metavar="FILE", help="plain text, or JSON lines of texts or of minimal pairs"
    )
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument(
        "--voices", nargs="+", metavar="VOICE", help="voices to speak with (default: all built-in ones)"
    )
    workers(sub)

    tokenizer = verbs.add_parser("tokenizer", help="make a speech tokenizer").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    sub = verb("fit", _tokenizer_fit, "train k-means units on features of a sample of the audio", tokenizer)
    sub.add_argument("--audio", required=True, metavar="DIR|MANIFEST")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument("--encoder", default="mfcc", help="features to cluster (default mfcc)")
    sub.add_argument("--frame-rate", type=_at_least(1), default=25, help="frames per second (default 25)")
    sub.add_argument(
        "--units", type=_at_least(1), default=200, metavar="K", help="number of units (default 200)"
    )
    sub.add_argument("--sample-seconds", type=float, default=3600.0, help="audio to train on (default 3600)")
    sub.add_argument("--seed", type=_at_least(0), default=0)
    workers(sub)

    sub = verb(
        "tokenize", _tokenize, "encode audio into a unit dataset, resumably; bad files are skipped and listed"
    )
    sub.add_argument("--audio", required=True, metavar="DIR|MANIFEST")
    sub.add_argument("--tokenizer", required=True, metavar="DIR")
    sub.add_argument("--out", required=True, metavar="DIR")
    sub.add_argument("--name", default="speech", help="name of the dataset (default speech)")
    workers(sub)

    dataset = verbs.add_parser("dataset", help="look at or check a dataset").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    for name, run, help in (
        ("info", _dataset_info, "hours, units and rates of each split"),
        ("validate", _dataset_validate, "compare every file with its checksum"),
    ):
        verb(name, run, help, dataset).add_argument("dataset", metavar="DIR")

    sub = verb("plan", _plan, "model sizes and tokens for a compute budget")
    sub.add_argument("--budget", required=True, type=float, metavar="FLOPS", help="training compute, as 1e17")
    sub.add_argument(
        "--laws", metavar="FILE", help="laws.json of a fit (default: the published law for speech units)"
    )

    sub = verb("train", _train, "pre-train a model on a unit dataset", takes_config=True)
    config(sub, "configs/cpu_small.py")
    sub.add_argument(
        "--distributed", action="store_true", help="this is one process of several (TPU pod, SLURM, Open MPI)"
    )

    sub = verb("evaluate", _evaluate, "score a trained model on minimal pairs")
    sub.add_argument("--checkpoint", required=True, metavar="RUN", help="a folder made by slm train")
    sub.add_argument("--data", required=True, metavar="PAIRS", help="a pairs dataset made by slm tokenize")
    sub.add_argument(
        "--task", default="minimal_pairs", help="name of the task in the result (default minimal_pairs)"
    )
    sub.add_argument("--out", required=True, metavar="FILE", help="the result as JSON")
    sub.add_argument("--items", action="store_true", help="list every question's scores in the result")

    sub = verb("fit", _fit, "fit the scaling laws to a table with columns params, tokens, loss")
    sub.add_argument("table", metavar="CSV")
    sub.add_argument("--out", required=True, metavar="FILE", help="the laws as JSON")
    sub.add_argument("--figures", metavar="DIR", help="also draw the figures there")
    sub.add_argument(
        "--resamples", type=_at_least(1), default=1000, help="bootstrap resamples (default 1000)"
    )
    sub.add_argument("--seed", type=_at_least(0), default=0)

    sub = verb(
        "study", _study, "everything: corpus, units, a grid of runs, scores, laws, report", takes_config=True
    )
    config(sub, "configs/studies/smoke.py")

    sub = verb("export", _export, "write a trained model in Hugging Face's Llama format")
    sub.add_argument("--checkpoint", required=True, metavar="RUN")
    sub.add_argument("--out", required=True, metavar="DIR")
    return parser
