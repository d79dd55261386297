"""What a config names by kind: a file of study/corpora, study/tokens or study/tasks, or the user's."""

import dataclasses
import functools
import importlib
import importlib.util
import pathlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType

from slm_jax.errors import InputError
from slm_jax.training import parse_dataclass

CLASSES = {"corpora": "Corpus", "tokens": "Tokens", "tasks": "Task"}


def make(room: str, fields: Mapping, path: str):
    """The corpus, tokens or task (`room`) that the fields at `path` of a config describe.

    `kind` is the name of a module in slm_jax/study/ROOM, or the path of a Python file; the module has a
    dataclass Corpus, Tokens or Task, of which the other fields are the settings. Raises InputError for a kind
    that is missing or cannot be found, and for a wrong field.
    """
    if not isinstance(fields.get("kind"), str):
        raise InputError(f"{path}.kind is missing: name one of {', '.join(names(room))}, or a Python file")
    found = getattr(_module(room, fields["kind"], path), CLASSES[room], None)
    if found is None:
        raise InputError(f"{path}.kind is {fields['kind']!r}: the file has no class {CLASSES[room]}")
    settings = {name: value for name, value in fields.items() if name != "kind"}
    try:
        return parse_dataclass(found, settings, path)
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(path) else f"{path}.{message}") from None


def complete(room: str, fields: Mapping, path: str) -> dict:
    """The same fields with the kind's defaults for those that are not there."""
    return {"kind": fields["kind"], **dataclasses.asdict(make(room, fields, path))}


def names(room: str) -> list[str]:
    """The kinds that need no file of the user's."""
    package = importlib.import_module(f"slm_jax.study.{room}")
    modules = (module.name for module in pkgutil.iter_modules(package.__path__))
    return [name for name in modules if hasattr(_module(room, name, room), CLASSES[room])]


def _module(room: str, kind: str, path: str) -> ModuleType:
    if kind.endswith(".py"):
        return _load_file(pathlib.Path(kind).absolute(), path)
    name = f"slm_jax.study.{room}.{kind}"
    if not kind.isidentifier() or importlib.util.find_spec(name) is None:
        raise InputError(
            f"{path}.kind is {kind!r}: there is no such kind; choose one of {', '.join(names(room))}, or "
            "give the path of a Python file (docs/extending.md)"
        )
    return importlib.import_module(name)


@functools.cache
def _load_file(file: pathlib.Path, path: str) -> ModuleType:
    if not file.is_file():
        raise InputError(f"{path}.kind: {file} does not exist; paths start where slm is called")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may do
        raise InputError(f"{file}: {type(error).__name__}: {' '.join(str(error).split())}") from None
    return module
