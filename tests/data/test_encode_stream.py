"""Recordings as a stream: what stays in memory, how they are dealt out, and encoders that run on devices."""

import dataclasses
import hashlib
import itertools
import json
import pathlib
import tracemalloc
import weakref
from typing import ClassVar

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

from slm_jax.corpora import Recording
from slm_jax.corpora.synthesis import render
from slm_jax.data import UnitDataset, encode_plan, encode_recordings
from slm_jax.data.encode_plan import deal, spool_recordings
from slm_jax.data.encode_units import encode_each
from slm_jax.data.speaker_table import read_speakers
from slm_jax.errors import InputError
from slm_jax.tokenizer import ENCODERS, MFCC, Tokenizer, load_audio
from slm_jax.tokenizer.speakers import speaker_statistics
from slm_jax.tokenizer.units import assign


def content(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def made_up(count: int):
    return (Recording(f"r{i}", pathlib.Path(f"/audio/{i}.wav"), "s", "t", "train") for i in range(count))


def test_a_stream_gives_the_dataset_of_the_list(recordings, tokenizer_dir, tmp_path):
    for out, given in (("list", recordings), ("stream", iter(recordings[::-1]))):
        encode_recordings(given, tokenizer_dir, tmp_path / out, name="test", workers=1, records_per_shard=3)
    assert content(tmp_path / "stream") == content(tmp_path / "list")


def plan(recordings, folder: pathlib.Path, shards: int) -> list:
    (folder / "lists").mkdir(parents=True)
    spool, shards = spool_recordings(recordings, folder), {"train": shards}
    jobs, unwritten = deal(spool, folder / "dataset", "x", shards)
    assert jobs == unwritten and sum(job.records for job in jobs) == spool.counts["train"]
    return jobs


def test_of_a_recording_in_the_stream_little_stays_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(encode_plan, "BUFFERED_BYTES", 2**17)
    peaks = []
    for count in (100, 10_000, 30_000):  # the first for what is imported
        tracemalloc.start()
        plan(made_up(count), tmp_path / str(count), 16)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 20_000 * 40  # bytes; a Recording has more than 500


def test_recordings_are_drawn_one_by_one(tmp_path):
    alive = most = 0

    def gone():
        nonlocal alive
        alive -= 1

    def watched():
        nonlocal alive, most
        for recording in made_up(1000):
            weakref.finalize(recording, gone)
            alive += 1
            most = max(most, alive)
            yield recording

    plan(watched(), tmp_path, 16)
    assert most <= 3


def test_every_recording_is_dealt_to_one_shard_and_shards_are_about_equal(tmp_path):
    jobs = plan(made_up(4000), tmp_path, 16)
    dealt = [[recording.id for recording in job.recordings()] for job in jobs]
    ids = list(itertools.chain.from_iterable(dealt))
    assert sorted(ids) == sorted(recording.id for recording in made_up(4000))
    assert all(150 < len(ids) < 350 for ids in dealt)
    positions = [hashlib.sha256(id.encode()).digest()[:8] for id in ids]
    assert positions == sorted(positions)


def test_lists_are_written_in_few_long_pieces(tmp_path, monkeypatch):
    pieces = []
    append = encode_plan._append

    def counted(waiting):
        pieces.extend(map(len, waiting.values()))
        append(waiting)

    monkeypatch.setattr(encode_plan, "_append", counted)
    monkeypatch.setattr(encode_plan, "BUFFERED_BYTES", 2**15)  # 20 times less than all lines
    plan(made_up(4000), tmp_path, 256)
    assert sum(pieces) == 4000 and len(pieces) < 3 * 256


def test_a_shard_without_recordings_has_a_list_too(tmp_path):
    jobs = plan(made_up(3), tmp_path, 16)
    assert sorted(job.records for job in jobs)[:13] == [0] * 13
    assert sum(len(job.recordings()) for job in jobs) == 3
    assert {path.name for path in (tmp_path / "lists").iterdir()} == {job.listing.name for job in jobs}


def test_an_id_in_two_splits_is_an_id_twice(recordings, tokenizer_dir, tmp_path):
    again = dataclasses.replace(recordings[0], split="validation")
    with pytest.raises(InputError, match="'r0' occurs 2 times"):
        encode_recordings(iter([*recordings, again]), tokenizer_dir, tmp_path / "out", name="test")
    assert not list(tmp_path.glob("out*"))


def test_pairs_among_plain_recordings_are_refused(recordings, tokenizer_dir, tmp_path):
    fields = {"group": "g", "phenomenon": "p", "voice": "v", "correct": True}
    recordings[3] = dataclasses.replace(recordings[3], fields=fields)
    with pytest.raises(InputError, match="'r3': belongs to a minimal pair"):
        encode_recordings(recordings, tokenizer_dir, tmp_path / "out", name="test")


def test_parts_of_one_file_become_records(tokenizer_dir, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 48_000), 16_000)
    parts = [
        Recording(f"r{i}", tmp_path / "a.wav", "s", "t", "train", start=start, seconds=1.0)
        for i, start in enumerate((0.0, 0.5, 2.0, 2.5))
    ]
    (row,) = encode_recordings(parts, tokenizer_dir, tmp_path / "out", name="test", workers=1)
    assert row["id"] == "r3" and "from 2.5 to 3.5 s does not lie in the 3.00 s" in row["reason"]
    found = {row["id"]: row for row in UnitDataset(tmp_path / "out").examples("train")}
    tokenizer = Tokenizer.load(tokenizer_dir)
    for recording in parts[:3]:
        expected = tokenizer.encode(load_audio(recording.path, 16_000, start=recording.start, seconds=1.0))
        np.testing.assert_array_equal(found[recording.id]["units"], expected)
        assert found[recording.id]["seconds"] == 1.0


def test_text_is_spoken_on_its_way_to_units(tokenizer_dir, tmp_path):
    spoken = [
        Recording(f"r{i}", pathlib.Path("espeak:us_male"), "us_male", "t", "train", text=text)
        for i, text in enumerate(("the cat sat on the mat", "a dog ran", ""))
    ]
    (row,) = encode_recordings(spoken, tokenizer_dir, tmp_path / "out", name="test", workers=1)
    assert row["id"] == "r2" and "no text to speak" in row["reason"]
    tokenizer = Tokenizer.load(tokenizer_dir)
    for row in UnitDataset(tmp_path / "out").examples("train"):
        wave_S = render(spoken[int(row["id"][1:])].text, "us_male", 16_000) / 2**15
        np.testing.assert_array_equal(row["units"], tokenizer.encode(wave_S.astype(np.float32)))
    spoken[0] = dataclasses.replace(spoken[0], path=pathlib.Path("espeak:us_female"))
    with pytest.raises(InputError, match="another recording list"):
        encode_recordings(spoken, tokenizer_dir, tmp_path / "out", name="test", workers=1)


@pytest.mark.parametrize("collapse", [True, False])
def test_durations_rebuild_the_frames(recordings, tmp_path, collapse):
    tokenizer = Tokenizer(MFCC(), np.random.default_rng(0).normal(0, 100, (4, 26)), collapse=collapse)
    tokenizer.save(tmp_path / "coarse")
    encode_recordings(
        recordings, tmp_path / "coarse", tmp_path / "out", name="test", workers=1, durations=True
    )
    dataset = UnitDataset(tmp_path / "out")
    paths = {recording.id: recording.path for recording in recordings}
    ids = [row["id"] for row in dataset.examples("train")]
    units, runs = (read("train", range(len(ids))) for read in (dataset.read, dataset.read_runs))
    longest = 0
    for id, units_L, runs_L, row in zip(ids, units, runs, dataset.examples("train"), strict=True):
        units_T = assign(tokenizer.encoder(load_audio(paths[id], 16_000)), tokenizer.centroids_KxD)
        assert runs_L.dtype == np.uint16 and len(runs_L) == len(units_L)
        np.testing.assert_array_equal(np.repeat(units_L, runs_L), units_T)
        np.testing.assert_array_equal(row["runs"], runs_L)
        longest = max(longest, runs_L.max())
    assert longest > 1 if collapse else longest == 1
    example = tfds.builder_from_directory(tmp_path / "out").as_data_source("train")[0]
    np.testing.assert_array_equal(example["runs"], runs[0])
    dataset.validate()
    with pytest.raises(InputError, match="another choice of durations"):
        encode_recordings(recordings, tmp_path / "coarse", tmp_path / "out", name="test", workers=1)


def test_a_dataset_without_durations_says_so(unit_dir):
    with pytest.raises(InputError, match="without durations"):
        UnitDataset(unit_dir).read_runs("train", [0])


def test_a_unit_that_lasts_too_long_to_be_counted_is_skipped(recordings, tmp_path, monkeypatch):
    Tokenizer(MFCC(), np.zeros((1, 26))).save(tmp_path / "one")
    monkeypatch.setattr("slm_jax.data.encode_shard.MAX_RUN", 20)
    arguments = {"name": "test", "workers": 1, "durations": True}
    skipped = encode_recordings(recordings, tmp_path / "one", tmp_path / "out", **arguments)
    assert skipped and all("cut the recording into parts" in row["reason"] for row in skipped)
    runs = UnitDataset(tmp_path / "out").read_runs("train", [0])[0]
    assert len(runs) == 1 and runs[0] <= 20


def test_an_encoder_that_normalizes_by_speaker_gets_the_statistics_of_each(recordings, tmp_path):
    encoder = MFCC(normalization="speaker_mean")
    tokenizer = Tokenizer(encoder, np.random.default_rng(0).normal(0, 30, (30, 26)))
    tokenizer.save(tmp_path / "tokenizer")
    encode_recordings(
        iter(recordings), tmp_path / "tokenizer", tmp_path / "out", name="test", workers=1, durations=True
    )
    speakers = speaker_statistics(recordings, encoder, workers=1)
    kept = read_speakers(tmp_path / "out" / "speakers.safetensors")
    assert kept.keys() == speakers.keys()
    for name in kept:
        np.testing.assert_array_equal(kept[name].mean_D, speakers[name].mean_D)
    by_id = {recording.id: recording for recording in recordings}
    rows = [row for split in ("train", "validation") for row in UnitDataset(tmp_path / "out").examples(split)]
    assert len(rows) == len(recordings) and len(speakers) == 3
    for row in rows:
        recording = by_id[row["id"]]
        features_TxD = encoder.for_speaker(speakers[recording.speaker])(load_audio(recording.path, 16_000))
        expected = assign(features_TxD, tokenizer.centroids_KxD)
        np.testing.assert_array_equal(np.repeat(row["units"], row["runs"]), expected)


def test_an_encoder_that_fails_on_a_recording_skips_it(recordings, tmp_path, monkeypatch):
    Tokenizer(MFCC(), np.random.default_rng(0).normal(0, 30, (30, 26))).save(tmp_path / "tokenizer")
    encode = MFCC.__call__

    def fails_on_silence(self, wave_S):
        if not wave_S.any():
            raise ZeroDivisionError("no energy")
        return encode(self, wave_S)

    monkeypatch.setattr(MFCC, "__call__", fails_on_silence)
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    silence = Recording("silence", tmp_path / "silence.wav", "nobody", "test", "train")
    skipped = encode_recordings(
        [*recordings, silence], tmp_path / "tokenizer", tmp_path / "out", name="test", workers=1
    )
    assert [row["id"] for row in skipped] == ["silence"]
    assert "ZeroDivisionError: no energy" in skipped[0]["reason"]


@dataclasses.dataclass
class OnDevice:
    """Energies as an encoder that takes batches; it remembers what came together."""

    folder: pathlib.Path
    sample_rate: int = 16_000

    name: ClassVar[str] = "energy"
    on_device: ClassVar[bool] = True
    frame_rate: ClassVar[int] = 100
    dim: ClassVar[int] = 1
    files: ClassVar[tuple] = ()
    batches: ClassVar[list[list[int]]] = []

    @property
    def parameters(self) -> dict:
        return {"sample_rate": self.sample_rate}

    def check_files(self) -> None:
        pass

    def __call__(self, wave_S: np.ndarray) -> np.ndarray:
        if len(wave_S) < 8000:
            raise InputError("is too short")
        frames = len(wave_S) // 160
        return (wave_S[: frames * 160].reshape(frames, 160, 1) ** 2).mean(axis=1)

    def many(self, waves):
        self.batches.append([len(wave_S) for wave_S in waves])
        return [self._result(wave_S) for wave_S in waves]

    def _result(self, wave_S):
        try:
            return self(wave_S)
        except InputError as error:
            return error


@pytest.fixture
def device_dir(tmp_path, monkeypatch) -> pathlib.Path:
    monkeypatch.setitem(ENCODERS, "energy", OnDevice)
    OnDevice.batches.clear()
    Tokenizer(OnDevice(tmp_path), np.array([[0.0], [0.1], [0.3]])).save(tmp_path / "device")
    return tmp_path / "device"


def test_an_encoder_on_devices_gets_bounded_batches_in_this_process(
    recordings, device_dir, tmp_path, monkeypatch
):
    monkeypatch.setattr("slm_jax.data.encode_units.BATCH_SECONDS", 3.0)
    recordings[7].path.write_bytes(b"")
    skipped = encode_recordings(recordings, device_dir, tmp_path / "out", name="test", workers=2)
    reasons = {row["id"]: row["reason"] for row in skipped}
    lengths = {r.id: len(load_audio(r.path, 16_000)) for r in recordings if r.id != "r7"}
    short = {id for id, length in lengths.items() if length < 8000}
    assert short and reasons.keys() == short | {"r7"}
    assert "is empty" in reasons.pop("r7")
    for id, reason in reasons.items():
        assert str(recordings[int(id[1:])].path) in reason and "too short" in reason
    assert sorted(itertools.chain.from_iterable(OnDevice.batches)) == sorted(lengths.values())
    assert max(map(sum, OnDevice.batches)) <= 48_000 and max(map(len, OnDevice.batches)) > 2
    dataset, tokenizer = UnitDataset(tmp_path / "out"), Tokenizer.load(device_dir)
    for split in dataset.splits:
        for row in dataset.examples(split):
            wave_S = load_audio(recordings[int(row["id"][1:])].path, 16_000)
            np.testing.assert_array_equal(row["units"], tokenizer.encode(wave_S))


@pytest.mark.parametrize("seconds", [0.1, 2.0, 600.0])
def test_units_do_not_depend_on_the_batches(recordings, device_dir, monkeypatch, seconds):
    tokenizer = Tokenizer.load(device_dir)
    monkeypatch.setattr("slm_jax.data.encode_units.BATCH_SECONDS", seconds)
    for recording, (found, length, units_T) in zip(
        recordings, encode_each(tokenizer, iter(recordings), {}), strict=True
    ):
        wave_S = load_audio(recording.path, 16_000)
        assert found is recording and length == len(wave_S) / 16_000
        if len(wave_S) >= 8000:
            np.testing.assert_array_equal(units_T, tokenizer.encode_many([wave_S])[0])
        else:
            assert isinstance(units_T, InputError)


def test_skipped_recordings_are_listed_in_the_file_too(recordings, device_dir, tmp_path):
    skipped = encode_recordings(recordings, device_dir, tmp_path / "out", name="test")
    lines = (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == skipped != []
