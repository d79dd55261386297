"""Config files: Python with a get_config(), and fields set on the command line."""

import ast
import inspect
import pathlib
import runpy
from collections.abc import Sequence

from slm_jax.errors import InputError


def load_config(path: str, overrides: Sequence[str] = ()) -> dict:
    """The fields that `get_config()` of a Python file gives, with `--config.field=value` applied.

    What follows a colon after the file's name, as in configs/budgets/1e17.py:20M, is the one argument of
    `get_config`. Values are Python literals, or else text. Raises InputError naming the file and what is
    wrong with it; the fields themselves are checked by whom the config is for.
    """
    config = _call_get_config(path)
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
        fields[field] = literal(text)
    return config


def _call_get_config(path: str) -> dict:
    file, colon, argument = path, "", ""
    if not pathlib.Path(path).is_file():
        file, colon, argument = path.rpartition(":")
    if not pathlib.Path(file).is_file():
        raise InputError(f"{path}: no such config file; the project's configs folder has examples")
    try:
        get_config = runpy.run_path(file).get("get_config")
        if get_config is None:
            raise InputError("has no get_config(); see the examples in the project's configs folder")
        if colon and not inspect.signature(get_config).parameters:
            raise InputError(f"its get_config() takes no argument; leave out :{argument}")
        config = get_config(argument) if colon else get_config()
        return config.to_dict()
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    except Exception as error:  # whatever a user's file may do
        raise InputError(f"{file}: {type(error).__name__}: {' '.join(str(error).split())}") from None


def literal(text: str):
    """The Python value a text writes, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
