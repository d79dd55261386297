"""Recordings to datasets: the units, the skipped ones, and a stop at any moment."""

import dataclasses
import hashlib
import json
import os
import pathlib
import pickle
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from slm_jax.corpora import Recording, scan_folder
from slm_jax.data import PairsDataset, UnitDataset, encode_recordings
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, Tokenizer


def content(folder: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
    }


def encode(recordings, tokenizer_dir, out_dir, workers=1, records_per_shard=3):
    return encode_recordings(
        recordings, tokenizer_dir, out_dir, name="test", workers=workers, records_per_shard=records_per_shard
    )


@pytest.fixture
def undisturbed(recordings, tokenizer_dir, tmp_path) -> dict[str, str]:
    encode(recordings, tokenizer_dir, tmp_path / "undisturbed")
    return content(tmp_path / "undisturbed")


def test_every_recording_has_the_units_the_tokenizer_gives(recordings, tokenizer_dir, tmp_path):
    assert encode(recordings, tokenizer_dir, tmp_path / "out") == []
    dataset, tokenizer = UnitDataset(tmp_path / "out"), Tokenizer.load(tokenizer_dir)
    found = {row["id"]: row | {"split": split} for split in dataset.splits for row in dataset.examples(split)}
    assert found.keys() == {recording.id for recording in recordings}
    for recording in recordings:
        row = found[recording.id]
        np.testing.assert_array_equal(row["units"], tokenizer.encode_file(recording.path))
        assert (row["split"], row["speaker"], row["source"]) == (recording.split, recording.speaker, "test")
        assert row["seconds"] == pytest.approx(soundfile.info(recording.path).duration, abs=1e-4)
    assert len(list((tmp_path / "out").glob("test-train.array_record-*-of-00006"))) == 6
    assert not (tmp_path / "out.partial").exists()
    dataset.validate()


def test_bytes_do_not_depend_on_workers_or_on_the_order_of_the_manifest(
    recordings, tokenizer_dir, tmp_path, undisturbed
):
    encode(recordings[::-1], tokenizer_dir, tmp_path / "out", workers=2)
    assert content(tmp_path / "out") == undisturbed


def test_a_stop_at_any_commit_continues_to_the_same_dataset(recordings, tokenizer_dir, tmp_path, monkeypatch):
    """Every file of a dataset takes its name in os.replace: stop before each of them in turn."""
    recordings, replace = recordings[11:], os.replace
    encode(recordings, tokenizer_dir, tmp_path / "undisturbed")
    undisturbed = content(tmp_path / "undisturbed")
    for stop in range(1, 1000):
        calls = 0

        def stopping(*arguments, stop=stop):
            nonlocal calls
            calls += 1
            if calls == stop:
                raise KeyboardInterrupt
            replace(*arguments)

        out_dir = tmp_path / f"out{stop}"
        monkeypatch.setattr(os, "replace", stopping)
        try:
            encode(recordings, tokenizer_dir, out_dir)
            break
        except KeyboardInterrupt:
            monkeypatch.setattr(os, "replace", replace)
            assert not out_dir.exists()
            encode(recordings, tokenizer_dir, out_dir)
            assert content(out_dir) == undisturbed
    assert stop > 2 * 4  # four shards and their receipts at least


SCRIPT = """
import pickle, resource, sys
from slm_jax.data import encode_recordings
if __name__ == "__main__":
    recordings, tokenizer_dir, out_dir = pickle.load(open(sys.argv[1], "rb"))
    workers, largest_file = map(int, sys.argv[2:])
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    encode_recordings(recordings, tokenizer_dir, out_dir, name="test", workers=workers, records_per_shard=3)
"""


def start(tmp_path, arguments, workers, largest_file=resource.RLIM_INFINITY) -> subprocess.Popen:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "arguments").write_bytes(pickle.dumps(arguments))
    command = [sys.executable, tmp_path / "script.py", tmp_path / "arguments", str(workers)]
    return subprocess.Popen([*command, str(largest_file)], stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("receipts", [1, 4])
def test_sigkill_and_another_run_give_the_same_dataset(
    recordings, tokenizer_dir, tmp_path, undisturbed, receipts
):
    out_dir = tmp_path / "out"
    process = start(tmp_path, (recordings, tokenizer_dir, out_dir), workers=2)
    while (
        process.poll() is None and len(list(tmp_path.glob("out.partial/receipts/*.safetensors"))) < receipts
    ):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (tmp_path / "out.partial" / "dataset").mkdir(parents=True, exist_ok=True)
    (tmp_path / "out.partial" / "dataset" / ".test.123.tmp").write_bytes(b"what a killed writer leaves")
    encode(recordings, tokenizer_dir, out_dir)
    assert content(out_dir) == undisturbed
    assert not (tmp_path / "out.partial").exists()


def test_a_full_disk_is_one_clear_error_and_the_next_run_continues(
    recordings, tokenizer_dir, tmp_path, undisturbed
):
    out_dir = tmp_path / "out"
    process = start(tmp_path, (recordings, tokenizer_dir, out_dir), workers=1, largest_file=30_000)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "InputError" in errors and "could not be written" in errors and "make room" in errors
    assert not out_dir.exists() and not list((tmp_path / "out.partial" / "dataset").iterdir())
    encode(recordings, tokenizer_dir, out_dir)
    assert content(out_dir) == undisturbed


def test_a_finished_dataset_is_left_alone(recordings, tokenizer_dir, tmp_path, monkeypatch):
    recordings[0].path.write_bytes(b"")
    first = encode(recordings, tokenizer_dir, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out.partial").mkdir()  # a run killed just before its last step leaves this
    assert encode(recordings, tokenizer_dir, tmp_path / "out") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("finished", [True, False])
def test_another_tokenizer_or_other_recordings_are_refused(
    recordings, tokenizer_dir, tmp_path, monkeypatch, finished
):
    out_dir = tmp_path / "out"
    if finished:
        encode(recordings, tokenizer_dir, out_dir)
    else:
        with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
            context.setattr("slm_jax.data.encode.write_metadata", lambda *_, **__: interrupt())
            encode(recordings, tokenizer_dir, out_dir)
    Tokenizer(MFCC(), np.ones((5, 26))).save(tmp_path / "other")
    with pytest.raises(InputError, match="another tokenizer"):
        encode(recordings, tmp_path / "other", out_dir)
    with pytest.raises(InputError, match="another recording list"):
        encode([dataclasses.replace(recordings[0], text="new"), *recordings[1:]], tokenizer_dir, out_dir)
    with pytest.raises(InputError, match="another number of shards"):
        encode(recordings, tokenizer_dir, out_dir, records_per_shard=4)


def interrupt():
    raise KeyboardInterrupt


def test_a_folder_that_holds_something_else_is_refused(recordings, tokenizer_dir, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a dataset"):
        encode(recordings, tokenizer_dir, tmp_path / "out")


def test_bad_recordings_are_skipped_and_listed_with_their_reasons(recordings, tokenizer_dir, tmp_path):
    def spoil(index: int, content: bytes) -> str:
        recordings[index].path.write_bytes(content)
        return recordings[index].id

    rng = np.random.default_rng(0)
    reasons = {
        spoil(0, b""): "empty",
        spoil(1, recordings[1].path.read_bytes()[:5000]): "truncated",
        spoil(2, b"not audio at all" * 1000): "not audio",
    }
    soundfile.write(recordings[3].path, rng.normal(0, 0.1, 500), 16_000)
    soundfile.write(recordings[4].path, np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    recordings[5].path.unlink()
    reasons |= {"r3": "shorter than one frame", "r4": "NaN", "r5": "cannot be read"}
    soundfile.write(recordings[6].path, rng.normal(0, 0.1, (48_000, 2)), 48_000)
    soundfile.write(recordings[7].path, rng.normal(0, 0.1, 8_000), 8_000)

    skipped = encode(recordings, tokenizer_dir, tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert rows == skipped
    assert {row["id"] for row in rows} == reasons.keys()
    for row in rows:
        assert reasons[row["id"]] in row["reason"] and row["split"] == "train"
        assert str(recordings[int(row["id"][1:])].path) in row["reason"]
    dataset = UnitDataset(tmp_path / "out")
    found = {row["id"]: row["seconds"] for split in dataset.splits for row in dataset.examples(split)}
    assert found.keys() == {recording.id for recording in recordings} - reasons.keys()
    assert found["r6"] == pytest.approx(1.0) and found["r7"] == pytest.approx(1.0)


def test_a_file_whose_name_is_not_utf8_is_skipped_and_listed(recordings, tokenizer_dir, tmp_path):
    name = os.fsencode(recordings[0].path.parent) + b"/caf\xe9.wav"
    try:
        os.rename(recordings[0].path, name)
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    (row,) = encode(scan_folder(recordings[0].path.parent), tokenizer_dir, tmp_path / "out")
    assert row["id"] == r"caf\xe9" and "not UTF-8; rename the file" in row["reason"]
    assert [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").open(encoding="utf-8")] == [row]


def test_nothing_encodable_is_an_error_that_a_repaired_corpus_recovers_from(
    recordings, tokenizer_dir, tmp_path, undisturbed
):
    waves = [recording.path.read_bytes() for recording in recordings]
    for recording in recordings:
        recording.path.write_bytes(b"")
    with pytest.raises(InputError, match=r"none of the 20 recordings.*is empty"):
        encode(recordings, tokenizer_dir, tmp_path / "out")
    for recording, wave in zip(recordings, waves, strict=True):
        recording.path.write_bytes(wave)
    encode(recordings, tokenizer_dir, tmp_path / "out")
    assert content(tmp_path / "out") == undisturbed


def test_a_split_without_a_good_recording_is_left_out(recordings, tokenizer_dir, tmp_path):
    for recording in recordings[16:]:
        recording.path.write_bytes(b"")
    assert len(encode(recordings, tokenizer_dir, tmp_path / "out")) == 4
    dataset = UnitDataset(tmp_path / "out")
    assert dataset.splits == ["train"] and len(dataset.lengths("train")) == 16
    dataset.validate()
    assert not list((tmp_path / "out").glob("*validation*"))


def test_no_recordings_and_repeated_ids_are_refused(recordings, tokenizer_dir, tmp_path):
    with pytest.raises(InputError, match="no recordings"):
        encode([], tokenizer_dir, tmp_path / "out")
    with pytest.raises(InputError, match="'r0' occurs 2 times"):
        encode([*recordings, recordings[0]], tokenizer_dir, tmp_path / "out")


@pytest.fixture
def pairs(recordings) -> list[Recording]:
    return [
        dataclasses.replace(
            recording,
            split=None,
            fields={
                "group": f"g{index // 4}",
                "phenomenon": "p",
                "voice": f"v{index // 2 % 2}",
                "correct": not index % 2,
            },
        )
        for index, recording in enumerate(recordings)
    ]


def test_recordings_with_pair_fields_make_a_pairs_dataset(pairs, tokenizer_dir, tmp_path):
    encode(pairs, tokenizer_dir, tmp_path / "out")
    dataset = PairsDataset(tmp_path / "out")
    assert dataset.splits == ["test"]
    found = {candidate.id: candidate for candidate in dataset.candidates()}
    for recording in pairs:
        candidate = found[recording.id]
        assert recording.fields == {field: getattr(candidate, field) for field in recording.fields}


def test_a_bad_candidate_takes_its_pair_with_it_and_nothing_else(pairs, tokenizer_dir, tmp_path):
    pairs[5].path.write_bytes(b"")
    skipped = {row["id"]: row["reason"] for row in encode(pairs, tokenizer_dir, tmp_path / "out")}
    assert skipped.keys() == {"r4", "r5"}
    assert "empty" in skipped["r5"] and "'r5'" in skipped["r4"]
    assert len(PairsDataset(tmp_path / "out").candidates()) == 18


@pytest.mark.parametrize("change", [{"correct": "yes"}, {"voice": None}, {"group": 3}])
def test_a_wrong_pair_field_is_named(pairs, tokenizer_dir, tmp_path, change):
    pairs[2] = dataclasses.replace(pairs[2], fields=pairs[2].fields | change)
    with pytest.raises(InputError, match=f"recording 'r2': field '{next(iter(change))}'"):
        encode(pairs, tokenizer_dir, tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_one_clear_error(recordings, tokenizer_dir, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="could not be written"):
        encode(recordings, tokenizer_dir, tmp_path / "file" / "out")
