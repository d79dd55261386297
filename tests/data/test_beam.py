"""Apache Beam writes the dataset that this machine writes: the same bytes, with several workers."""

import builtins
import dataclasses
import pathlib
import sys

import pytest

from slm_jax.data import UnitDataset, encode_recordings
from slm_jax.errors import InputError, WorkError

pytest.importorskip("apache_beam")


def content(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def encode(recordings, tokenizer_dir, out_dir, **arguments):
    return encode_recordings(
        recordings, tokenizer_dir, out_dir, name="test", records_per_shard=4, durations=True, **arguments
    )


def on_beam(mode: str) -> dict:
    options = ["--direct_num_workers=2", f"--direct_running_mode={mode}"]
    return {"runner": "DirectRunner", "runner_options": options}


@pytest.mark.parametrize("mode", ["multi_processing", "multi_threading"])
def test_the_bytes_are_those_of_this_machine(recordings, tokenizer_dir, tmp_path, mode):
    recordings[3].path.write_bytes(b"")
    skipped = encode(recordings, tokenizer_dir, tmp_path / "here", workers=1)
    assert encode(iter(recordings[::-1]), tokenizer_dir, tmp_path / "beam", **on_beam(mode)) == skipped
    assert content(tmp_path / "beam") == content(tmp_path / "here")
    UnitDataset(tmp_path / "beam").validate()


def test_minimal_pairs_too(recordings, tokenizer_dir, tmp_path):
    pairs = [
        dataclasses.replace(
            recording,
            split=None,
            fields={
                "group": f"g{i // 4}",
                "phenomenon": "p",
                "voice": f"v{i // 2 % 2}",
                "correct": not i % 2,
            },
        )
        for i, recording in enumerate(recordings)
    ]
    encode(pairs, tokenizer_dir, tmp_path / "here", workers=1)
    encode(pairs, tokenizer_dir, tmp_path / "beam", **on_beam("in_memory"))
    assert content(tmp_path / "beam") == content(tmp_path / "here")


def test_what_one_way_began_the_other_finishes(recordings, tokenizer_dir, tmp_path, monkeypatch):
    encode(recordings, tokenizer_dir, tmp_path / "here", workers=1)
    written = []

    def stop_at_third(*arguments, **keywords):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(encode_shard(*arguments, **keywords))
        return written[-1]

    from slm_jax.data.encode import encode_shard

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr("slm_jax.data.encode.encode_shard", stop_at_third)
        encode(recordings, tokenizer_dir, tmp_path / "out", workers=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out.partial/dataset/*")}
    assert len(before) == 2
    inodes = {path.name: path.stat().st_ino for path in before}
    encode(recordings, tokenizer_dir, tmp_path / "out", **on_beam("in_memory"))
    assert content(tmp_path / "out") == content(tmp_path / "here")
    assert {name: (tmp_path / "out" / name).stat().st_ino for name in inodes} == inodes


def test_a_failing_pipeline_is_one_sentence_and_can_go_on(recordings, tokenizer_dir, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise InputError("shard 1: could not be written")

    with monkeypatch.context() as context, pytest.raises(WorkError) as error:
        context.setattr("slm_jax.data.encode.encode_shard", fail)
        encode(recordings, tokenizer_dir, tmp_path / "out", **on_beam("in_memory"))
    assert "DirectRunner failed" in str(error.value) and "shard 1: could not be written" in str(error.value)
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()
    assert encode(recordings, tokenizer_dir, tmp_path / "out", **on_beam("in_memory")) == []


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        ("Foo", [], "runner 'Foo': Beam cannot use it"),
        ("nowhere.Runner", [], "runner 'nowhere.Runner': Beam cannot use it"),
        ("DirectRunner", ["--direct_num_workers=two"], "argument --direct_num_workers: invalid int value"),
    ],
)
def test_a_runner_that_cannot_work_is_refused_before_any_recording_is_drawn(
    tokenizer_dir, tmp_path, runner, options, message
):
    def recordings():
        raise AssertionError
        yield

    with pytest.raises(InputError, match=message):
        encode(recordings(), tokenizer_dir, tmp_path / "out", runner=runner, runner_options=options)
    assert not list(tmp_path.glob("out*"))


def test_a_worker_that_writes_elsewhere_is_noticed(recordings, tokenizer_dir, tmp_path, monkeypatch):
    with (
        monkeypatch.context() as context,
        pytest.raises(InputError, match="not there; give an output folder"),
    ):
        context.setattr("slm_jax.data.encode.encode_shard", lambda *_, **__: 1)
        encode(recordings, tokenizer_dir, tmp_path / "out", **on_beam("in_memory"))


def test_options_reach_beam_as_they_are(recordings, tokenizer_dir, tmp_path, monkeypatch):
    found = []

    def pipeline(options):
        found.append(options.get_all_options())
        raise RuntimeError("far enough")

    monkeypatch.setattr("apache_beam.Pipeline", pipeline)
    options = ["--flink_master=localhost:8081", "--environment_type=LOOPBACK"]
    with pytest.raises(WorkError, match=r"FlinkRunner failed \(far enough\)"):
        encode(recordings, tokenizer_dir, tmp_path / "out", runner="FlinkRunner", runner_options=options)
    assert found[0]["runner"] == "FlinkRunner"
    assert found[0]["flink_master"] == "localhost:8081" and found[0]["environment_type"] == "LOOPBACK"


def test_without_beam_the_error_says_what_to_install(recordings, tokenizer_dir, tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without_beam(name, *arguments, **keywords):
        if name.split(".")[0] == "apache_beam":
            raise ImportError(name)
        return real_import(name, *arguments, **keywords)

    monkeypatch.delitem(sys.modules, "slm_jax.data.beam", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_beam)
    with pytest.raises(InputError, match=r"pip install slm_jax\[beam\]"):
        encode(recordings, tokenizer_dir, tmp_path / "out", **on_beam("in_memory"))
