"""The folder of a tokenizer: what tokenizer.json says, checked field by field.

Four kinds of tokenizer have such a folder:
    speech    an encoder and centroids: waveform to units
    pieces    a SentencePiece model over the units of another tokenizer, whose own fields are under "units"
    external  units that another project made: their ids and rate, and a name for where they come from
    text      text to tokens: characters, a SentencePiece model, or a tokenizer of Hugging Face
A file without a field "kind" is a speech tokenizer's.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import TypeVar

from slm_jax.errors import InputError
from slm_jax.files import atomic_path, read_json, sha256, write_json
from slm_jax.tokenizer.units import check_k, eos_id, pad_id

CONFIG = "tokenizer.json"
CENTROIDS = "centroids.safetensors"
PIECES_MODEL = "pieces.model"
TEXT_MODELS = {  # of every form of text tokenizer
    "characters": "characters.json",
    "sentencepiece": "sentencepiece.model",
    "huggingface": "huggingface.json",
}

SPEECH, PIECES, EXTERNAL, TEXT = "speech", "pieces", "external", "text"
SPECIAL = ("bos", "eos", "pad")  # the roles of tokens in the project that a text tokenizer comes from
_NUMBER = (int, float)
_IDS = {"k": int, "collapse": bool, "eos": int, "pad": int, "vocab_size": int}
_FILE = {"file": str, "sha256": str}
_FIELDS = {
    SPEECH: {
        "encoder": dict,
        "sample_rate": int,
        "frame_rate": _NUMBER,
        **_IDS,
        "fit": dict,
        "libraries": dict,
        "centroids": dict,
    },
    PIECES: {
        "units": dict,
        "frame_rate": (*_NUMBER, type(None)),
        **_IDS,
        "fit": dict,
        "libraries": dict,
        "pieces": dict,
    },
    EXTERNAL: {"origin": str, "frame_rate": (*_NUMBER, type(None)), **_IDS},
    TEXT: {
        "form": str,
        "lower_case": bool,
        "special": dict,
        "frame_rate": type(None),
        **_IDS,
        "fit": dict,
        "libraries": dict,
        "model": dict,
    },
}
_NESTED = {
    SPEECH: {"encoder": {"name": str, "parameters": dict}, "centroids": _FILE},
    PIECES: {"pieces": _FILE},
    EXTERNAL: {},
    TEXT: {"model": _FILE, "special": {role: (int, type(None)) for role in SPECIAL}},
}
Made = TypeVar("Made")

HISTORY = ("fit", "libraries")  # how the arrays came about: the arrays themselves are in the fingerprint


def fingerprint(config: dict) -> str:
    """Names a tokenizer by everything in tokenizer.json that moves a unit: sha256, hexadecimal.

    That is the encoder with its parameters (and the sha256 of its weights), the rates, k, collapsing and the
    ids, the sha256 of the centroids; for pieces that of their model and all this of their units; for external
    units their origin; for text the sha256 of its model, lower case and its special tokens. Not in it is
    HISTORY: whoever has the same arrays has the same tokenizer, whatever the file they came in was called and
    whichever library versions wrote them down.
    """
    return hashlib.sha256(json.dumps(_without_history(config), sort_keys=True).encode()).hexdigest()


def _without_history(config: dict) -> dict:
    kept = {field: value for field, value in config.items() if field not in HISTORY}
    return kept | {"units": _without_history(kept["units"])} if kind_of(config) == PIECES else kept


def kind_of(config: dict) -> str:
    """SPEECH, PIECES, EXTERNAL or TEXT."""
    return config.get("kind", SPEECH)


def read_config(directory: str | os.PathLike, kind: str | None = None) -> dict:
    """Reads and checks tokenizer.json alone: of the kind asked for, or of any.

    Raises InputError naming the field that is missing or wrong.
    """
    path = pathlib.Path(directory) / CONFIG
    config = read_json(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a JSON object with named fields")
    _check(path, config)
    if kind not in (None, kind_of(config)):
        raise InputError(
            f"{path}: is of kind {kind_of(config)!r}, but {kind!r} is needed; give another folder"
        )
    return config


def read_model(directory: str | os.PathLike, file: str, field: str, digest: str) -> bytes:
    """The content of a file beside tokenizer.json, whose field `field` has its sha256, `digest`.

    Raises InputError when it is missing or another one.
    """
    path = pathlib.Path(directory) / file
    if not path.is_file():
        raise InputError(f"{path}: no such file; copy it together with {CONFIG}")
    if sha256(path) != digest:
        raise InputError(f"{path}: does not match field '{field}' of {CONFIG}; copy both from one tokenizer")
    return path.read_bytes()


def load_with_model(
    directory: str | os.PathLike, kind: str, field: str, make: Callable[[dict, bytes], Made]
) -> Made:
    """`make(config, model)`, a tokenizer whose one file beside tokenizer.json `field` has the sha256 of.

    Raises InputError naming the file that is missing or wrong.
    """
    directory = pathlib.Path(directory)
    config = read_config(directory, kind)
    file, *_ = array_files(config)
    model = read_model(directory, file, f"{field}.sha256", config[field]["sha256"])
    try:
        tokenizer = make(config, model)
    except InputError as error:
        raise InputError(f"{directory / file}: {error}") from None
    if tokenizer.k != config["k"]:
        raise InputError(
            f"{directory / CONFIG}: field 'k' is {config['k']} but there are {tokenizer.k} tokens"
        )
    return tokenizer


@contextlib.contextmanager
def new_folder(directory: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A folder to fill, which takes the name `directory` whole; raises InputError if that is not empty."""
    directory = pathlib.Path(directory)
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory}: exists already; remove it or choose another folder")
    with atomic_path(directory) as temporary:
        temporary.mkdir()
        yield temporary


def write_external(
    directory: str | os.PathLike, *, origin: str, k: int, frame_rate: float | None, collapse: bool
) -> None:
    """Writes tokenizer.json for units 0..k-1 that another project made.

    `origin` names what made them: datasets with the same origin, k, rate (frames per second; None: unknown)
    and collapsing pass for units of one tokenizer. Raises InputError for a k that no tokenizer can have.
    """
    check_k(k)
    config = {
        "kind": EXTERNAL,
        "origin": origin,
        "frame_rate": frame_rate,
        "k": k,
        "collapse": collapse,
        "eos": eos_id(k),
        "pad": pad_id(k),
        "vocab_size": k + 2,
    }
    write_json(pathlib.Path(directory) / CONFIG, config)


def copy_tokenizer(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies what a dataset needs of a tokenizer folder: tokenizer.json and the arrays it names, not the
    weights of an encoder.
    """
    for file in (*array_files(read_config(source)), CONFIG):
        with atomic_path(pathlib.Path(target) / file) as temporary:
            shutil.copyfile(pathlib.Path(source) / file, temporary)


def array_files(config: dict) -> list[str]:
    """The files beside tokenizer.json; a piece tokenizer keeps those of its units' tokenizer too."""
    if kind_of(config) == PIECES:
        return [PIECES_MODEL, *array_files(config["units"])]
    if kind_of(config) == TEXT:
        return [TEXT_MODELS[config["form"]]]
    return [CENTROIDS] if kind_of(config) == SPEECH else []


def _check(path: pathlib.Path, config: dict, prefix: str = "") -> None:
    kind = kind_of(config)
    if kind not in _FIELDS:
        raise InputError(
            f"{path}: field '{prefix}kind' is {kind!r}, not one of {', '.join(_FIELDS)}; restore the file"
        )
    _check_fields(path, config, _FIELDS[kind], prefix)
    for field, fields in _NESTED[kind].items():
        _check_fields(path, config[field], fields, f"{prefix}{field}.")
    if kind == TEXT and config["form"] not in TEXT_MODELS:
        raise InputError(
            f"{path}: field '{prefix}form' is {config['form']!r}, not one of {', '.join(TEXT_MODELS)}; "
            "restore the file"
        )
    k = config["k"]
    for field, value in {"eos": eos_id(k), "pad": pad_id(k), "vocab_size": k + 2}.items():
        if config[field] != value:
            raise InputError(
                f"{path}: field '{prefix}{field}' is {config[field]} but k = {k} makes it {value}; "
                "restore the file"
            )
    if kind == PIECES:
        units = config["units"]
        if kind_of(units) == PIECES:
            raise InputError(f"{path}: field '{prefix}units' holds pieces of pieces; restore the file")
        _check(path, units, f"{prefix}units.")
        for field in ("frame_rate", "collapse"):
            if config[field] != units[field]:
                raise InputError(
                    f"{path}: field {field!r} is {config[field]} but 'units.{field}' is {units[field]}; "
                    "restore the file"
                )


def _check_fields(path: pathlib.Path, content: dict, fields: dict, prefix: str) -> None:
    for field, kind in fields.items():
        if field not in content:
            raise InputError(f"{path}: field '{prefix}{field}' is missing; restore the file or fit again")
        value = content[field]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise InputError(
                f"{path}: field '{prefix}{field}' has the wrong type ({value!r}); restore the file"
            )
