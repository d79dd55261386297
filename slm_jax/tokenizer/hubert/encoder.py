"""The HuBERT encoder of a tokenizer."""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from slm_jax.errors import InputError
from slm_jax.files import read_json, sha256
from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.pieces import cut, frame_starts
from slm_jax.weights import CONFIG, weight_files

PREPROCESSOR = "preprocessor_config.json"
SAMPLE_RATE = 16_000
DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class HuBERT:
    """HuBERT encoder: wave_S (at `sample_rate`) -> the hidden states_TxD of `layer` (at `frame_rate`).

    Layers are numbered as transformers' `hidden_states` (0 is the input of the first layer). Recordings
    longer than `chunk_seconds` are encoded in chunks that know nothing of each other; with `overlap_seconds`
    each chunk sees so much on either side of the frames it keeps. `normalize` gives the waveform zero mean
    and unit variance. `weights` are the sha256 of the model's files in `folder`, `model` the fields
    of its config.json: together with the rest they say what moves a feature, and the place of the folder
    does not. `normalizes_unasked`: `normalize` is true because the folder says so and nobody else.

    Picklable: a copy reads the weights again when it is first used.
    """

    folder: pathlib.Path
    layer: int
    chunk_seconds: float
    overlap_seconds: float
    normalize: bool
    dtype: str
    sample_rate: int
    weights: dict[str, str]
    model: dict
    normalizes_unasked: bool = dataclasses.field(default=False, compare=False)

    name: ClassVar[str] = "hubert"
    on_device: ClassVar[bool] = True

    @classmethod
    def from_folder(
        cls,
        folder: str | os.PathLike,
        *,
        layer: int,
        chunk_seconds: float = 30.0,
        overlap_seconds: float = 0.0,
        normalize: bool | None = None,
        dtype: str = "float32",
    ) -> "HuBERT":
        """The model of a local Hugging Face folder (config.json and model.safetensors, whole or sharded).

        `normalize` defaults to what the folder's preprocessor_config.json says, and without one to False.
        Raises InputError naming the file, field or argument that is wrong.
        """
        folder = pathlib.Path(folder)
        preprocessor = _read_preprocessor(folder / PREPROCESSOR)
        return cls(
            folder,
            layer=layer,
            chunk_seconds=chunk_seconds,
            overlap_seconds=overlap_seconds,
            normalize=preprocessor["do_normalize"] if normalize is None else normalize,
            dtype=dtype,
            sample_rate=preprocessor["sampling_rate"],
            model=dataclasses.asdict(HubertConfig.from_json(folder / CONFIG)),
            normalizes_unasked=normalize is None and preprocessor["do_normalize"],
            weights={path.name: sha256(path) for path in _weight_files(folder)},
        )

    def __post_init__(self):
        layers = self._config.num_hidden_layers
        if not 0 <= self.layer <= layers:
            raise InputError(f"hubert: layer is {self.layer}, but the model has layers 0..{layers}")
        if self.dtype not in DTYPES:
            raise InputError(f"hubert: dtype is {self.dtype!r}; give one of {', '.join(DTYPES)}")
        finite = math.isfinite(self.chunk_seconds) and math.isfinite(self.overlap_seconds)
        if not finite or self._config.frames(self._chunk) <= 2 * self._overlap:
            raise InputError(
                f"hubert: chunk_seconds is {self.chunk_seconds:g} and overlap_seconds "
                f"{self.overlap_seconds:g}; a chunk must be longer than one frame and than both its overlaps"
            )
        if self.overlap_seconds < 0:
            raise InputError(f"hubert: overlap_seconds is {self.overlap_seconds:g}; give 0 or more")

    @property
    def parameters(self) -> dict:
        """Everything that moves a feature; with the folder, HuBERT(folder, **parameters) is this encoder."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["folder"], values["normalizes_unasked"]
        return values | {"model": _as_json(self.model)}

    @property
    def frame_rate(self) -> int | float:
        rate = self.sample_rate / self._config.stride
        return int(rate) if rate.is_integer() else rate

    @property
    def dim(self) -> int:
        return self._config.hidden_size

    @property
    def files(self) -> list[pathlib.Path]:
        """What a tokenizer's folder keeps of `folder`: still a folder that transformers opens."""
        return [self.folder / CONFIG, *(self.folder / name for name in self.weights)]

    def check_files(self) -> None:
        """Raises InputError naming the file in `folder` that is missing or not what `parameters` say."""
        for name, digest in self.weights.items():
            path = self.folder / name
            if not path.is_file():
                raise InputError(f"{path}: no such file; copy the tokenizer's whole folder")
            if sha256(path) != digest:
                raise InputError(f"{path}: does not match its sha256 in the tokenizer's file; copy it again")
        if HubertConfig.from_json(self.folder / CONFIG) != self._config:
            raise InputError(f"{self.folder / CONFIG}: does not match field 'model' of the tokenizer's file")

    def check_import(self) -> None:
        """Raises InputError where centroids fitted elsewhere may belong to features other than these."""
        if self.normalizes_unasked:
            raise InputError(
                f"{self.folder / PREPROCESSOR}: says do_normalize, but the centroids may be fitted "
                "without it; say normalize=False (slm: --set normalize=False), as fairseq and textlesslib "
                "treat HuBERT base, or normalize=True"
            )

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        """features_TxD, float32; raises InputError when the recording is shorter than one frame."""
        (features_TxD,) = self.many([wave_S])
        if isinstance(features_TxD, InputError):
            raise features_TxD
        return features_TxD

    def many(self, waves: Sequence[np.ndarray]) -> list[np.ndarray | InputError]:
        """features_TxD of each waveform, or why there are none; computed on all local devices.

        A recording's features do not depend on the others. Memory grows with the samples and features of
        `waves`: hand over a few minutes of audio at a time.
        """
        geometry = (self._config, self._chunk, self._overlap)
        cuts = [list(cut(wave_S, *geometry, self.normalize, self._program.group_norm)) for wave_S in waves]
        features = iter(self._program([piece for pieces in cuts for piece in pieces]))
        return [
            np.concatenate([next(features) for _ in pieces]) if pieces else self._too_short(wave_S)
            for pieces, wave_S in zip(cuts, waves, strict=True)
        ]

    def frame_times(self, samples: int) -> np.ndarray:
        """start_T, s: where in a recording of so many samples the audio begins that each frame sees.

        index / frame_rate in one that is not cut, and in one cut with `overlap_seconds`; a cut without costs
        about one frame, so that later frames lie later than their index says.
        """
        return frame_starts(samples, self._config, self._chunk, self._overlap) / self.sample_rate

    def _too_short(self, wave_S: np.ndarray) -> InputError:
        return InputError(
            f"{len(wave_S) / self.sample_rate:.3f} s of audio is shorter than one frame of "
            f"{self._config.reach / self.sample_rate:.3f} s"
        )

    @functools.cached_property
    def _config(self) -> HubertConfig:
        return HubertConfig(**self.model)

    @property
    def _chunk(self) -> int:
        return round(self.chunk_seconds * self.sample_rate)

    @property
    def _overlap(self) -> int:
        return round(self.overlap_seconds * self.frame_rate)

    @functools.cached_property
    def _program(self):
        from slm_jax.tokenizer.hubert.program import Program  # imports jax, which other encoders do not need

        return Program(self._config, self.folder, self.layer, self.dtype)

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_program"}


def _as_json(model: dict) -> dict:
    """Lists for tuples, so that it compares equal to what tokenizer.json gives back."""
    return {field: list(value) if isinstance(value, tuple) else value for field, value in model.items()}


def _weight_files(folder: pathlib.Path) -> list[pathlib.Path]:
    for path in (files := weight_files(folder)):
        if not path.is_file():
            raise InputError(f"{path}: no such file; copy every file of the model's folder")
    return files


def _read_preprocessor(path: pathlib.Path) -> dict:
    content = read_json(path) if path.is_file() else {}
    fields = {"do_normalize": False, "sampling_rate": SAMPLE_RATE}
    for field, default in fields.items():
        value = content.get(field, default) if isinstance(content, dict) else None
        if type(value) is not type(default):
            raise InputError(f"{path}: field {field!r} cannot be {value!r}; restore the file")
        fields[field] = value
    return fields
