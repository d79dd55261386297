"""What a run writes down of itself: rows of metrics, updates left out, a profile, Weights & Biases."""

import itertools
import shutil
import struct
import sys
import types

import jax
import numpy as np
import pytest
from small_run import run_config
from tensorboardX import event_file_writer
from tensorboardX.proto.event_pb2 import Event, SessionLog

from slm_jax.errors import InputError
from slm_jax.files import read_json
from slm_jax.model import TransformerConfig
from slm_jax.training import TrainingDiverged, parse_config, read_metrics, train
from slm_jax.training.checkpointing.position import Position
from slm_jax.training.reporting import flops
from slm_jax.training.reporting.meter import Meter
from slm_jax.training.reporting.metrics import MetricsLog
from slm_jax.training.step import Metrics


@pytest.fixture(scope="module")
def finished(units, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    return run_dir, train(parse_config(run_config(units)), run_dir)


def test_a_row_says_where_the_time_went(finished):
    run_dir, summary = finished
    rows = read_metrics(run_dir)
    assert [row["step"] for row in rows] == list(range(4, 41, 4))
    for row in rows:
        spent = row["data_seconds"] + row["compute_seconds"]
        assert row["tokens_per_second"] == pytest.approx(4 * 8 * 32 / spent)
    assert rows[0]["compile_seconds"] > 0
    assert [row["compile_seconds"] for row in rows[1:]] == [0.0] * 9
    assert sum(row["checkpoint_seconds"] for row in rows) > 0
    assert 0 < rows[-1]["goodput"] < 1
    assert summary["goodput"] == rows[-1]["goodput"]
    assert (summary["restarts"], summary["skipped_updates"]) == (0, 0)
    assert summary["tokens"] == summary["unique_tokens"] + summary["repeated_tokens"]
    assert summary["padding"] == 0


def test_the_utilization_is_of_the_published_peak(finished, units, tmp_path, monkeypatch):
    kind = jax.devices()[0].device_kind
    monkeypatch.setitem(flops.PEAK_FLOPS, kind, 1e12)
    _, summary = finished
    model = TransformerConfig(vocab_size=32, **run_config(units)["model"])
    per_token = 6 * summary["params"] + 12 * 2 * 16 * 32
    found = flops.model_flops_utilization(model, summary["params"], 32, 1e6)
    assert found == pytest.approx(per_token * 1e6 / 8e12)


def meter_of(*losses, may_skip):
    meter = Meter(Position(0, 0, 0, {}), may_skip)
    for step, loss in enumerate(losses, start=1):
        meter.sent(step, Metrics(*map(jax.numpy.float32, (loss, loss, 0.0, 1))))
    return meter


def test_updates_that_are_not_finite_have_no_part_in_the_means():
    meter = meter_of(1.0, np.nan, 3.0, np.inf, may_skip=2)
    meter.read(None)
    updates, means, _ = meter.take()
    assert (updates, means["loss"], meter.skipped) == (2, 2.0, 2)


def test_one_more_than_allowed_stops_the_run_and_names_it():
    meter = meter_of(1.0, np.nan, 3.0, np.inf, may_skip=1)
    with pytest.raises(
        TrainingDiverged,
        match=r"after 1 skipped updates, the loss is inf and the gradient's norm inf at step 4; "
        "the last good checkpoint is of step 3",
    ):
        meter.read(3)


def test_a_run_that_diverged_goes_on_where_it_is_with_updates_left_out(units, tmp_path, monkeypatch):
    original = Meter.sent

    def sent(meter, step, metrics):
        bad = metrics._replace(loss=jax.numpy.float32(np.nan))
        original(meter, step, bad if step == 8 else metrics)

    monkeypatch.setattr(Meter, "sent", sent)
    config = run_config(units, tokens=12 * 8 * 32, checkpoint_every=6)
    with pytest.raises(TrainingDiverged, match=r"of step 6; .*config\.skip_updates, or .* another --workdir"):
        train(parse_config(config), tmp_path / "run")
    summary = train(parse_config(config | {"skip_updates": 1}), tmp_path / "run")
    assert (summary["skipped_updates"], summary["restarts"]) == (1, 1)


def test_updates_left_out_are_counted_over_restarts(units, tmp_path, monkeypatch):
    config = parse_config(run_config(units, skip_updates=3, tokens=12 * 8 * 32, checkpoint_every=6))
    original = Meter.sent
    bad = {2, 5, 8}

    def sent(meter, step, metrics):
        if step in bad:
            metrics = metrics._replace(loss=jax.numpy.float32(np.nan))
        original(meter, step, metrics)

    monkeypatch.setattr(Meter, "sent", sent)
    summary = train(config, tmp_path / "run")
    assert summary["skipped_updates"] == 3
    (tmp_path / "run" / "summary.json").unlink()
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "12")
    bad.add(9)  # after the two up to step 6 and that of step 8
    with pytest.raises(TrainingDiverged, match="at step 9; the last good checkpoint is of step 6"):
        train(config, tmp_path / "run")


def test_a_row_of_skipped_updates_alone_has_their_count_and_the_validation(units, tmp_path, monkeypatch):
    original = Meter.sent

    def sent(meter, step, metrics):
        bad = metrics._replace(loss=jax.numpy.float32(np.nan))
        original(meter, step, bad if step == 6 else metrics)

    monkeypatch.setattr(Meter, "sent", sent)
    config = run_config(units, skip_updates=1, tokens=6 * 8 * 32, log_every=1, validate_every=6)
    summary = train(parse_config(config), tmp_path / "run")
    *_, before, last = read_metrics(tmp_path / "run")
    assert (before["step"], last["step"]) == (5, 6)
    assert "loss" not in last
    assert (last["skipped_updates"], last["validation_loss"]) == (1, summary["validation_loss"])
    assert (summary["skipped_updates"], summary["train_loss"]) == (1, before["loss"])


def test_a_run_that_skipped_every_update_ends_without_a_loss(units, tmp_path, monkeypatch):
    original = Meter.sent

    def sent(meter, step, metrics):
        original(meter, step, metrics._replace(loss=jax.numpy.float32(np.nan)))

    monkeypatch.setattr(Meter, "sent", sent)
    summary = train(parse_config(run_config(units, skip_updates=2, tokens=2 * 8 * 32)), tmp_path / "run")
    assert (summary["train_loss"], summary["tokens_per_second"], summary["mfu"]) == (None, None, None)
    assert summary["skipped_updates"] == 2


def test_a_run_whose_rows_were_lost_ends_with_what_its_last_checkpoint_tells(finished, units, tmp_path):
    shutil.copytree(finished[0], tmp_path / "run")
    for name in ("summary.json", "metrics.jsonl"):
        (tmp_path / "run" / name).unlink()
    summary = train(parse_config(run_config(units)), tmp_path / "run")
    assert summary["validation_loss"] == pytest.approx(finished[1]["validation_loss"], rel=1e-6)
    unknown = ("train_loss", "tokens_per_second", "mfu", "goodput", "skipped_updates")
    assert [summary[name] for name in unknown] == [None] * 5


def losses_shown(folder):
    """(step, loss) as TensorBoard shows them: it reads files in the order of their names, and at the start of
    a session drops what it has from the session's step on.
    """
    shown = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        while content:  # TFRecord: length, its checksum, the event, its checksum
            (length,) = struct.unpack("<Q", content[:8])
            event = Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]
            if event.session_log.status == SessionLog.START:
                shown = [(step, loss) for step, loss in shown if step < event.step]
            shown += [(event.step, v.simple_value) for v in event.summary.value if v.tag == "loss"]
    return shown


def test_rows_that_were_dropped_are_not_in_tensorboard_either(tmp_path, monkeypatch):
    clock = types.SimpleNamespace(time=itertools.count(10**9).__next__)  # a file is named by its second
    monkeypatch.setattr(event_file_writer, "time", clock)
    rows = [{"step": step, "loss": float(step)} for step in (4, 8, 12, 16)]
    with MetricsLog(tmp_path, []) as log:
        for row in rows[:3]:
            log.write(row)
    assert losses_shown(tmp_path / "tensorboard") == [(4, 4.0), (8, 8.0), (12, 12.0)]
    with MetricsLog(tmp_path, rows[:1]) as log:  # killed after step 12, and goes on from 6
        log.write({"step": 8, "loss": 8.5})
    assert losses_shown(tmp_path / "tensorboard") == [(4, 4.0), (8, 8.5)]
    with MetricsLog(tmp_path, []) as log:
        log.write(rows[0])
    assert losses_shown(tmp_path / "tensorboard") == [(4, 4.0)]


def test_some_updates_are_profiled(units, tmp_path):
    train(parse_config(run_config(units)), tmp_path / "run", profile=(3, 4))
    assert list((tmp_path / "run" / "profile").rglob("*.xplane.pb"))


@pytest.mark.parametrize("updates", [(0, 3), (5, 4), (41, 42)])
def test_updates_that_are_not_there_cannot_be_profiled(units, tmp_path, updates):
    with pytest.raises(InputError, match=r"of 1\.\.40"):
        train(parse_config(run_config(units)), tmp_path / "run", profile=updates)


def test_weights_and_biases_gets_every_row(units, tmp_path, monkeypatch):
    started, logged, finished = [], [], []
    session = types.SimpleNamespace(
        log=lambda row, step: logged.append((step, row)), finish=lambda: finished.append(True)
    )
    fake = types.ModuleType("wandb")
    fake.__spec__ = types.SimpleNamespace()
    fake.init = lambda **settings: started.append(settings) or session
    monkeypatch.setitem(sys.modules, "wandb", fake)
    train(parse_config(run_config(units, wandb="project")), tmp_path / "run")
    assert started[0]["project"] == "project"
    assert started[0]["config"]["context"] == 32
    assert [row for _, row in logged] == read_metrics(tmp_path / "run")
    assert finished


def test_without_weights_and_biases_the_way_to_it_is_named(units, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"config\.wandb is 'project', .* pip install wandb"):
        train(parse_config(run_config(units, wandb="project")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_mixture_with_packed_documents_is_reported(units, tmp_path):
    data = {"path": str(units), "also": (str(units),), "weights": (1.0, 3.0), "packing": "documents"}
    summary = train(parse_config(run_config(units, data=data, tokens=20 * 8 * 32)), tmp_path / "run")
    assert 0 < summary["padding"] < 1
    assert summary["tokens"] == round((1 - summary["padding"]) * 20 * 8 * 32)
    assert read_json(tmp_path / "run" / "config.json")["data"]["also"]
