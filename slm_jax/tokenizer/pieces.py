"""Coarser tokens: SentencePiece models over units, as the 5,000 unigram pieces of the study."""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata

import numpy as np
from google.protobuf import descriptor_pb2, message_factory

from slm_jax.errors import InputError
from slm_jax.files import write_json
from slm_jax.tokenizer.folder import (
    CONFIG,
    PIECES,
    PIECES_MODEL,
    array_files,
    fingerprint,
    load_with_model,
    new_folder,
)
from slm_jax.tokenizer.seeds import seed_strings
from slm_jax.tokenizer.sentencepiece_model import UNKNOWN, check_model, open_model, train_model
from slm_jax.tokenizer.units import MAX_K, eos_id, pad_id

# Unit u is the character FIRST + u: the 65,534 characters of this plane are private, so that none of them is
# a space, is normalized or has a script, and there are as many of them as units.
FIRST = 0xF0000
SENTENCE = 1000  # units: longer recordings are cut for training, not for encoding
LONGEST = 16  # units of a piece; SentencePiece's own limit


@dataclasses.dataclass
class PieceTokenizer:
    """Units to pieces and back without loss.

    Token ids: pieces 0..k-1, EOS = k, PAD = k + 1. `units` is the configuration of the tokenizer that made
    the units, `units_dir` a folder that has its files; `fit` says how the pieces were trained.
    """

    units: dict
    units_dir: pathlib.Path
    model: bytes = dataclasses.field(repr=False)
    fit: dict
    libraries: dict = dataclasses.field(
        default_factory=lambda: {"sentencepiece": metadata.version("sentencepiece")}
    )

    def __post_init__(self):
        self._processor = open_model(self.model)
        texts = [self._processor.id_to_piece(id) for id in range(UNKNOWN + 1, len(self._processor))]
        self.pieces: list[np.ndarray] = [_units(text) for text in texts]
        known = {int(piece[0]) for piece in self.pieces if len(piece) == 1}
        if known != set(range(self.units["k"])) or not all(known.issuperset(piece) for piece in self.pieces):
            raise InputError(f"the pieces do not spell the units 0..{self.units['k'] - 1}")
        self.lengths_P = np.array([len(piece) for piece in self.pieces])
        self._stream_S = np.concatenate(self.pieces)
        self._starts_P = np.cumsum(self.lengths_P) - self.lengths_P

    @property
    def k(self) -> int:
        return len(self.pieces)

    @property
    def config(self) -> dict:
        """The content of tokenizer.json."""
        return {
            "kind": PIECES,
            "frame_rate": self.units["frame_rate"],
            "k": self.k,
            "collapse": self.units["collapse"],
            "eos": eos_id(self.k),
            "pad": pad_id(self.k),
            "vocab_size": self.k + 2,
            "fit": self.fit,
            "libraries": self.libraries,
            "pieces": {"file": PIECES_MODEL, "sha256": hashlib.sha256(self.model).hexdigest()},
            "units": self.units,
        }

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.config)

    def encode(self, units_L: np.ndarray) -> np.ndarray:
        """pieces_M (uint16) of units 0..K-1: the most likely ones, or those of the BPE merges.

        Raises InputError for a unit outside 0..K-1.
        """
        if len(units_L) and int(units_L.max()) >= self.units["k"]:
            raise InputError(
                f"there is a unit {units_L.max()}, but the pieces are of units 0..{self.units['k'] - 1}"
            )
        return np.array(self._processor.encode(_text(units_L)), np.uint16) - 1

    def decode(self, pieces_M: np.ndarray) -> np.ndarray:
        """units_L (uint16) that `encode` was given."""
        lengths_M = self.lengths_P[pieces_M]
        ends_M = np.cumsum(lengths_M)
        within_L = np.arange(ends_M[-1] if len(ends_M) else 0) - np.repeat(ends_M - lengths_M, lengths_M)
        return self._stream_S[np.repeat(self._starts_P[pieces_M], lengths_M) + within_L]

    def save(self, directory: str | os.PathLike) -> None:
        """Writes the folder whole, with the files of the units' tokenizer.

        Raises InputError when it is there already.
        """
        with new_folder(directory) as temporary:
            self.save_units(temporary)
            (temporary / PIECES_MODEL).write_bytes(self.model)
            write_json(temporary / CONFIG, self.config)

    def save_units(self, directory: str | os.PathLike) -> None:
        """Writes what a dataset needs of the units' tokenizer into a folder that is there."""
        for file in array_files(self.units):
            shutil.copyfile(self.units_dir / file, pathlib.Path(directory) / file)
        write_json(pathlib.Path(directory) / CONFIG, self.units)

    @classmethod
    def load(cls, directory: str | os.PathLike) -> "PieceTokenizer":
        """Reads the folder of a piece tokenizer or a dataset of pieces; raises InputError naming the file."""
        directory = pathlib.Path(directory)
        return load_with_model(
            directory,
            PIECES,
            "pieces",
            lambda config, model: cls(config["units"], directory, model, config["fit"], config["libraries"]),
        )


def check_vocabulary(vocabulary: int, k: int, model: str) -> None:
    """Raises InputError for a number of pieces, or a kind of model, that cannot be trained on k units."""
    check_model(model)
    if not k < vocabulary <= MAX_K:
        raise InputError(
            f"vocabulary is {vocabulary}: give more than the {k} units, which are all pieces, "
            f"and at most {MAX_K}"
        )


def train_pieces(recordings: Sequence[np.ndarray], *, k: int, vocabulary: int, model: str) -> bytes:
    """A SentencePiece model ("unigram" or "bpe") of `vocabulary` pieces over the units_L of `recordings`.

    Every unit 0..k-1 is a piece. The same recordings give the same model on every machine. Raises InputError
    when the recordings do not have as many pieces.
    """
    check_vocabulary(vocabulary, k, model)
    sentences = [
        units[start : start + SENTENCE] for units in recordings for start in range(0, len(units), SENTENCE)
    ]
    single = np.arange(k)[:, None]  # each once more: a unit that no recording has is a piece as well
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".tsv") as seeds:
        options = {}
        if model == "unigram":
            counts_K = np.bincount(np.concatenate(sentences), minlength=k) + 1
            seeds.writelines(
                f"{_text(unit)}\t{count}\n" for unit, count in zip(single, counts_K, strict=True)
            )
            seeds.writelines(
                f"{_text(units)}\t{count}\n" for units, count in seed_strings(sentences, LONGEST)
            )
            seeds.flush()
            options["seed_sentencepieces_file"] = seeds.name
        trained = train_model(
            map(_text, [*single, *sentences]),
            model=model,
            pieces=vocabulary,
            argument="vocabulary",
            source=f"{sum(map(len, recordings))} units",
            character_coverage=1.0,
            max_sentencepiece_length=LONGEST,
            max_sentence_length=4 * SENTENCE,  # bytes
            add_dummy_prefix=False,
            split_by_whitespace=False,
            split_by_unicode_script=False,
            split_by_number=False,
            **options,
        )
    return _without_seeds_name(trained)


def _without_seeds_name(model: bytes) -> bytes:
    """The model without the name of the temporary file, which is another one every time.

    SentencePiece's own Python classes for its files refuse any but the newest protobuf, hence the two fields
    of sentencepiece_model.proto here; all others are kept as they are.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="pieces.proto", package="slm_jax")
    spec, whole = file.message_type.add(name="TrainerSpec"), file.message_type.add(name="ModelProto")
    spec.field.add(name="seed_sentencepieces_file", number=54, type=field.TYPE_STRING, label=1)
    whole.field.add(
        name="trainer_spec", number=2, type=field.TYPE_MESSAGE, type_name=".slm_jax.TrainerSpec", label=1
    )
    proto = message_factory.GetMessages([file])["slm_jax.ModelProto"].FromString(model)
    proto.trainer_spec.ClearField("seed_sentencepieces_file")
    return proto.SerializeToString(deterministic=True)


def _text(units_L: np.ndarray) -> str:
    return (np.asarray(units_L, "<u4") + np.uint32(FIRST)).tobytes().decode("utf-32-le")


def _units(text: str) -> np.ndarray:
    return (np.frombuffer(text.encode("utf-32-le"), "<u4") - np.uint32(FIRST)).astype(np.uint16)
