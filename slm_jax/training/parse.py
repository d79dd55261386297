"""From the values of a config file to a config: names and types of every field are checked."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping

import ml_collections

from slm_jax.errors import InputError
from slm_jax.training.config import TrainConfig


def default_config() -> ml_collections.ConfigDict:
    """All fields with their defaults, for a config file to change."""
    return ml_collections.ConfigDict(defaults_of(TrainConfig))


def parse_config(config: Mapping) -> TrainConfig:
    """Checks names and types of every field; raises InputError naming the field and the nearest known one."""
    return parse_dataclass(TrainConfig, config)


def defaults_of(cls) -> dict:
    """The defaults of a config dataclass as nested dicts."""
    fields = {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(cls)
    }
    return {n: defaults_of(type(d)) if dataclasses.is_dataclass(d) else d for n, d in fields.items()}


def parse_dataclass(cls, values: Mapping, path: str = "config"):
    """`cls` from nested mappings of its fields; raises InputError for an unknown field or a wrong type."""
    if not isinstance(values, Mapping | ml_collections.ConfigDict):
        raise InputError(f"{path} is {values!r}: expected fields with names")
    hints = typing.get_type_hints(cls)
    types = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    parsed = {}
    for name, value in values.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(types)}"
            raise InputError(f"{path}.{name}: there is no such field; {hint}")
        parsed[name] = _parse_value(types[name], value, f"{path}.{name}")
    return cls(**parsed)


def _parse_value(expected, value, path: str):
    if dataclasses.is_dataclass(expected):
        return parse_dataclass(expected, value, path)
    if typing.get_origin(expected) is dict:
        if not isinstance(value, Mapping | ml_collections.ConfigDict):
            raise InputError(f"{path} is {value!r}: expected names with what each stands for")
        of = typing.get_args(expected)[1]
        return {name: _parse_value(of, item, f"{path}.{name}") for name, item in value.items()}
    if expected is object:
        return value
    if typing.get_origin(expected) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{path} is {value!r}: expected several values, as (1, 2)")
        return tuple(_parse_value(typing.get_args(expected)[0], item, path) for item in value)
    if expected is float and type(value) is int:
        return float(value)
    if expected is int and type(value) is float and value.is_integer():
        return int(value)  # 1e9 tokens
    if type(value) is not expected:
        raise InputError(f"{path} is {value!r}: expected {_WORDS[expected]}")
    return value


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
