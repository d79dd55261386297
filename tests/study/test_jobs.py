"""Runs as jobs: each is made by one worker, a failure stops no other, and branches wait for their trunk."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from planned import finish, jobs_of, planned

from slm_jax.errors import DiskFullError, InputError, Preempted, WorkError
from slm_jax.files import read_json
from slm_jax.study import jobs as jobs_module
from slm_jax.study.holding import RunLock, worker_name
from slm_jax.training import TrainingDiverged

HOLDER = """
import sys, time, types
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.jobs import Jobs
run = PlannedRun("a", "12k", 1e9, 1000, 1000, 100, 6e6)
def make(run):
    print("took", flush=True)
    time.sleep(60)
Jobs(StudyFolder(sys.argv[1]), [run], lambda arm: []).work(make, print)
"""

VICTIM = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[2])
from planned import finish, jobs_of, planned
jobs = jobs_of(pathlib.Path(sys.argv[1]), [planned("deadly", tokens=9), planned("a")])
def make(run):
    if run.name == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    finish(jobs.folder, run)
jobs.work(make, lambda run: None)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(jobs_module, "POLL_SECONDS", 0.01)


def work(jobs, make=None) -> list[str]:
    """Names of the runs that a worker made, in its order."""
    made = []

    def note(run):
        made.append(run.name)
        (make or finish_of(jobs))(run)

    jobs.work(note, lambda run: None)
    return made


def killed_with(run, jobs, *lines: str) -> None:
    """Leaves what workers that were killed with a run leave."""
    path = jobs.folder.path / "locks" / run.name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def finish_of(jobs):
    return lambda run: finish(jobs.folder, run)


def test_the_longest_is_taken_first_and_what_is_done_is_left_alone(tmp_path):
    jobs = jobs_of(tmp_path, [planned("a", tokens=10), planned("b", tokens=30), planned("c", tokens=20)])
    assert len(jobs.free()) == 3 and not any(tmp_path.iterdir())  # who looks writes nothing
    assert work(jobs) == ["b", "c", "a"]
    assert work(jobs) == []
    jobs.folder.score("c", "minimal_pairs").unlink()  # as when a task is added
    assert work(jobs) == ["c"]


def test_many_workers_make_every_run_once(tmp_path):
    jobs = jobs_of(tmp_path, [planned(f"r{i}", tokens=i + 1) for i in range(20)])
    made, lock = [], threading.Lock()

    def make(run):
        with lock:
            made.append(run.name)
        time.sleep(0.005)
        finish(jobs.folder, run)

    workers = [threading.Thread(target=jobs.work, args=(make, lambda run: None)) for _ in range(4)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        jobs.free()  # who only looks takes nothing from anybody
    assert sorted(made) == sorted(run.name for run in jobs.runs)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WorkError("the loss is nan at step 41"), "WorkError: the loss is nan at step 41"),
        (
            RuntimeError("RESOURCE_EXHAUSTED:\n out of memory"),
            "RuntimeError: RESOURCE_EXHAUSTED: out of memory",
        ),
    ],
)
def test_a_failure_is_noted_and_stops_no_other(tmp_path, error, reason):
    jobs = jobs_of(tmp_path, [planned("a", tokens=3000), planned("b"), planned("c")])

    def make(run):
        if run.name == "a":
            raise error
        finish(jobs.folder, run)

    assert work(jobs, make) == ["a", "b", "c"]
    assert read_json(jobs.folder.failure("a")) == {"name": "a", "reason": reason}
    assert not jobs.is_held(jobs.runs[0])
    assert work(jobs, make) == []


def test_a_worker_that_fails_run_after_run_ends_and_leaves_the_rest(tmp_path):
    jobs = jobs_of(tmp_path, [planned(name, tokens=99 - i) for i, name in enumerate("abcdefg")])
    errors = {name: RuntimeError(f"INTERNAL: illegal address {name}") for name in "acdfg"}
    errors["b"] = None
    errors["e"] = TrainingDiverged("the loss is nan")  # says nothing of the worker, for or against it

    def make(run):
        if errors[run.name]:
            raise errors[run.name]
        finish(jobs.folder, run)

    message = r"3 runs in a row .*\(c .*illegal address c\), d .*, f .*illegal address f\)"
    with pytest.raises(WorkError, match=message) as raised:
        work(jobs, make)
    assert "illegal address a" not in str(raised.value)  # b was made after it
    assert [run.name for run in jobs.runs if jobs.is_failed(run)] == ["a", "c", "d", "e", "f"]
    assert jobs.free() == [jobs.runs[-1]] and work(jobs) == ["g"]


def test_models_too_large_for_the_memory_end_no_worker(tmp_path):
    jobs = jobs_of(tmp_path, [planned(name, tokens=99 - i) for i, name in enumerate("abcd")])
    errors = [RuntimeError("RESOURCE_EXHAUSTED: out of memory"), MemoryError(), RuntimeError("INTERNAL")]

    def make(run):
        if errors:
            raise errors.pop()
        finish(jobs.folder, run)

    assert work(jobs, make) == ["a", "b", "c", "d"] and jobs.is_done(jobs.runs[3])


@pytest.mark.parametrize(
    "error",
    [
        Preempted("asked to"),
        KeyboardInterrupt(),
        OSError(errno.ENOSPC, "full"),
        DiskFullError("the checkpoint could not be written (the disk is full)"),
    ],
)
def test_being_stopped_is_no_failure(tmp_path, error):
    jobs = jobs_of(tmp_path, [planned("a"), planned("b")])

    def make(run):
        raise error

    with pytest.raises(type(error)):
        work(jobs, make)
    assert not jobs.is_failed(jobs.runs[0]) and jobs.free() == jobs.runs


def test_branches_wait_for_their_trunk(tmp_path):
    trunk, branch = planned("trunk", tokens=10), planned("branch", tokens=1000, trunk="trunk", shared_steps=9)
    jobs, made = jobs_of(tmp_path, [branch, trunk]), []
    with RunLock(jobs.folder, trunk.name).locked():  # another worker's
        worker = threading.Thread(target=lambda: made.extend(work(jobs)))
        worker.start()
        time.sleep(0.2)
        assert made == [] and worker.is_alive() and not jobs.is_done(branch)
        finish(jobs.folder, trunk)
    worker.join()
    assert made == ["branch"]


def test_branches_of_a_trunk_that_failed_are_made_alone(tmp_path):
    trunk = planned("trunk", tokens=10)
    branches = [planned(name, trunk="trunk", shared_steps=5) for name in ("one", "two")]
    jobs = jobs_of(tmp_path, [*branches, trunk])

    def make(run):
        if run is trunk:
            raise WorkError("diverged")
        finish(jobs.folder, run)

    assert work(jobs, make) == ["trunk", "one", "two"]


def test_a_run_of_a_killed_worker_is_free_and_says_whose_it_was(tmp_path):
    jobs = jobs_of(tmp_path, [planned("a")])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "took\n"
    assert jobs.is_held(jobs.runs[0]) and jobs.free() == []
    assert work(jobs) == []  # it is another's
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert jobs.free() == jobs.runs
    assert jobs.held_by(worker_name(holder.pid)) == jobs.runs[0]
    assert jobs.held_by(worker_name()) is None
    assert work(jobs) == ["a"]
    assert jobs.held_by(worker_name(holder.pid)) is None


def test_a_dead_worker_of_the_same_number_is_another(tmp_path):
    jobs = jobs_of(tmp_path, [planned("a", tokens=1), planned("b", tokens=9)])
    killed_with(jobs.runs[0], jobs, f"{worker_name()} at step 0")

    def make(run):
        assert jobs.held_by(worker_name()) == run
        finish(jobs.folder, run)

    assert work(jobs, make) == ["b", "a"] and not list((tmp_path / "failed").glob("*"))


def test_a_run_that_another_takes_at_once_is_still_the_dead_worker_s(tmp_path):
    jobs = jobs_of(tmp_path, [planned("a"), planned("b", tokens=1)])
    killed_with(jobs.runs[0], jobs, "1 on here at step 0")

    def make(run):
        if run.name == "a":
            assert jobs.held_by("1 on here") == jobs.held_by(worker_name()) == run
            jobs.fail(run, "its process ended with SIGKILL")  # as the dead worker's parent says
        finish(jobs.folder, run)

    assert work(jobs, make) == ["a", "b"]
    assert not jobs.is_failed(jobs.runs[0]) and jobs.held_by("1 on here") is None


@pytest.mark.parametrize("second", ["2 on elsewhere", worker_name()], ids=["another", "of the same number"])
def test_a_run_that_two_workers_were_killed_with_fails(tmp_path, second, capsys):
    jobs = jobs_of(tmp_path, [planned("a"), planned("trunk", tokens=9), planned("branch", trunk="trunk")])
    killed_with(jobs.runs[0], jobs, "1 on elsewhere at step 0")
    killed_with(jobs.runs[1], jobs, "1 on elsewhere at step 0", f"{second} at step 0")
    assert work(jobs) == ["a", "branch"]
    reason = read_json(jobs.folder.failure("trunk"))["reason"]
    assert "2 workers were killed with it before it got further (1 on elsewhere at step 0; " in reason
    assert second in reason and "slm study prepare" in reason
    assert f"trunk failed: {reason}" in capsys.readouterr().err


def test_a_run_that_gets_further_each_time_is_gone_on_with(tmp_path):
    jobs = jobs_of(tmp_path, [planned("a")])
    killed_with(jobs.runs[0], jobs, *(f"{number} on here at step {10 * number}" for number in range(5)))
    (jobs.folder.run("a") / "checkpoints" / "40").mkdir(parents=True)
    assert work(jobs) == ["a"]


def test_failures_and_killed_workers_are_forgotten_together(tmp_path):
    jobs = jobs_of(tmp_path, [planned("a"), planned("b", tokens=9)])
    for run in jobs.runs:
        killed_with(run, jobs, "1 on here at step 0", "2 on here at step 0")
    jobs.fail(jobs.runs[0], "2 workers were killed with it")
    with RunLock(jobs.folder, "b").locked() as file, RunLock(jobs.folder, "b").signed(file, step=0):
        jobs.forget_failures()
        assert jobs.held_by(worker_name()) == jobs.runs[1]  # who is at it stays
        assert work(jobs) == ["a"]
    assert work(jobs) == ["b"]


@pytest.mark.slow
def test_a_run_that_kills_whoever_takes_it_is_left_out_by_the_third(tmp_path):
    jobs, codes = jobs_of(tmp_path, [planned("deadly", tokens=9), planned("a")]), []
    for _ in range(3):
        command = [sys.executable, "-c", VICTIM, str(tmp_path), os.path.dirname(__file__)]
        codes.append(subprocess.run(command, check=False).returncode)
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert jobs.is_failed(jobs.runs[0]) and jobs.is_done(jobs.runs[1])


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match=r"locks/a: the file system has no locks \(No locks available\)"):
        work(jobs_of(tmp_path, [planned("a")]))
