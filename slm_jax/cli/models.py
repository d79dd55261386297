"""Verbs that plan, train, evaluate and export models."""

from slm_jax.cli.arguments import Verbs, add_config, at_least, check_output
from slm_jax.errors import InputError


def add_verbs(verbs: Verbs) -> None:
    sub = verbs.add("plan", _plan, "model sizes and tokens for a compute budget")
    sub.add_argument("--budget", required=True, type=float, metavar="FLOPS", help="training compute, as 1e17")
    sub.add_argument(
        "--laws", metavar="FILE", help="laws.json of a fit (default: the published law for speech units)"
    )

    sub = verbs.add("train", _train, "pre-train a model on a unit dataset", takes_config=True)
    add_config(sub, "configs/cpu_small.py")
    sub.add_argument(
        "--distributed", action="store_true", help="this is one process of several (docs/launching.md)"
    )

    sub = verbs.add("evaluate", _evaluate, "score a trained model on minimal pairs")
    sub.add_argument("--checkpoint", required=True, metavar="RUN", help="a folder made by slm train")
    sub.add_argument("--data", required=True, metavar="PAIRS", help="a pairs dataset made by slm tokenize")
    sub.add_argument(
        "--task", default="minimal_pairs", help="name of the task in the result (default minimal_pairs)"
    )
    sub.add_argument("--out", required=True, metavar="FILE", help="the result as JSON")
    sub.add_argument("--items", action="store_true", help="list every question's scores in the result")

    sub = verbs.add("import", _import, "bring a published model, as a run that slm evaluate takes")
    sub.epilog = (
        "folders in Hugging Face's layout (Llama, Qwen2, OPT, GPT-NeoX, SlamKit, slm_scaling); a model of "
        "SlamKit has its units after two special tokens: --first-unit 2"
    )
    sub.add_argument("--model", required=True, metavar="DIR", help="config.json and safetensors")
    sub.add_argument("--tokenizer", required=True, metavar="DIR", help="of the units it was trained on")
    sub.add_argument("--out", required=True, metavar="RUN")
    sub.add_argument("--first-unit", type=at_least(0), default=0, metavar="N", help="its token for unit 0")
    sub.add_argument("--eos", type=at_least(0), metavar="N", help="its token for EOS (default: as it says)")
    sub.add_argument("--pad", type=at_least(0), metavar="N", help="its token for PAD (default: as it says)")

    sub = verbs.add("export", _export, "write a trained model in Hugging Face's Llama format")
    sub.add_argument("--checkpoint", required=True, metavar="RUN")
    sub.add_argument("--out", required=True, metavar="DIR")


def _plan(options) -> None:
    from slm_jax.study import format_plan, plan_budget

    print(format_plan(plan_budget(options.budget, laws=options.laws)))


def _train(options) -> None:
    import json

    from slm_jax.model import share_cpu_among_devices
    from slm_jax.training import parse_config, train

    if "grid" in options.config:
        raise InputError("this is a study's config; run it with slm study")
    config = parse_config(options.config)
    if options.distributed:
        _join_other_processes()
    else:
        share_cpu_among_devices(config.batch_size)
    print(json.dumps(train(config, options.workdir), indent=2))


def _join_other_processes() -> None:
    """JAX reads the coordinator's address from the environment, but not how many processes there are."""
    import os

    import jax

    try:
        processes, process = (
            int(os.environ[name]) if name in os.environ else None
            for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
        )
        jax.distributed.initialize(num_processes=processes, process_id=process)
    except ValueError as error:
        raise InputError(
            f"--distributed: found no TPU pod, SLURM or Open MPI ({error}); set JAX_COORDINATOR_ADDRESS, "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID, or leave it out for one process"
        ) from None


def _evaluate(options) -> None:
    from slm_jax.evaluation import evaluate, format_table, open_run, write_result

    check_output(options.out, "accuracy")
    run = open_run(options.checkpoint)
    result = evaluate(run, options.data, task=options.task, items=options.items)
    write_result(result, options.out)
    print(format_table(result))


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
    model, _ = load_model(options.checkpoint)
    save_llama(model, options.out, context=config.context, eos=model_config.vocab_size - 2)
