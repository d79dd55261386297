"""What a config names by kind: a file of study/corpora, study/tokens or study/tasks, or the user's."""

import dataclasses
from collections.abc import Mapping

from slm_jax.errors import InputError
from slm_jax.extensions import find_module, module_names
from slm_jax.training import parse_dataclass

CLASSES = {"corpora": "Corpus", "tokens": "Tokens", "tasks": "Task"}
MEMBERS = {  # of each class, beside its settings
    "corpora": ("write", "recordings"),
    "tokens": ("modality", "needs", "fit", "encode"),
    "tasks": ("modalities", "write", "recordings"),
}


def make(room: str, fields: Mapping, path: str):
    """The corpus, tokens or task (`room`) that the fields at `path` of a config describe.

    `kind` is the name of a module in slm_jax/study/ROOM, or the path of a Python file; the module has a
    dataclass Corpus, Tokens or Task, of which the other fields are the settings. Raises InputError for a kind
    that is missing or cannot be found, and for a wrong field.
    """
    if not isinstance(fields.get("kind"), str):
        raise InputError(
            f"{path}.kind is missing: name one of {', '.join(module_names(_package(room)))}, or a Python file"
        )
    found = getattr(find_module(_package(room), fields["kind"], f"{path}.kind"), CLASSES[room], None)
    if not dataclasses.is_dataclass(found):
        raise InputError(f"{path}.kind is {fields['kind']!r}: the file has no dataclass {CLASSES[room]}")
    for member in MEMBERS[room]:
        if not hasattr(found, member):
            raise InputError(f"{path}.kind is {fields['kind']!r}: its class {CLASSES[room]} has no {member}")
    settings = {name: value for name, value in fields.items() if name != "kind"}
    try:
        return parse_dataclass(found, settings, path)
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(path) else f"{path}.{message}") from None


def complete(room: str, fields: Mapping, path: str) -> dict:
    """The same fields with the kind's defaults for those that are not there."""
    made = make(room, fields, path)  # which says when the kind is missing
    return {"kind": fields["kind"], **dataclasses.asdict(made)}


def _package(room: str) -> str:
    return f"slm_jax.study.{room}"
