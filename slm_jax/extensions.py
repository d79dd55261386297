"""What a config names: a module of one of our packages, or a user's Python file (docs/extending.md)."""

import functools
import hashlib
import importlib
import importlib.util
import os
import pathlib
import pkgutil
import sys
import traceback
from types import ModuleType

from slm_jax.errors import InputError

PYTHON = ".py"


def find_module(package: str, name: str, field: str) -> ModuleType:
    """The module `name` of `package`, or the Python file with the path `name`.

    Raises InputError, saying which `field` of a config has the name, when there is neither, and for a file
    that cannot be run.
    """
    if name.endswith(PYTHON):
        return load_file(name, field)
    if not name.isidentifier() or importlib.util.find_spec(f"{package}.{name}") is None:
        raise InputError(
            f"{field} is {name!r}: there is no such {field.rpartition('.')[2]}; choose one of "
            f"{', '.join(module_names(package))}, or give the path of a Python file (docs/extending.md)"
        )
    return importlib.import_module(f"{package}.{name}")


def module_names(package: str) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def load_file(path: str | os.PathLike, field: str) -> ModuleType:
    """The module in a Python file, run once in a process; raises InputError as `find_module` does."""
    file = pathlib.Path(path).absolute()
    if not file.is_file():
        raise InputError(f"{field}: {file} does not exist; paths start where slm is called")
    return _run(file)


@functools.cache
def _run(file: pathlib.Path) -> ModuleType:
    # Files of one name in two folders are two modules.
    name = f"{file.stem}_{hashlib.sha256(os.fsencode(file)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may do
        del sys.modules[name]
        raise InputError(
            f"{_where(error, file)}: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from None
    return module


def _where(error: Exception, file: pathlib.Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == os.fspath(file)]
    line = lines[-1] if lines else getattr(error, "lineno", None)  # where Python could not read it
    return f"{file}, line {line}" if line else str(file)
