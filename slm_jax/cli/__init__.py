"""The `slm` command: each verb is a thin function of one room, imported only when it is called."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Sequence

from slm_jax import __version__
from slm_jax.cli import datasets, evaluation, generation, laws, models, speech, studies, tokenizers
from slm_jax.cli.arguments import Verbs
from slm_jax.cli.config import load_config
from slm_jax.errors import InputError, Preempted, WorkError

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
    """Runs one verb; returns the exit code: 0, or that of the error (`slm_jax.errors`).

    Work that was asked to stop, and has, is no failure: 0, or what SLM_JAX_PREEMPTED_EXIT says.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    # Kept from argparse, which takes an option with a space in its value for something else.
    fields = [argument for argument in arguments if argument.startswith("--config.")]
    options, rest = _parser().parse_known_args([a for a in arguments if a not in fields])
    rest += fields
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax tells of every option, and of errors twice
    try:
        preempted_exit = _preempted_exit()
        if rest and not options.takes_config:
            raise InputError(f"unknown argument {rest[0]}; see slm {options.verb} --help")
        if options.takes_config:
            if not options.config:
                raise InputError(f"slm {options.verb}: give --config=FILE; see slm {options.verb} --help")
            options.config = load_config(options.config, rest)
        options.run(options)
    except (InputError, WorkError) as error:
        return _fail(error.exit_code, str(error))
    except BrokenPipeError:  # the reader of the output, as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        where = error.filename or "a file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(2, f"{where}: the disk is full; free some space and run the same command again")
        if error.filename is None:
            raise
        return _fail(2, f"{where}: {error.strerror}")
    except Preempted as stop:
        print(f"slm: {stop}; the same command goes on", file=sys.stderr)
        return preempted_exit
    except KeyboardInterrupt:
        return _fail(130, "stopped; the same command goes on from what is on the disk")
    return 0


def _fail(code: int, message: str) -> int:
    print(f"slm: {message}", file=sys.stderr)
    return code


def _preempted_exit() -> int:
    """For a launcher that starts again what did not end with 0."""
    code = os.environ.get("SLM_JAX_PREEMPTED_EXIT", "0")
    if not (code.isdecimal() and int(code) < 256):
        raise InputError(f"SLM_JAX_PREEMPTED_EXIT is {code!r}: give an exit code, 0 to 255")
    return int(code)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("slm", description=DESCRIPTION, formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"slm_jax {__version__}")
    verbs = Verbs(parser)
    for stage in (speech, tokenizers, datasets, models, evaluation, generation, laws, studies):
        stage.add_verbs(verbs)
    return parser
