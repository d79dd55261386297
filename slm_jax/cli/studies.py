"""The verb that runs whole studies, and its stages one by one."""

import argparse

from slm_jax.cli.arguments import Verbs, add_distributed, at_least, join_other_processes
from slm_jax.errors import InputError

CONFIG_HELP = "a Python file with get_config(), as configs/studies/smoke.py"
ABOUT = """\
A whole study: corpora and tasks, tokens, a grid of runs, their scores, the laws and the report.

  slm study --config=configs/studies/smoke.py --workdir=runs/smoke

does everything on this machine, several runs at once. End it at any point (Ctrl-C) and call it again: it
goes on to the same results. While it runs,

  slm study status --workdir runs/smoke

says from another terminal what is done, running, waiting and failed, and how long the rest will take.

On several machines that share a folder, the stages one by one:

  slm study prepare --config=F --workdir=D    once: corpora, tasks, tokens, and the plan of the grid
  slm study train --workdir D                 a worker; start any number of them, wherever the folder is seen
  slm study report --workdir D                at the end: laws, claims, figures and report.html
"""
FIELDS = "any field is set with --config.field=value, as --config.grid.seeds='(0, 1)'"
AT_WORK = """\
Takes one run of the plan after another, the longest first, trains it and scores it, until none is left that
no other worker holds. Whatever ends a worker, its run is free at once, and the next worker goes on from its
newest checkpoint. The file system must have locks that all machines see (flock): a local disk, NFS, Lustre
mounted with -o flock. A mounted bucket has none: give it one worker at a time.
"""


def add_verbs(verbs: Verbs) -> None:
    sub = verbs.add("study", _study, "everything: corpora, tokens, a grid of runs, scores, laws, report")
    sub.set_defaults(takes_config=True)
    sub.description, sub.epilog = ABOUT, FIELDS
    sub.formatter_class = argparse.RawDescriptionHelpFormatter
    sub.usage = (
        "slm study --config=FILE --workdir=DIR [--at-once N]\n"
        "       slm study {prepare,train,report,status} --workdir=DIR ..."
    )
    sub.add_argument("--config", metavar="FILE", help=CONFIG_HELP)
    sub.add_argument("--workdir", metavar="DIR", help="where everything goes; the same again resumes")
    sub.add_argument(
        "--at-once",
        type=at_least(1),
        metavar="N",
        help="runs to train at the same time, each on its share of the cores or accelerators (default: one a "
        "core, at most four; with accelerators one, on all of them)",
    )
    _add_stages(sub)


def _add_stages(study: argparse.ArgumentParser) -> None:
    stages = study.add_subparsers(metavar="STAGE", title="stages", prog="slm study")

    def add(name: str, run, help: str, about: str = "") -> argparse.ArgumentParser:
        stage = stages.add_parser(
            name,
            help=help,
            description=f"{help}\n\n{about}" if about else help,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            usage=f"slm study {name} [options]",
        )
        stage.set_defaults(run=run, takes_config=False)
        stage.add_argument("--workdir", required=True, metavar="DIR", help="the folder of the study")
        return stage

    stage = add("prepare", _prepare, "write corpora, tasks, tokenizers, datasets and the plan of the grid")
    stage.add_argument("--config", required=True, metavar="FILE", help=CONFIG_HELP)
    stage.epilog = FIELDS
    stage.set_defaults(takes_config=True)
    stage = add("train", _train, "train and score runs of a study that is prepared", AT_WORK)
    add_distributed(stage)
    add("report", _report, "fit the laws to the runs that are done, and write the report")
    add("status", _status, "say what has become of the runs, and how long the rest will take")


def _study(options) -> None:
    from slm_jax.study import run_study

    if not options.workdir:
        raise InputError("slm study: give --workdir=DIR, where everything goes")
    _refuse_config_of_a_run(options)
    report = run_study(options.config, options.workdir, at_once=options.at_once)
    print(f"report: {report}")


def _prepare(options) -> None:
    from slm_jax.study import Study, parse_study

    _refuse_config_of_a_run(options)
    study = Study(parse_study(options.config), options.workdir)
    study.prepare()
    runs = len(study.jobs().runs)
    print(f"{runs} runs are planned; train them with slm study train --workdir {options.workdir}")


def _train(options) -> None:
    from slm_jax.study import open_study

    study = open_study(options.workdir)
    if options.distributed:
        join_other_processes()
    study.work()


def _report(options) -> None:
    from slm_jax.study import open_study

    print(f"report: {open_study(options.workdir).report()}")


def _status(options) -> None:
    from slm_jax.study import format_status, open_study

    print(format_status(open_study(options.workdir).jobs()))


def _refuse_config_of_a_run(options) -> None:
    if "data" in options.config:
        raise InputError("this is the config of a run; train it with slm train")
