"""Audio data sets that TFDS has prepared on this machine, read without TensorFlow and without downloading."""

import functools
import io
import os
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import soundfile
import tensorflow_datasets as tfds
from array_record.python.array_record_data_source import ArrayRecordDataSource
from tensorflow_datasets.core.dataset_info import read_proto_from_builder_dir
from tensorflow_datasets.core.utils.version import list_all_versions
from tensorflow_datasets.proto import tf_example_pb2

from slm_jax.corpora.recording import TFDS, Recording
from slm_jax.corpora.split import SPLITS
from slm_jax.errors import InputError
from slm_jax.files import read_json

FORMAT = "array_record"
FULL_SCALE = 2.0**15  # TFDS decodes to integers of 16 bits, whatever it stores them in
SPEAKER_FEATURES, TEXT_FEATURES = (
    ("speaker_id", "speaker"),
    ("text", "transcript", "transcription", "sentence"),
)


class Audio(NamedTuple):
    """The Audio feature of a data set, as features.json describes it."""

    name: str
    encoded: bool
    channels: int
    rate: int


def tfds_recordings(name: str) -> Iterator[Recording]:
    """The examples of a data set, `tfds:NAME`, each with the path `tfds:NAME/SPLIT#INDEX`.

    NAME is that of TFDS, such as librispeech, librispeech/lazy_decode or librispeech/default:2.1.1 (without a
    version the latest), below TFDS_DATA_DIR or ~/tensorflow_datasets, or a folder. Ids are SPLIT/ID or, where
    there is no feature `id`, SPLIT/INDEX; speaker and text are taken from features of that name; splits that
    begin with train, dev, validation or test are that, others are by hash. Raises InputError for a data set
    that is not there, has no audio, or is not stored as array_record.
    """
    name = name.removeprefix(TFDS)
    folder = _folder(name)
    _audio(folder)
    info = read_proto_from_builder_dir(folder)
    return (
        recording
        for split in info.splits
        for recording in _split_recordings(name, info.name, split.name, _records(folder, split.name))
    )


def read_example(uri: str) -> tuple[np.ndarray, int]:
    """The audio of `tfds:NAME/SPLIT#INDEX`: (wave_S float32 mono in [-1, 1], sample rate in Hz).

    Raises InputError as `tfds_recordings` does, and for an example that is not there or cannot be decoded.
    """
    name, split, index = _parse(uri)
    folder = _folder(name)
    audio, records = _audio(folder), _records(folder, split)
    if index >= len(records):
        raise InputError(f"{uri}: split {split} has only {len(records)} examples")
    feature = _features(records[index])[audio.name]
    if audio.encoded:
        try:
            wave_SxC, rate = soundfile.read(
                io.BytesIO(feature.bytes_list.value[0]), dtype="float32", always_2d=True
            )
        except (soundfile.LibsndfileError, IndexError) as error:
            raise InputError(f"{uri}: not audio that libsndfile reads ({error})") from None
        return wave_SxC.mean(axis=1), rate
    if feature.WhichOneof("kind") == "float_list":
        wave_S = np.fromiter(feature.float_list.value, np.float32)
    else:
        wave_S = np.fromiter(feature.int64_list.value, np.float32) / FULL_SCALE
    if wave_S.size and np.abs(wave_S).max() > 1:
        raise InputError(f"{uri}: samples are larger than 16 bits hold; their scale is not known")
    return wave_S.reshape(-1, audio.channels).mean(axis=1), audio.rate


def _parse(uri: str) -> tuple[str, str, int]:
    match = re.fullmatch(rf"{TFDS}(.+)/([^/#]+)#(\d+)", uri)
    if match is None:
        raise InputError(f"{uri}: expected {TFDS}NAME/SPLIT#INDEX")
    return match[1], match[2], int(match[3])


def _split_recordings(
    name: str, source: str, split: str, records: ArrayRecordDataSource
) -> Iterator[Recording]:
    for index in range(len(records)):
        features = _features(records[index])
        yield Recording(
            id=f"{split}/{_text(features, ('id',)) or f'{index:07d}'}",
            path=pathlib.Path(f"{TFDS}{name}/{split}#{index}"),
            speaker=_text(features, SPEAKER_FEATURES) or "unknown",
            source=source,
            split=SPLITS.get(re.split(r"[^a-z]", split)[0]),
            text=_text(features, TEXT_FEATURES),
        )


def _features(record: bytes):
    return tf_example_pb2.Example.FromString(record).features.feature


def _text(features, names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in features:
            values = [value.decode() for value in features[name].bytes_list.value]
            return next((str(value) for value in [*values, *features[name].int64_list.value]), None) or None
    return None


def _folder(name: str) -> pathlib.Path:
    """The folder of one version of a data set."""
    data_dir = pathlib.Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()
    name, _, version = name.partition(":")
    folder = data_dir / name
    if not _is_version(folder) and not list_all_versions(folder):
        configs = [child for child in sorted(folder.glob("*")) if list_all_versions(child)]
        if len(configs) > 1:
            raise InputError(f"{TFDS}{name}: choose from {', '.join(f'{name}/{c.name}' for c in configs)}")
        folder = configs[0] if configs else folder
    versions = [version] if version else [str(found) for found in list_all_versions(folder)]
    if versions and not _is_version(folder):
        folder = folder / versions[-1]
    if not _is_version(folder):
        raise InputError(
            f"{TFDS}{name}: not prepared in {data_dir} (looked for {folder}/features.json); prepare it where "
            f"TensorFlow is installed, with tfds build {name} --file_format={FORMAT}, and name the folder it "
            "lies in by TFDS_DATA_DIR"
        )
    return folder


def _is_version(folder: pathlib.Path) -> bool:
    return (folder / "features.json").is_file()


@functools.cache
def _audio(folder: pathlib.Path) -> Audio:
    """The Audio feature, from the JSON: TFDS's class for it needs TensorFlow."""
    path = folder / "features.json"
    features = read_json(path).get("featuresDict", {}).get("features", {})
    found = {name: feature["audio"] for name, feature in features.items() if "audio" in feature}
    if len(found) != 1:
        raise InputError(f"{path}: has {len(found)} Audio features, expected one among {', '.join(features)}")
    ((name, content),) = found.items()
    encoded, rate = content.get("lazyDecode", False), int(content.get("sampleRate", 0))
    dimensions = content.get("shape", {}).get("dimensions", [])
    if not encoded and (content.get("encoding", "none").lower() != "none" or rate <= 0):
        raise InputError(f"{path}: the Audio feature {name} has no sampleRate, or its samples are encoded")
    return Audio(name, encoded, int(dimensions[1]) if len(dimensions) > 1 else 1, rate)


@functools.cache
def _records(folder: pathlib.Path, split: str) -> ArrayRecordDataSource:
    info = read_proto_from_builder_dir(folder)
    if info.file_format != FORMAT:
        raise InputError(
            f"{folder}: stored as {info.file_format or 'tfrecord'}, which only TensorFlow reads; prepare it "
            f"again with tfds build {info.name} --file_format={FORMAT}"
        )
    template = tfds.core.ShardedFileTemplate(
        data_dir=os.fspath(folder), dataset_name=info.name, filetype_suffix=FORMAT
    )
    splits = tfds.core.SplitDict.from_proto(repeated_split_infos=info.splits, filename_template=template)
    if split not in splits:
        raise InputError(f"{folder}: has no split {split}; choose from {', '.join(splits)}")
    return ArrayRecordDataSource([os.fspath(path) for path in splits[split].filepaths])
