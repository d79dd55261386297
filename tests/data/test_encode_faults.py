"""What must never pass in silence: lost recordings, two runs in one place, a disk that fails for a while."""

import dataclasses
import errno
import fcntl
import hashlib
import importlib.metadata
import json
import os
import pathlib
import pickle
import subprocess
import sys

import pytest

from slm_jax.data import UnitDataset, encode, encode_recordings
from slm_jax.data.receipts import read_receipt, write_receipt
from slm_jax.data.shards import named_write_errors
from slm_jax.errors import InputError, WorkError
from slm_jax.tokenizer import loading

ARGUMENTS = {"name": "test", "workers": 1, "records_per_shard": 3}


def content(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def undisturbed(recordings, tokenizer_dir, tmp_path) -> dict[str, str]:
    encode_recordings(recordings, tokenizer_dir, tmp_path / "undisturbed", **ARGUMENTS)
    return content(tmp_path / "undisturbed")


def lose(listing: pathlib.Path) -> None:
    listing.unlink()


def cut(listing: pathlib.Path) -> None:
    listing.write_text("".join(listing.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize("damage", [lose, cut])
def test_a_list_that_is_not_whole_ends_the_run(
    recordings, tokenizer_dir, tmp_path, undisturbed, monkeypatch, damage
):
    def damaged(*arguments):
        jobs, unwritten = deal(*arguments)
        damage(next(job for job in jobs[1:] if job.records).listing)
        return jobs, unwritten

    deal = encode.deal
    with (
        monkeypatch.context() as context,
        pytest.raises(WorkError, match=r"lists/test-train.*\.txt: has \d of"),
    ):
        context.setattr(encode, "deal", damaged)
        encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert not (tmp_path / "out").exists()
    encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert content(tmp_path / "out") == undisturbed


def test_a_shard_that_lost_a_recording_is_no_part_of_a_dataset(
    recordings, tokenizer_dir, tmp_path, undisturbed, monkeypatch
):
    encode_shard = encode.encode_shard

    def forgetful(tokenizer, job, **arguments):
        size = encode_shard(tokenizer, job, **arguments)
        receipt, skipped = read_receipt(job.receipt)
        write_receipt(job.receipt, dataclasses.replace(receipt, lengths=receipt.lengths[1:]), skipped)
        return size

    with monkeypatch.context() as context, pytest.raises(WorkError, match="belong to it; remove it") as error:
        context.setattr(encode, "encode_shard", forgetful)
        encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert not (tmp_path / "out").exists()
    for shard in (tmp_path / "out.partial" / "dataset").iterdir():  # all of them, as the test spoiled all
        shard.unlink()
    assert "out.partial/dataset/test-train" in str(error.value)
    encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert content(tmp_path / "out") == undisturbed


SCRIPT = """
import pickle, sys
from slm_jax.data import encode_recordings
from slm_jax.errors import InputError
if __name__ == "__main__":
    recordings, tokenizer_dir, out_dir, arguments = pickle.load(open(sys.argv[1], "rb"))
    def slowly():
        yield from recordings
        print("at work", flush=True)
        sys.stdin.readline()
    try:
        encode_recordings(slowly(), tokenizer_dir, out_dir, **arguments)
    except InputError as error:
        sys.exit(str(error))
"""


def start(tmp_path, *arguments) -> subprocess.Popen:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "arguments").write_bytes(pickle.dumps(arguments))
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(
        [sys.executable, tmp_path / "script.py", tmp_path / "arguments"], text=True, **pipes
    )


def test_of_two_runs_one_ends_with_a_sentence_and_the_dataset_is_whole(
    recordings, tokenizer_dir, tmp_path, undisturbed
):
    given = (recordings, tokenizer_dir, tmp_path / "out", ARGUMENTS)
    first = start(tmp_path, *given)
    assert first.stdout.readline() == "at work\n"
    with pytest.raises(
        InputError, match=rf"another run is at work there \(process {first.pid} on .+\); wait"
    ):
        encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    _, errors = first.communicate("\n")
    assert first.returncode == 0, errors
    assert content(tmp_path / "out") == undisturbed
    assert not (tmp_path / "out.partial").exists()


def test_the_lock_of_a_killed_run_is_gone(recordings, tokenizer_dir, tmp_path, undisturbed):
    process = start(tmp_path, recordings, tokenizer_dir, tmp_path / "out", ARGUMENTS)
    assert process.stdout.readline() == "at work\n"
    process.kill()
    process.communicate()
    assert (tmp_path / "out.partial" / "lock").exists()
    encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert content(tmp_path / "out") == undisturbed


def test_a_run_that_meets_the_end_of_another_makes_the_folder_anew(tmp_path, monkeypatch):
    """The run before removes the folder between the opening of its lock and the locking."""
    flock, folder = fcntl.flock, tmp_path / "out.partial"

    def late(file, operation):
        monkeypatch.setattr(fcntl, "flock", flock)
        (folder / "lock").unlink()
        folder.rmdir()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with encode.sole_run(folder):
        assert "process" in (folder / "lock").read_text()
    assert not folder.exists()


def test_what_a_writer_elsewhere_left_is_no_part_of_the_dataset(
    recordings, tokenizer_dir, tmp_path, undisturbed, monkeypatch
):
    write_metadata = encode.write_metadata

    def beside_a_stray(folder, *arguments, **keywords):
        (folder / ".shard.0123.tmp").write_bytes(b"half")
        write_metadata(folder, *arguments, **keywords)

    monkeypatch.setattr(encode, "write_metadata", beside_a_stray)
    encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert content(tmp_path / "out") == undisturbed


def test_a_failing_disk_skips_nothing_and_ends_the_run(
    recordings, tokenizer_dir, tmp_path, undisturbed, monkeypatch
):
    load = loading.load_recording

    def failing(recording, sample_rate):
        if recording.id == "r7":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(recording.path))
        return load(recording, sample_rate)

    with monkeypatch.context() as context, pytest.raises(WorkError) as error:
        context.setattr(loading, "load_recording", failing)
        encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert str(recordings[7].path) in str(error.value) and "Input/output error" in str(error.value)
    assert "run the same command again" in str(error.value) and not (tmp_path / "out").exists()
    for path in (tmp_path / "out.partial" / "receipts").iterdir():
        assert read_receipt(path)[1] == []
    encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert content(tmp_path / "out") == undisturbed


def test_a_dataset_tells_which_libraries_encoded_it(recordings, tokenizer_dir, tmp_path):
    encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    libraries = json.loads((tmp_path / "out" / "metadata.json").read_text())["libraries"]
    assert {"slm_jax", "numpy", "librosa", "soxr"} <= libraries.keys()
    for library, versions in libraries.items():
        assert versions == [importlib.metadata.version(library)]


@pytest.mark.parametrize("fields", [{"voice": "x"}, {"group": "a"}, {"correct": True}, {"phenomenon": "p"}])
def test_one_field_of_pairs_alone_makes_no_pairs(recordings, tokenizer_dir, tmp_path, fields):
    recordings[0] = dataclasses.replace(recordings[0], fields=fields)
    assert encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS) == []
    assert UnitDataset(tmp_path / "out").kind == "units"


def test_a_split_that_no_file_can_be_named_by_tells_whose_it_is(recordings, tokenizer_dir, tmp_path):
    recordings[4] = dataclasses.replace(recordings[4], split="dev-clean")
    with pytest.raises(InputError, match="recording 'r4': its split 'dev-clean' must be lower-case"):
        encode_recordings(recordings, tokenizer_dir, tmp_path / "out", **ARGUMENTS)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "make room and run the same command again"),
        (errno.EDQUOT, "make room and run the same command again"),
        (errno.EACCES, "choose a folder that exists or can be made"),
        (errno.ENOTDIR, "choose a folder that exists or can be made"),
        (errno.EROFS, "choose a folder that exists or can be made"),
        (errno.EIO, r"\); run the same command again"),
    ],
)
def test_a_failed_write_names_the_fix_that_helps(tmp_path, number, fix):
    with pytest.raises(InputError, match=fix), named_write_errors(tmp_path / "out"):
        raise OSError(number, os.strerror(number))
