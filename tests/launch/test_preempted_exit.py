"""SLM_JAX_PREEMPTED_EXIT: what a launcher that restarts is told by work that was asked to stop."""

import pytest

from slm_jax import cli
from slm_jax.cli import studies
from slm_jax.errors import Preempted

NAME = "SLM_JAX_PREEMPTED_EXIT"
WORKER = ["study", "train", "--workdir=runs/first"]


@pytest.fixture
def stopped(monkeypatch):
    """`slm study train`, asked to stop."""

    def stop(options):
        raise Preempted("runs/first: stopped and saved at step 17 of 40")

    monkeypatch.setattr(studies, "_train", stop)


@pytest.mark.parametrize(("given", "code"), [(None, 0), ("0", 0), ("143", 143)])
def test_it_is_the_exit_code_of_work_that_was_asked_to_stop(stopped, given, code, monkeypatch, capsys):
    monkeypatch.delenv(NAME, raising=False)
    if given:
        monkeypatch.setenv(NAME, given)
    assert cli.main(WORKER) == code
    assert capsys.readouterr().err == (
        "slm: runs/first: stopped and saved at step 17 of 40; the same command goes on\n"
    )


def test_work_that_is_done_ends_with_0(monkeypatch):
    monkeypatch.setattr(studies, "_train", lambda options: None)
    monkeypatch.setenv(NAME, "143")
    assert cli.main(WORKER) == 0


@pytest.mark.parametrize("given", ["", "yes", "-1", "256"])  # 256 would be 0 for who waits for the process
def test_what_is_no_exit_code_is_said_before_the_work(given, monkeypatch, capsys):
    monkeypatch.setattr(studies, "_train", lambda options: pytest.fail("has begun"))
    monkeypatch.setenv(NAME, given)
    assert cli.main(WORKER) == 2
    assert f"SLM_JAX_PREEMPTED_EXIT is '{given}': give an exit code" in capsys.readouterr().err
