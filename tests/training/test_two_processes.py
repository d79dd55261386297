"""Training in two real processes that talk through jax.distributed on this computer.

SLM_JAX_KILLS=20 kills them that often; twice by default.
"""

import json
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
from processes import finish, rows_so_far, start
from small_run import run_config

from slm_jax.training import load_model, parse_config, read_metrics, saved_steps, train

KILLS = int(os.environ.get("SLM_JAX_KILLS", "2"))
STEPS_A_KILL = 16
STEPS = STEPS_A_KILL * (KILLS + 1)


def losses(run_dir):
    return [(row["step"], row["loss"]) for row in read_metrics(run_dir)]


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(units, tmp_path):
    pair = start(run_config(units, mesh={"data": 2, "fsdp": -1}), tmp_path / "pair", processes=2, devices=2)
    printed = finish(pair)
    finish(start(run_config(units, mesh={"data": 2}), tmp_path / "alone", devices=2))
    assert printed[0] == printed[1]
    assert printed[0].split()[0] == "4"  # devices over both
    np.testing.assert_allclose(losses(tmp_path / "pair"), losses(tmp_path / "alone"), atol=1e-5)
    _, step = load_model(tmp_path / "pair")  # written by two processes, read by one
    assert step == 40


@pytest.mark.slow
def test_two_processes_killed_at_any_moment_end_with_the_same_losses(units, tmp_path):
    config = run_config(
        units, tokens=STEPS * 8 * 32, log_every=1, checkpoint_every=4, mesh={"data": 4, "fsdp": 2}
    )
    began = time.monotonic()
    finish(start(config | {"checkpoint_every": STEPS}, tmp_path / "undisturbed", processes=2, devices=4))
    duration = time.monotonic() - began
    run_dir, draw, while_training = tmp_path / "killed", random.Random(KILLS), 0
    for kill in range(KILLS):
        before = _reached(run_dir)
        pair = start(config, run_dir, processes=2, devices=4)
        if kill % 4 == 3:  # at any moment of a start
            time.sleep(draw.uniform(0, duration / 2))
        else:
            wanted = before + draw.randint(1, STEPS_A_KILL - 4)
            while _reached(run_dir) < wanted:
                if any(process.poll() for process in pair):
                    finish(pair)  # says why
                time.sleep(0.002)
        for process in draw.sample(pair, 2):
            process.kill()
            process.wait()
        while_training += _reached(run_dir) > before
    assert while_training >= KILLS * 2 // 3
    assert _reached(run_dir) < STEPS
    for name in ("one", "other"):
        shutil.copytree(run_dir, tmp_path / name)
    finish(start(config, run_dir, processes=2, devices=4))
    expected = losses(tmp_path / "undisturbed")
    assert losses(run_dir) == expected

    for name, mesh in {"one": {"data": 1}, "other": {"data": 2, "fsdp": 2, "tensor": 2}}.items():
        devices = int(np.prod(list(mesh.values())))
        finish(start(config | {"mesh": mesh}, tmp_path / name, devices=devices))
        *_, went_on = (json.loads(line)["step"] for line in (tmp_path / name / "starts.jsonl").open())
        assert went_on > 0
        found = losses(tmp_path / name)
        np.testing.assert_allclose(found[went_on : went_on + 5], expected[went_on : went_on + 5], atol=1e-5)


FAILS_TO_READ_STEP_40 = """
if process == "1":
    from slm_jax.training.checkpointing import restore
    read = restore._read
    def fail(folder, items):
        if folder.name == "40":
            raise OSError("no such block")
        return read(folder, items)
    restore._read = fail
"""


@pytest.mark.slow
def test_a_read_that_fails_in_one_process_makes_both_fall_back(units, tmp_path):
    config = run_config(units, mesh={"data": 8})
    train(parse_config(config), tmp_path / "run")
    expected = losses(tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    pair = start(config, tmp_path / "run", processes=2, devices=4, prepare=FAILS_TO_READ_STEP_40)
    finish(pair)
    *_, went_on = (json.loads(line)["step"] for line in (tmp_path / "run" / "starts.jsonl").open())
    assert went_on == 30
    assert (tmp_path / "run" / "damaged_checkpoints" / "40").is_dir()
    np.testing.assert_allclose(losses(tmp_path / "run"), expected, atol=1e-5)


CANNOT_READ_THE_SUMMARY = """
if process == "1":
    from slm_jax.training import loop
    def fail(path):
        raise OSError(f"{path}: not seen yet")
    loop.read_json = fail
"""


@pytest.mark.slow
def test_the_summary_is_what_the_first_process_has_written(units, tmp_path):
    config = run_config(units, tokens=8 * 8 * 32, mesh={"data": 2})
    for _ in ("trained", "found finished"):
        pair = start(config, tmp_path / "run", processes=2, prepare=CANNOT_READ_THE_SUMMARY)
        one, other = finish(pair)
        assert one == other
    assert len((tmp_path / "run" / "starts.jsonl").read_text().splitlines()) == 1


EIGHT_WINDOWS_FIT_ONE_OF_TWO = """
from slm_jax.training import micro_batch
micro_batch.memory_limit = lambda: 450e6
micro_batch._megabytes = lambda compiled, size: compiled(size) and size * {"0": 50, "1": 100}[process]
"""


@pytest.mark.slow
def test_processes_of_which_one_needs_more_memory_take_the_same_passes(units, tmp_path):
    """Else each would wait for the other in another place of its program."""
    config = run_config(units, tokens=8 * 8 * 32, mesh={"data": 2}, micro_batch=-1)
    pair = start(config, tmp_path / "run", processes=2, prepare=EIGHT_WINDOWS_FIT_ONE_OF_TWO)
    one, other = finish(pair)
    assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_when_one_of_two_is_killed_the_other_ends_and_the_run_can_go_on(units, tmp_path, victim):
    """JAX ends the survivor: no update can be made without the other's rows."""
    config = run_config(units, tokens=4000 * 8 * 32, log_every=1, mesh={"data": 2})
    pair = start(config, tmp_path / "run", processes=2)
    deadline = time.monotonic() + 200
    while not saved_steps(tmp_path / "run") and time.monotonic() < deadline:
        time.sleep(0.01)
    pair[victim].kill()
    _, errors = pair[1 - victim].communicate(timeout=200)
    pair[victim].communicate()
    assert pair[1 - victim].returncode != 0
    assert "another task died" in errors
    reached = _reached(tmp_path / "run")
    assert 10 <= reached < 4000

    pair = start(config, tmp_path / "run", processes=2)
    while _reached(tmp_path / "run") <= reached and time.monotonic() < deadline + 200:
        time.sleep(0.01)
    pair[0].send_signal(signal.SIGTERM)
    assert all("stopped and saved at step" in line for line in finish(pair))
    rows = read_metrics(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > reached
    went_on = [json.loads(line)["step"] for line in (tmp_path / "run" / "starts.jsonl").open()]
    assert went_on[0] == 0 and went_on[1] >= 10


def _reached(run_dir) -> int:
    return max((row["step"] for row in rows_so_far(run_dir)), default=0)
