"""Being asked to stop: the state is saved, the exit code is 0, and nothing is lost."""

import signal
import time

import jax
import pytest
from jax.experimental import multihost_utils
from processes import finish, rows_so_far, start
from small_run import run_config

from slm_jax.errors import Preempted
from slm_jax.training import parse_config, read_metrics, train, validation
from slm_jax.training.checkpointing.checkpoints import Checkpoints
from slm_jax.training.checkpointing.restore import validation_losses
from slm_jax.training.checkpointing.seals import find_damage
from slm_jax.training.preemption import Preemption
from slm_jax.training.reporting.meter import Meter


def losses(run_dir):
    return [(row["step"], row["loss"], row["update_norm"]) for row in read_metrics(run_dir)]


@pytest.fixture(scope="module")
def undisturbed(units, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    train(parse_config(run_config(units)), run_dir)
    return run_dir


@pytest.fixture
def signal_at(monkeypatch):
    """A function that has a signal arrive while an update is under way."""

    def arrange(step, name):
        original = Meter.sent

        def sent(meter, at, metrics):
            if at == step:
                monkeypatch.setattr(Meter, "sent", original)
                signal.raise_signal(name)
            original(meter, at, metrics)

        monkeypatch.setattr(Meter, "sent", sent)

    return arrange


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_step_it_finds_and_loses_nothing(units, undisturbed, tmp_path, signal_at, name):
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    signal_at(17, name)  # between two rows of metrics
    with pytest.raises(Preempted, match="stopped and saved at step 17 of 40"):
        train(parse_config(run_config(units)), tmp_path / "run")
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert (tmp_path / "run" / "checkpoints" / "17").is_dir()
    summary = train(parse_config(run_config(units)), tmp_path / "run")
    assert losses(tmp_path / "run") == losses(undisturbed)
    assert summary["restarts"] == 1


def test_a_signal_does_not_wait_for_a_validation(units, undisturbed, tmp_path, monkeypatch):
    config = parse_config(run_config(units, validate_every=8))

    def validate(*_, **__):
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("went on")

    monkeypatch.setattr(validation, "heldout_loss", validate)
    with pytest.raises(Preempted, match="saved at step 8 of 40"):
        train(config, tmp_path / "run")


def test_a_signal_between_an_update_and_its_validation_is_not_missed(units, tmp_path, monkeypatch):
    original = Meter.read

    def read(meter, last_checkpoint):
        signal.raise_signal(signal.SIGTERM)
        original(meter, last_checkpoint)

    monkeypatch.setattr(Meter, "read", read)
    monkeypatch.setattr(validation, "heldout_loss", lambda *_, **__: pytest.fail("validates"))
    with pytest.raises(Preempted, match="saved at step 8 of 40"):
        train(parse_config(run_config(units, validate_every=8, log_every=8)), tmp_path / "run")


def test_a_signal_while_the_last_checkpoint_is_written_is_not_missed(units, tmp_path, monkeypatch):
    original = Checkpoints.wait

    def wait(checkpoints):
        signal.raise_signal(signal.SIGTERM)
        original(checkpoints)

    monkeypatch.setattr(Checkpoints, "wait", wait)
    monkeypatch.setattr(validation, "heldout_loss", lambda *_, **__: pytest.fail("validates"))
    with pytest.raises(Preempted, match="after the last update"):
        train(parse_config(run_config(units)), tmp_path / "run")


def test_a_signal_ends_the_last_validation(units, tmp_path, monkeypatch):
    def validate(*_, **__):
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("went on")

    with monkeypatch.context() as patch:
        patch.setattr(validation, "heldout_loss", validate)
        with pytest.raises(Preempted, match="after the last update"):
            train(parse_config(run_config(units)), tmp_path / "run")
    assert train(parse_config(run_config(units)), tmp_path / "run")["validation_loss"] > 0


def validated(run_dir):
    return [
        (row["step"], row.get("loss"), row.get("validation_loss"), row["skipped_updates"])
        for row in read_metrics(run_dir)
    ]


@pytest.mark.parametrize("step", [8, 40])
def test_a_validation_that_was_broken_off_is_made_up_for(units, tmp_path, monkeypatch, step):
    """Once it is stopped, and once more at the next start; then the run is as if nothing had been."""
    config = parse_config(run_config(units, validate_every=8, log_every=5))
    undisturbed = train(config, tmp_path / "undisturbed")
    measure, calls = validation.heldout_loss, []

    def validate(*arguments, **options):
        calls.append(arguments)
        if len(calls) in (step // 8, step // 8 + 1):
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("went on")
        return measure(*arguments, **options)

    monkeypatch.setattr(validation, "heldout_loss", validate)
    with pytest.raises(Preempted, match=f"stopped and saved at step {step} of 40"):
        train(config, tmp_path / "run")
    assert step not in validation_losses(tmp_path / "run")
    with pytest.raises(Preempted, match=f"stopped at step {step}, before its validation"):
        train(config, tmp_path / "run")
    summary = train(config, tmp_path / "run")
    assert validated(tmp_path / "run") == validated(tmp_path / "undisturbed")
    assert summary["best_step"] == undisturbed["best_step"]
    assert summary["validation_loss"] == undisturbed["validation_loss"]


def test_a_checkpoint_with_a_validation_made_up_for_is_whole_and_can_be_the_best(units, tmp_path, signal_at):
    config = parse_config(run_config(units, validate_every=8))
    signal_at(8, signal.SIGTERM)
    with pytest.raises(Preempted, match="saved at step 8 of 40"):
        train(config, tmp_path / "run")
    assert not read_metrics(tmp_path / "run")[4:]  # of step 4 alone
    signal_at(12, signal.SIGTERM)
    with pytest.raises(Preempted, match="saved at step 12 of 40"):
        train(config, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints" / "8"
    assert validation_losses(tmp_path / "run").keys() == {8}
    assert find_damage(folder) is None
    (folder / "metrics" / "metrics").write_text("{}")
    assert "metrics/metrics has other bytes" in find_damage(folder)


def test_of_several_processes_a_later_run_goes_on_counting(monkeypatch):
    """JAX's service stops after one more than the largest number that any process has given."""
    given = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(multihost_utils, "reached_preemption_sync_point", given.append)
    for _ in ("a run", "another"):
        with Preemption() as preemption:
            for _ in range(3):
                preemption.reached()
    assert given == list(range(given[0], given[0] + 6))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_processes_that_are_asked_to_stop_exit_with_0(units, tmp_path, processes):
    """SIGTERM to one of them alone; all save the same step."""
    config = run_config(units, tokens=3000 * 8 * 32, checkpoint_every=10**6)
    started = start(config, tmp_path / "run", processes=processes, devices=2)
    deadline = time.monotonic() + 120
    while not rows_so_far(tmp_path / "run") and time.monotonic() < deadline:
        time.sleep(0.05)
    started[-1].send_signal(signal.SIGTERM)
    asked = time.monotonic()
    printed = finish(started)
    assert time.monotonic() - asked < 30
    (saved,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert all(f"stopped and saved at step {saved.name} of 3000" in line for line in printed)
    assert jax.process_count() == 1
