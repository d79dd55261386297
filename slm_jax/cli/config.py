"""Config files: Python with a get_config(), and fields set on the command line."""

import ast
import pathlib
import runpy
from collections.abc import Sequence

from slm_jax.errors import InputError


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
