"""Verbs that plan, train, import and export models."""

import argparse

from slm_jax.cli.arguments import Verbs, add_config, add_distributed, add_step, at_least, join_other_processes
from slm_jax.errors import InputError


def add_verbs(verbs: Verbs) -> None:
    sub = verbs.add("plan", _plan, "what a compute budget is best spent on, or what a study will cost")
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("--budget", type=float, metavar="FLOPS", help="training compute, as 1e17")
    what.add_argument(
        "--config", action=_StudyConfig, metavar="FILE", help="of a study, as configs/studies/smoke.py"
    )
    sub.add_argument(
        "--laws", metavar="FILE", help="laws.json of a fit (default: the published law for speech units)"
    )
    sub.add_argument("--workdir", metavar="DIR", help="of the study, if its data are prepared")
    sub.add_argument("--at-once", type=at_least(1), metavar="N", help="as for slm study")
    sub.epilog = "any field of the config is set with --config.field=value"

    sub = verbs.add("train", _train, "pre-train a model on a unit dataset", takes_config=True)
    add_config(sub, "configs/cpu_small.py")
    sub.add_argument(
        "--profile",
        type=_first_and_last,
        metavar="FIRST:LAST",
        help="trace these updates for XProf, into the run's folder profile",
    )
    add_distributed(sub)

    sub = verbs.add("import", _import, "bring a published model, as a run that slm evaluate takes")
    sub.epilog = (
        "folders in Hugging Face's layout (Llama, Qwen2, OPT, GPT-NeoX, SlamKit, slm_scaling); a model of "
        "SlamKit has its units after two special tokens: --first-unit 2"
    )
    sub.add_argument("--model", required=True, metavar="DIR", help="config.json and safetensors")
    sub.add_argument("--tokenizer", required=True, metavar="DIR", help="of what it was trained on")
    sub.add_argument("--out", required=True, metavar="RUN")
    sub.add_argument("--first-unit", type=at_least(0), default=0, metavar="N", help="its token for unit 0")
    sub.add_argument("--eos", type=at_least(0), metavar="N", help="its token for EOS (default: as it says)")
    sub.add_argument("--pad", type=at_least(0), metavar="N", help="its token for PAD (default: as it says)")

    sub = verbs.add("export", _export, "write a trained model in Hugging Face's Llama format")
    sub.add_argument("--checkpoint", required=True, metavar="RUN")
    add_step(sub)
    sub.add_argument("--out", required=True, metavar="DIR")


class _StudyConfig(argparse.Action):
    """Has the fields of the config on the command line taken, which --budget has none of."""

    def __call__(self, parser, options, values, option_string=None):
        options.config, options.takes_config = values, True


def _plan(options) -> None:
    if options.config is None:
        _plan_budget(options)
    else:
        _plan_study(options)


def _plan_budget(options) -> None:
    from slm_jax.study import format_plan, plan_budget

    if options.workdir or options.at_once:
        raise InputError("--workdir and --at-once are of a study; give its --config instead of --budget")
    print(format_plan(plan_budget(options.budget, laws=options.laws)))


def _plan_study(options) -> None:
    from slm_jax.study.estimate import estimate_study, format_estimate

    if options.laws:
        raise InputError("--laws is for a --budget; a study's config has budgets and sizes of its own")
    print(format_estimate(estimate_study(options.config, options.workdir, at_once=options.at_once)))


def _train(options) -> None:
    import json

    from slm_jax.cores import keep_freed_memory
    from slm_jax.model import share_cpu_among_devices
    from slm_jax.training import parse_config, train

    if "grid" in options.config:
        raise InputError("this is a study's config; run it with slm study")
    config = parse_config(options.config)
    keep_freed_memory()
    if options.distributed:
        join_other_processes()
    else:
        share_cpu_among_devices(config.batch_size)
    print(json.dumps(train(config, options.workdir, profile=options.profile), indent=2))


def _first_and_last(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"{text!r}: write FIRST:LAST, as 10:12, counting updates from 1")
    return int(first), int(last)


def _import(options) -> None:
    from slm_jax.training import import_run

    summary = import_run(
        options.model,
        options.out,
        tokenizer_dir=options.tokenizer,
        first_unit=options.first_unit,
        eos=options.eos,
        pad=options.pad,
    )
    left_out = summary["imported"]["tokens_left_out"]
    print(f"{options.out}: {summary['params']:,} parameters; {left_out:,} tokens of no unit left out")


def _export(options) -> None:
    from slm_jax.model import save_llama
    from slm_jax.training import load_model, read_run_config

    config, model_config, _ = read_run_config(options.checkpoint)
    model, _ = load_model(options.checkpoint, which=options.step)
    save_llama(model, options.out, context=config.context, eos=model_config.vocab_size - 2)
