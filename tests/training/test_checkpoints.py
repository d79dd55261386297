"""Checkpoints that storage has damaged, the best one, and those of older versions."""

import errno
import json
import os
import pathlib
import shutil

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils
from small_run import run_config

from slm_jax.errors import InputError
from slm_jax.model import make_mesh
from slm_jax.training import load_model, loop, parse_config, read_metrics, read_run_config, train
from slm_jax.training.checkpointing import seals
from slm_jax.training.checkpointing.restore import restore_newest
from slm_jax.training.step import program


def losses(run_dir):
    return [(row["step"], row["loss"]) for row in read_metrics(run_dir)]


@pytest.fixture(scope="module")
def finished(units, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    train(parse_config(run_config(units)), run_dir)
    return run_dir


@pytest.fixture(scope="module")
def program_of_runs(finished):
    config, model, _ = read_run_config(finished)
    return program(model, config.optimizer, make_mesh())


@pytest.fixture
def unfinished(finished, tmp_path):
    """Its copy with the checkpoints of steps 30 and 40 and no summary."""
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    return tmp_path / "run"


def largest_file(folder: pathlib.Path) -> pathlib.Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def truncate(folder):
    path = largest_file(folder / "params")
    path.write_bytes(path.read_bytes()[:-10])


def zero_inside(folder):
    path = largest_file(folder / "params")
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])


def flip_a_bit(folder):
    path = largest_file(folder / "optimizer")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def delete_a_file(folder):
    largest_file(folder / "optimizer").unlink()


def delete_all_files(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


def empty_all_files(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")


def empty_the_seal(folder):
    (folder / "files.json").write_bytes(b"")


def empty_without_a_seal(folder):
    (folder / "files.json").unlink()
    empty_all_files(folder / "params")


DAMAGES = [
    truncate,
    zero_inside,
    flip_a_bit,
    delete_a_file,
    delete_all_files,
    empty_all_files,
    empty_the_seal,
    empty_without_a_seal,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    damage, unfinished, program_of_runs, capfd
):
    damage(unfinished / "checkpoints" / "40")
    restored = restore_newest(unfinished, program_of_runs)
    assert restored.step == restored.position.step == 30
    assert "checkpoints/40: the checkpoint cannot be read" in capfd.readouterr().err
    assert (unfinished / "damaged_checkpoints" / "40").is_dir()


@pytest.mark.parametrize(
    ("name", "number"),
    [("_CHECKPOINT_METADATA", errno.ESTALE), ("files.json", errno.EACCES), ("an array", errno.EIO)],
)
def test_a_checkpoint_that_the_system_cannot_read_is_left_for_the_one_before_it(
    name, number, unfinished, program_of_runs, monkeypatch, capfd
):
    path = unfinished / "checkpoints" / "40" / name
    bad = path if path.exists() else largest_file(path.parent / "params")

    def failing(read):
        def checked(path, **options):
            if path == bad:
                raise OSError(number, os.strerror(number), path)
            return read(path, **options)

        return checked

    monkeypatch.setattr(pathlib.Path, "read_text", failing(pathlib.Path.read_text))
    monkeypatch.setattr(seals, "sha256", failing(seals.sha256))
    assert restore_newest(unfinished, program_of_runs).step == 30
    assert f"{bad.name} cannot be read: {os.strerror(number)}" in capfd.readouterr().err


def test_all_processes_take_the_checkpoint_that_the_first_sees(unfinished, program_of_runs, monkeypatch):
    answer = np.frombuffer(b'{"seen": [30]}', np.uint8)
    answers = iter([answer.size, answer])
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda _: next(answers))
    assert restore_newest(unfinished, program_of_runs).step == 30
    assert (unfinished / "checkpoints" / "40").is_dir()


def test_a_checkpoint_that_one_process_alone_cannot_read_is_left_by_all(
    unfinished, program_of_runs, monkeypatch, capfd
):
    outcomes = iter([[False, False], [False, True], [False, False], [False, False]])  # found whole, then read
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(
        multihost_utils, "process_allgather", lambda _: np.array(next(outcomes, [False, False]))
    )
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda value: value)
    monkeypatch.setattr(multihost_utils, "sync_global_devices", lambda _: None)
    assert restore_newest(unfinished, program_of_runs).step == 30
    assert "checkpoints/40: the checkpoint cannot be read (process 1 could not)" in capfd.readouterr().err


def test_saves_without_a_validation_loss_are_no_warning(units, tmp_path, caplog):
    train(parse_config(run_config(units, validate_every=20, tokens=20 * 8 * 32)), tmp_path / "run")
    assert "tracked_metric" not in caplog.text
    assert load_model(tmp_path / "run", which="best")[1] == 20


def test_a_run_goes_on_from_before_the_damage_with_the_same_losses(unfinished, finished, units):
    zero_inside(unfinished / "checkpoints" / "40")
    train(parse_config(run_config(units)), unfinished)
    assert losses(unfinished) == losses(finished)
    starts = [json.loads(line) for line in (unfinished / "starts.jsonl").read_text().splitlines()]
    assert [start["step"] for start in starts] == [0, 30]


def test_nothing_is_removed_when_every_checkpoint_is_damaged(unfinished, units):
    for step in ("30", "40"):
        truncate(unfinished / "checkpoints" / step)
    with pytest.raises(InputError, match=r"checkpoints/30: .*and neither can those before it"):
        train(parse_config(run_config(units)), unfinished)
    assert sorted(path.name for path in (unfinished / "checkpoints").iterdir()) == ["30", "40"]


def test_a_model_is_loaded_from_the_checkpoint_before_a_damaged_one(unfinished, capfd):
    zero_inside(unfinished / "checkpoints" / "40")
    _, step = load_model(unfinished)
    assert step == 30
    assert "checkpoints/40: the checkpoint cannot be read" in capfd.readouterr().err
    with pytest.raises(InputError, match="checkpoints/40"):
        load_model(unfinished, which=40)


def test_a_checkpoint_of_an_older_version_goes_on(unfinished, finished, units):
    """It has neither checksums nor a position beside the arrays."""
    shutil.rmtree(unfinished / "checkpoints" / "40")
    shutil.rmtree(unfinished / "checkpoints" / "30" / "position")
    (unfinished / "checkpoints" / "30" / "files.json").unlink()
    train(parse_config(run_config(units)), unfinished)
    later = [row for row in losses(finished) if row[0] > 32]  # that of 32 was begun at 28
    assert [row for row in losses(unfinished) if row[0] > 32] == later


def test_a_checkpoint_of_another_place_in_the_data_is_refused(unfinished, units, tmp_path):
    train(parse_config(run_config(units, seed=1)), tmp_path / "other")
    for step in ("30", "40"):
        shutil.rmtree(unfinished / "checkpoints" / step)
        shutil.copytree(tmp_path / "other" / "checkpoints" / step, unfinished / "checkpoints" / step)
    with pytest.raises(InputError, match=r"another place in the data \(seed 1 there, 0 in this run\)"):
        train(parse_config(run_config(units)), unfinished)


def test_the_best_checkpoint_stays(units, tmp_path, monkeypatch):
    """A rate so high at the end that the run is best on the way."""
    monkeypatch.setattr(loop, "learning_rate", lambda *_: lambda step: np.where(step < 20, 1e-2, 1.0))
    config = parse_config(run_config(units, validate_every=8, keep_checkpoints=1))
    summary = train(config, tmp_path / "run")
    validated = {
        r["step"]: r["validation_loss"] for r in read_metrics(tmp_path / "run") if "validation_loss" in r
    }
    assert sorted(validated) == [8, 16, 24, 32, 40]
    best = min(validated, key=validated.get)
    assert best != 40
    assert summary["best_step"] == best
    assert summary["validation_loss"] == validated[40]
    assert load_model(tmp_path / "run", which="best")[1] == best
    assert load_model(tmp_path / "run")[1] == 40
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {str(best), "40"}


def test_without_validations_none_is_the_best(finished):
    with pytest.raises(InputError, match="no checkpoint has a validation loss"):
        load_model(finished, which="best")


def test_a_step_that_was_not_kept_is_named(finished):
    with pytest.raises(InputError, match=r"no checkpoint of step 7; there are 30, 40"):
        load_model(finished, which=7)
