"""A data set that TFDS itself writes, with its own Audio feature, is read back without TensorFlow."""

import io
import pathlib
import types

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds
from tensorflow_datasets.core.features import audio_feature, feature

from slm_jax.corpora import find_recordings, split_of, stream_recordings, tfds_audio
from slm_jax.corpora.tfds_audio import read_example
from slm_jax.errors import InputError
from slm_jax.tokenizer import load_recording

WAVES = [np.random.default_rng(i).integers(-(2**15), 2**15, 40 + i, dtype=np.int16) for i in range(4)]
NUMPY_AS_TENSORFLOW = types.SimpleNamespace(
    dtypes=types.SimpleNamespace(as_dtype=np.dtype),
    string=np.object_,
    uint8=np.uint8,
    int16=np.int16,
    int32=np.int32,
)


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """TFDS's Audio asks TensorFlow for the names of types, even to be written: numpy answers instead."""
    for module in (audio_feature, feature):
        monkeypatch.setattr(module, "tf", NUMPY_AS_TENSORFLOW)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def prepare(data_dir, audio, waves=WAVES, others=None, file_format="array_record", splits=None, config=None):
    splits = splits or {"train_clean100": (0, 1, 2), "dev_clean": (3,)}
    others = others or {"id": np.str_, "speaker_id": np.int64, "text": tfds.features.Text()}

    class Spoken(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config)] if config else []

        def _info(self):
            features = tfds.features.FeaturesDict({"speech": audio} | others)
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, _):
            return {split: self._generate_examples(indices) for split, indices in splits.items()}

        def _generate_examples(self, indices):
            for i in indices:
                example = {"id": f"u{i}", "speaker_id": 7 + i, "text": f"text {i}", "speech": waves[i]}
                yield i, {name: example[name] for name in ["speech", *others]}

    Spoken(data_dir=data_dir, file_format=file_format).download_and_prepare()
    return data_dir / "spoken"


def test_samples_are_read_as_they_were_written(data_dir):
    prepare(data_dir, tfds.features.Audio(sample_rate=16000, dtype=np.int64))
    recordings = {recording.id: recording for recording in stream_recordings("tfds:spoken")}
    assert recordings.keys() == {
        "train_clean100/u0",
        "train_clean100/u1",
        "train_clean100/u2",
        "dev_clean/u3",
    }
    for index, wave_S in enumerate(WAVES):
        recording = recordings[f"{'dev_clean' if index == 3 else 'train_clean100'}/u{index}"]
        assert (recording.speaker, recording.text) == (str(7 + index), f"text {index}")
        assert (recording.source, recording.is_file) == ("spoken", False)
        assert split_of(recording) == ("validation" if index == 3 else "train")
        read_S, rate = read_example(str(recording.path))
        assert rate == 16000 and read_S.dtype == np.float32
        assert np.array_equal(read_S, wave_S.astype(np.float32) / 2**15)
        assert np.array_equal(load_recording(recording, 16000), read_S)


@pytest.mark.parametrize("file_format", ["flac", "wav"])
def test_files_that_are_decoded_when_they_are_read(data_dir, file_format):
    files = []
    for wave_S in WAVES:
        files.append(io.BytesIO())
        soundfile.write(files[-1], wave_S, 8000, format=file_format, subtype="PCM_16")
        files[-1].seek(0)
    audio = tfds.features.Audio(file_format=file_format, dtype=np.int32, lazy_decode=True, sample_rate=16000)
    audio._audio_decoder.encode_audio = lambda file, _: np.array(file.read(), dtype=object)
    prepare(data_dir, audio, files)
    recordings = list(stream_recordings("tfds:spoken"))
    for recording in recordings:
        wave_S, rate = read_example(str(recording.path))
        assert rate == 8000  # what the file says
        assert np.array_equal(wave_S, WAVES[int(recording.id[-1])].astype(np.float32) / 2**15)


def test_channels_are_averaged_and_ids_may_be_missing(data_dir):
    waves = [np.stack([wave_S, wave_S // 2], axis=1).astype(np.int64) for wave_S in WAVES]
    prepare(data_dir, tfds.features.Audio(shape=(None, 2), sample_rate=8000), waves, {"text": np.str_})
    recordings = find_recordings("tfds:spoken")
    assert [r.id for r in recordings] == [
        *(f"train_clean100/000000{index}" for index in range(3)),
        "dev_clean/0000000",
    ]
    for recording in recordings:
        wave_S, rate = read_example(str(recording.path))
        assert (rate, recording.speaker) == (8000, "unknown")
        assert np.allclose(wave_S, waves[int(recording.text[-1])].mean(axis=1) / 2**15, atol=1e-6)


def test_configs_and_versions(data_dir):
    audio = tfds.features.Audio(sample_rate=16000, dtype=np.int16)
    prepare(data_dir, audio, config="clean", splits={"train": (0,)})
    (only,) = find_recordings("tfds:spoken")
    (named,) = find_recordings("tfds:spoken/clean:1.0.0")
    assert np.array_equal(read_example(str(named.path))[0], read_example(str(only.path))[0])
    assert str(named.path) == "tfds:spoken/clean:1.0.0/train#0"
    (folder,) = find_recordings(f"tfds:{data_dir}/spoken/clean/1.0.0")
    assert np.array_equal(read_example(str(folder.path))[0], read_example(str(only.path))[0])
    prepare(data_dir, audio, config="other", splits={"train": (0,)})
    with pytest.raises(InputError, match="tfds:spoken: choose from spoken/clean, spoken/other"):
        find_recordings("tfds:spoken")


def test_what_is_not_there_is_named_with_what_to_run(data_dir):
    with pytest.raises(
        InputError, match=r"tfds:librispeech: not prepared in .* tfds build librispeech --file_"
    ):
        find_recordings("tfds:librispeech")
    prepare(data_dir, tfds.features.Audio(sample_rate=16000, dtype=np.int16))
    for uri, message in {
        "tfds:spoken/train#0": "has no split train; choose from",
        "tfds:spoken/dev_clean#1": "split dev_clean has only 1 examples",
        "tfds:spoken/dev_clean": "expected tfds:NAME/SPLIT#INDEX",
        "tfds:spoken:2.0.0/dev_clean#0": "tfds:spoken: not prepared in",
    }.items():
        with pytest.raises(InputError, match=message):
            read_example(uri)


def test_another_format_is_refused_with_the_fix(data_dir):
    folder = prepare(data_dir, tfds.features.Audio(sample_rate=16000, dtype=np.int16)) / "1.0.0"
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"array_record"', '"tfrecord"'))
    with pytest.raises(
        InputError, match=r"stored as tfrecord, .* tfds build spoken --file_format=array_record"
    ):
        list(stream_recordings("tfds:spoken"))


def test_features_that_are_no_audio_are_refused(data_dir):
    prepare(data_dir, tfds.features.Tensor(shape=(None,), dtype=np.int16))
    with pytest.raises(InputError, match=r"features.json: has 0 Audio features, expected one among id, spe"):
        find_recordings("tfds:spoken")


def test_samples_without_a_rate_or_of_another_scale_are_refused(data_dir):
    folder = prepare(
        data_dir, tfds.features.Audio(sample_rate=16000), [w.astype(np.int64) * 9 for w in WAVES]
    )
    with pytest.raises(InputError, match="dev_clean#0: samples are larger than 16 bits hold"):
        read_example("tfds:spoken/dev_clean#0")
    features = pathlib.Path(folder / "1.0.0/features.json")
    features.write_text(features.read_text().replace('"sampleRate": "16000"', '"sampleRate": "0"'))
    tfds_audio._audio.cache_clear()
    with pytest.raises(InputError, match="the Audio feature speech has no sampleRate"):
        read_example("tfds:spoken/dev_clean#0")
