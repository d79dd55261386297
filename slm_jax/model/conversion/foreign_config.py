"""Another project's config.json, read field by field with errors that name the field."""

import os
import pathlib

from slm_jax.errors import InputError
from slm_jax.files import read_json

CONFIG = "config.json"
NUMBER = (int, float)
_WORDS = {int: "a whole number", NUMBER: "a number", bool: "true or false", str: "text", dict: "named fields"}
_REQUIRED = object()


class ForeignConfig:
    """The fields of a config.json, or of an object inside it."""

    def __init__(self, path: pathlib.Path, content: dict, prefix: str = ""):
        self.path, self._content, self._prefix = path, content, prefix

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "ForeignConfig":
        path = pathlib.Path(folder) / CONFIG
        content = read_json(path)
        if not isinstance(content, dict):
            raise InputError(f"{path}: expected a JSON object with named fields")
        return cls(path, content)

    def take(self, name: str, kind: type | tuple, default=_REQUIRED):
        """The field's value; the default where it is missing or null; raises InputError without one."""
        value = self._content.get(name)
        if value is None:
            if default is _REQUIRED:
                raise InputError(f"{self.path}: field {self._prefix + name!r} is missing; add it")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(name, f"is {value!r}: expected {_WORDS[kind]}")
        return value

    def check(self, name: str, *supported) -> None:
        """Raises InputError for a value that the model here does not have; missing or null passes."""
        value = self._content.get(name)
        if value is not None and value not in supported:
            choices = " or ".join(repr(choice) for choice in supported) or "nothing"
            raise self.wrong(name, f"is {value!r}, but here it can only be {choices}")

    def inside(self, name: str, default=_REQUIRED) -> "ForeignConfig":
        """The object in a field."""
        return ForeignConfig(self.path, self.take(name, dict, default), f"{self._prefix}{name}.")

    def with_fields(self, **fields) -> "ForeignConfig":
        """The same object with other values in some fields."""
        return ForeignConfig(self.path, self._content | fields, self._prefix)

    def wrong(self, name: str, problem: str) -> InputError:
        return InputError(f"{self.path}: field {self._prefix + name!r} {problem}")

    def rope_theta(self, default: float = 10_000.0) -> float:
        """Base of plain rotary positions, where any version of transformers keeps it."""
        for name in ("rope_scaling", "rope_parameters"):
            for kind in ("rope_type", "type"):
                self.inside(name, {}).check(kind, "default")
        theta = self.inside("rope_parameters", {}).take("rope_theta", NUMBER, None)
        return float(theta or self.take("rope_theta", NUMBER, default))

    def special_tokens(self) -> dict[str, int | None]:
        """Ids by role; None where the config says none, or several."""
        return {
            role: value if isinstance(value := self._content.get(f"{role}_token_id"), int) else None
            for role in ("bos", "eos", "pad")
        }
