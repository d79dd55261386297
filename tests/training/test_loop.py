import contextlib
import dataclasses
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import types

import jax
import numpy as np
import pytest
from small_run import K, run_config

from slm_jax.errors import DiskFullError, InputError, WorkError
from slm_jax.model import TransformerConfig, count_parameters, make_mesh
from slm_jax.training import (
    TrainingDiverged,
    check_batch,
    load_model,
    parse_config,
    read_metrics,
    read_run_config,
    train,
    validation,
)
from slm_jax.training.checkpointing import checkpoints
from slm_jax.training.run_folder import claim


def losses(run_dir):
    return [(row["step"], row["loss"]) for row in read_metrics(run_dir)]


@pytest.fixture(scope="module")
def finished(units, tmp_path_factory):
    """An undisturbed run."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    summary = train(parse_config(run_config(units)), run_dir)
    return run_dir, summary


def test_the_validation_loss_is_of_the_validation_split(finished, units):
    from slm_jax.data import UnitDataset

    _, summary = finished
    lengths = UnitDataset(units).lengths("validation")
    assert summary["validation_tokens"] == (lengths + 1).sum()
    assert summary["validation_loss"] == pytest.approx(summary["train_loss"], abs=0.3)
    assert summary["validation_loss"] > np.log(2) * 0.8  # the noise of the walks cannot be predicted


BROKEN = OSError(errno.EIO, "Input/output error")
TOO_LITTLE_WRITTEN = ValueError("OUT_OF_RANGE: Failed to write")  # Tensorstore's, of a full disk too


@pytest.mark.parametrize(
    ("error", "free", "raised", "said"),
    [
        (BROKEN, [10**9] * 2, WorkError, r".*Input/output error\); run the same command again"),
        (TOO_LITTLE_WRITTEN, [10**9] * 2, WorkError, r"OUT_OF_RANGE: .*\); run the same command again"),
        (TOO_LITTLE_WRITTEN, [10**9, 1000], DiskFullError, r"the disk is full\); make room"),
        (ValueError("[No space left on device]"), [10**9], DiskFullError, r"the disk is full\); make room"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), [10**9], DiskFullError, "the disk is full"),
        (OSError(errno.ENOSPC, "No space left on device"), [10**9], DiskFullError, "the disk is full"),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_said(error, free, raised, said, units, tmp_path, monkeypatch):
    """`free` is the room before it is begun, and after it failed."""
    import orbax.checkpoint as ocp

    def fail(*_, **__):
        raise error

    usage, free = shutil.disk_usage(tmp_path), iter(free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=next(free)))
    monkeypatch.setattr(ocp.CheckpointManager, "save", fail)
    with pytest.raises(raised, match=rf"checkpoint could not be written \({said}") as caught:
        train(parse_config(run_config(units, tokens=2 * 8 * 32)), tmp_path / "run")
    assert caught.type is raised  # launchers do not start a full disk again


@pytest.mark.parametrize(("of", "left"), [("this process", r"0\.0"), ("another", r"0\.1")])
def test_a_checkpoint_a_disk_has_no_room_for_is_said_before_it_is_begun(
    of, left, units, tmp_path, monkeypatch
):
    usage = shutil.disk_usage(tmp_path)
    if of == "this process":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    else:
        monkeypatch.setattr(checkpoints, "largest", lambda missing: max(missing, 10.0))
    with pytest.raises(DiskFullError, match=rf"the disk has {left} MB left of the 0\.1 MB needed"):
        train(parse_config(run_config(units)), tmp_path / "run")
    assert not [path for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit()]


def test_a_run_learns_and_says_what_it_did(finished):
    run_dir, summary = finished
    rows = read_metrics(run_dir)
    assert rows[0]["loss"] > 3.0  # log 32 is 3.47
    assert rows[-1]["loss"] < 2.0  # two choices at each step, most of which it has found out
    assert summary["tokens"] == 40 * 8 * 32
    _, model, data = read_run_config(run_dir)
    assert summary["params"] == count_parameters(model)
    assert summary["flops"] == 6.0 * summary["params"] * summary["tokens"]
    assert model.vocab_size == K + 2
    assert summary["data"] == data
    assert {"jax", "flax", "python"} <= summary["versions"].keys()
    assert list((run_dir / "tensorboard").iterdir())


def test_the_trained_model_is_what_the_summary_says(finished, units):
    """The loaded model, not another: its loss on training windows is about the run's last."""
    from slm_jax.data import UnitDataset, Windows

    run_dir, summary = finished
    model, step = load_model(run_dir)
    assert step == 40
    windows = Windows(UnitDataset(units), "train", 32)
    tokens_BxT = np.stack([windows[index] for index in range(64)])
    logits = np.asarray(model(tokens_BxT[:, :-1]), np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    loglik = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    loss = -np.take_along_axis(loglik, tokens_BxT[:, 1:, None], axis=-1).mean()
    assert loss == pytest.approx(summary["train_loss"], abs=0.15)


def test_a_finished_run_is_not_trained_again(finished, units):
    run_dir, summary = finished
    before = (run_dir / "metrics.jsonl").stat().st_mtime_ns
    assert train(parse_config(run_config(units)), run_dir) == summary
    assert (run_dir / "metrics.jsonl").stat().st_mtime_ns == before


@pytest.mark.parametrize("lost", ["summary.json", "the last checkpoint"])
def test_going_on_from_a_checkpoint_gives_the_same_losses_bit_for_bit(finished, units, tmp_path, lost):
    run_dir = tmp_path / "run"
    shutil.copytree(finished[0], run_dir)
    (run_dir / "summary.json").unlink()
    if lost == "the last checkpoint":
        shutil.rmtree(run_dir / "checkpoints" / "40")
        with (run_dir / "metrics.jsonl").open("a") as file:
            file.write('{"step": 41, "lo')  # a process killed while writing
    train(parse_config(run_config(units)), run_dir)
    assert losses(run_dir) == losses(finished[0])


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_same_losses(units, tmp_path):
    """SIGKILL at three moments after start, then to the end, in processes of their own."""
    (tmp_path / "config.json").write_text(
        json.dumps(run_config(units, tokens=200 * 8 * 32, checkpoint_every=5))
    )
    program = (
        "import json, sys; from slm_jax.training import parse_config, train\n"
        "train(parse_config(json.load(open(sys.argv[1]))), sys.argv[2])"
    )
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1"}

    def start(run_dir):
        command = [sys.executable, "-c", program, str(tmp_path / "config.json"), str(run_dir)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    assert start(tmp_path / "undisturbed").wait(timeout=300) == 0
    reached = 0
    for _ in range(3):
        process = start(tmp_path / "killed")
        metrics = tmp_path / "killed" / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            steps = [row["step"] for row in _rows_so_far(metrics)]
            if steps and max(steps) > reached + 30:
                break
            time.sleep(0.02)
        reached = max(steps)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 30 < reached < 200  # it was killed on the way
    assert start(tmp_path / "killed").wait(timeout=300) == 0
    assert losses(tmp_path / "killed") == losses(tmp_path / "undisturbed")


def _rows_so_far(path: pathlib.Path) -> list[dict]:
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def test_a_checkpoint_restores_onto_another_mesh(finished, units, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished[0], run_dir)
    (run_dir / "summary.json").unlink()
    shutil.rmtree(run_dir / "checkpoints" / "40")
    train(parse_config(run_config(units, mesh={"data": 2, "fsdp": 2, "tensor": 2})), run_dir)
    found, expected = np.array(losses(run_dir)), np.array(losses(finished[0]))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_folder_of_another_run_is_refused(finished, units):
    with pytest.raises(InputError, match=r"train\.seed: 0 there, 1 now"):
        train(parse_config(run_config(units, seed=1)), finished[0])


@pytest.mark.parametrize("experts", [0, 2])
def test_the_micro_batch_of_a_run_with_experts_stays(units, tmp_path, experts):
    """It moves their balance loss; without experts it moves nothing but rounding."""
    config = run_config(units)
    config["model"] |= {"experts": experts}
    parsed = parse_config(config)
    model = TransformerConfig(vocab_size=K + 2, **dataclasses.asdict(parsed.model))
    claim(tmp_path, parsed, model, {})
    refused = pytest.raises(InputError, match=r"train\.micro_batch: 0 there, 4 now")
    with refused if experts else contextlib.nullcontext():
        claim(tmp_path, dataclasses.replace(parsed, micro_batch=4), model, {})


def test_a_run_begun_before_a_setting_existed_goes_on(finished, units, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished[0], run_dir)
    config = json.loads((run_dir / "config.json").read_text())
    for model in (config["model"], config["train"]["model"]):
        del model["kv_heads"], model["block"]
    (run_dir / "config.json").write_text(json.dumps(config))
    assert train(parse_config(run_config(units)), run_dir) == finished[1]


def test_a_batch_that_does_not_split_is_refused(units, tmp_path):
    with pytest.raises(InputError, match=r"config\.batch_size 6 .* multiple of 8"):
        train(parse_config(run_config(units, batch_size=6)), tmp_path / "run")


@pytest.mark.parametrize(("processes", "fits"), [([0, 0, 1, 1], True), ([0, 1, 0, 1], False)])
def test_rows_split_over_processes_are_refused(processes, fits):
    """A mesh of two processes of two devices: who reads a row feeds all its devices."""
    devices = np.array([types.SimpleNamespace(process_index=process) for process in processes])
    sizes = {"data": 2, "fsdp": 1, "tensor": 2, "context": 1}
    mesh = types.SimpleNamespace(shape=sizes, devices=devices.reshape(2, 1, 2, 1))
    refused = pytest.raises(InputError, match=r"tensor 2 x context 1 reaches over processes")
    with contextlib.nullcontext() if fits else refused:
        check_batch(4, 32, mesh)


def test_a_context_that_does_not_split_is_refused():
    mesh = make_mesh({"data": 4, "context": 2})
    check_batch(4, 32, mesh)
    with pytest.raises(InputError, match=r"config\.context 33 does not split evenly over .* 2; choose"):
        check_batch(4, 33, mesh)


def test_whether_to_validate_at_the_end_is_what_the_first_process_says(units, tmp_path, monkeypatch):
    """Else one process would wait for others in a validation that they have no need of."""
    monkeypatch.setattr(validation, "as_the_first_sees", lambda _: 1.5)  # this process does not see it yet
    monkeypatch.setattr(validation, "heldout_loss", lambda *_, **__: pytest.fail("validates"))
    summary = train(parse_config(run_config(units, tokens=2 * 8 * 32)), tmp_path / "run")
    assert summary["validation_loss"] == 1.5


def test_an_impossible_mesh_is_refused(units, tmp_path):
    with pytest.raises(InputError, match="does not fill the 8 available"):
        train(parse_config(run_config(units, mesh={"data": 3})), tmp_path / "run")


def test_a_run_without_a_checkpoint_is_named(tmp_path, finished):
    shutil.copytree(finished[0], tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(InputError, match="has no checkpoint"):
        load_model(tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_with_the_last_good_checkpoint(units, tmp_path):
    config = run_config(units, optimizer={"peak_rate": 1e30, "min_warmup_steps": 1, "clip": 1e30})
    with pytest.raises(TrainingDiverged, match=r"loss is .* step .* last good checkpoint"):
        train(parse_config(config), tmp_path / "run")
    assert not (tmp_path / "run" / "summary.json").exists()


def test_devices_are_eight():
    assert jax.device_count() == 8  # what the tests of meshes rest on
