"""Several workers of one machine: a killed one costs its run alone, and none outlives the parent."""

import functools
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from planned import finish, jobs_of, planned

from slm_jax.errors import InputError, WorkError
from slm_jax.files import read_json
from slm_jax.study import default_study, machine, parse_study
from slm_jax.study.machine import apart, shares, workers_for
from slm_jax.study.stopping import stops_on_sigterm
from slm_jax.study.workers import work_at_once

RUNS = [planned(name, tokens=tokens) for name, tokens in (("bad", 40), ("b", 30), ("c", 20), ("d", 10))]
# What a parent of workers that sleep runs, as a script of its own.
PARENT = """
import functools, pathlib, signal, sys
sys.path.insert(0, sys.argv[1])
import test_study_workers
signal.signal(signal.SIGINT, signal.default_int_handler)  # which the tests may have been started without
if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[2])
    jobs = test_study_workers.jobs_of(folder, test_study_workers.RUNS)
    test_study_workers.work_at_once(jobs, functools.partial(test_study_workers.work_slowly, folder), 2)
"""


def work(folder: pathlib.Path) -> None:
    """Is killed with the run "bad"."""
    jobs = jobs_of(folder, RUNS)

    def make(run):
        if run.name == "bad":
            print("about to die", file=sys.stderr)
            os.kill(os.getpid(), signal.SIGKILL)
        finish(jobs.folder, run)

    jobs.work(make, lambda run: None)


def work_slowly(folder: pathlib.Path) -> None:
    jobs = jobs_of(folder, RUNS)

    def make(run):
        (folder / f"{os.getpid()}.started").touch()
        try:
            time.sleep(60)
        finally:
            (folder / f"{os.getpid()}.saved").touch()

    with stops_on_sigterm("the study"):
        jobs.work(make, lambda run: None)


def die(folder: pathlib.Path) -> None:
    sys.exit("no such library")


@pytest.mark.slow
def test_a_killed_worker_fails_its_run_and_another_takes_its_place(tmp_path):
    jobs = jobs_of(tmp_path, RUNS)
    before = signal.getsignal(signal.SIGTERM)
    work_at_once(jobs, functools.partial(work, tmp_path), 2)
    assert [jobs.is_done(run) for run in RUNS] == [False, True, True, True]
    reason = read_json(jobs.folder.failure("bad"))["reason"]
    assert "its process ended with SIGKILL" in reason and "about to die" in reason
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_workers_that_cannot_even_start_end_the_work(tmp_path, capsys):
    with pytest.raises(WorkError, match=r"4 workers ended that had no run.* exit code 1; .*no such library"):
        work_at_once(jobs_of(tmp_path, RUNS), functools.partial(die, tmp_path), 1)
    assert capsys.readouterr().err.count("a worker that had no run ended with exit code 1") == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "saves", "code"),
    [
        (signal.SIGTERM, True, 1),  # Preempted, which slm makes exit code 0 of
        (signal.SIGINT, True, 1),
        (signal.SIGKILL, False, -signal.SIGKILL),
    ],
    ids=["SIGTERM", "Ctrl-C", "SIGKILL"],
)
def test_workers_end_with_their_parent(tmp_path, sent, saves, code):
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py"), str(pathlib.Path(__file__).parent), str(tmp_path)]
    parent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(started := list(tmp_path.glob("*.started"))) < 2 and parent.poll() is None:
        time.sleep(0.05)
    os.killpg(parent.pid, sent) if sent == signal.SIGINT else parent.send_signal(sent)  # Ctrl-C goes to all
    assert len(started) == 2, parent.communicate()[1]
    errors = parent.communicate(timeout=60)[1]
    assert parent.returncode in (code, -sent), errors
    for pid in (int(path.stem) for path in started):
        deadline = time.monotonic() + 30
        while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not pathlib.Path(f"/proc/{pid}").exists()
    assert len(list(tmp_path.glob("*.saved"))) == (2 if saves else 0)
    assert not list((tmp_path / "failed").glob("*")) if (tmp_path / "failed").exists() else True


@pytest.fixture
def accelerators(monkeypatch):
    """The device files that a machine has, and the software for them."""
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    for variable in machine.ACCELERATORS.values():
        monkeypatch.delenv(variable, raising=False)

    def have(pattern: str, count: int, software: bool = True) -> None:
        monkeypatch.setattr(machine, "find_spec", lambda name: name if software else None)
        monkeypatch.setattr(machine.glob, "glob", lambda asked: ["x"] * count if asked == pattern else [])

    return have


def test_workers_share_the_gpus(accelerators, monkeypatch):
    accelerators("/dev/nvidia[0-9]*", 4)
    assert shares(2) == [{"CUDA_VISIBLE_DEVICES": "0,1"}, {"CUDA_VISIBLE_DEVICES": "2,3"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert shares(2) == [{"CUDA_VISIBLE_DEVICES": "5"}, {"CUDA_VISIBLE_DEVICES": "7"}]
    with pytest.raises(InputError, match="--at-once is 3, but there are 2 accelerators"):
        shares(3)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert shares(3) == [{}, {}, {}]


def test_workers_share_the_chips_of_a_tpu_host(accelerators):
    accelerators("/dev/vfio/[0-9]*", 4)
    one = {"TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1", "TPU_PROCESS_BOUNDS": "1,1,1"}
    assert shares(4) == [{"TPU_VISIBLE_CHIPS": str(chip)} | one for chip in range(4)]
    accelerators("/dev/accel[0-9]*", 6)
    with pytest.raises(InputError, match="leaves 3 TPU chips"):
        shares(2)
    accelerators("/dev/accel[0-9]*", 8)
    assert shares(1) == [{"TPU_VISIBLE_CHIPS": "0,1,2,3,4,5,6,7"}]  # a whole host is as large as it is


def test_without_accelerators_there_is_nothing_to_share(accelerators):
    accelerators("/dev/none", 1)
    assert shares(2) == [{}, {}]


def test_a_gpu_that_jax_cannot_use_is_nothing_to_share(accelerators):
    accelerators("/dev/nvidia[0-9]*", 1, software=False)
    assert shares(4) == [{}] * 4


def test_with_accelerators_work_is_done_apart_and_its_result_comes_back(accelerators):
    accelerators("/dev/none", 1)
    assert apart(os.getpid, 1) == os.getpid()
    accelerators("/dev/nvidia[0-9]*", 4)
    assert apart(functools.partial(os.getenv, "CUDA_VISIBLE_DEVICES"), 2) == "0,1"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_machine_takes_a_worker_a_core_at_most_four(accelerators, monkeypatch):
    accelerators("/dev/none", 1)
    config = default_study()
    config.corpora.stories = {"kind": "grammar"}
    config.tokens.letters = {"kind": "text"}
    config.arms.text = {"corpus": "stories", "tokens": "letters"}
    for cores, expected in ((1, 1), (3, 3), (64, 4)):
        monkeypatch.setattr(machine, "available_cores", lambda cores=cores: cores)
        assert workers_for(parse_study(config), None) == expected
    assert workers_for(parse_study(config), 7) == 7
    with pytest.raises(InputError, match="--at-once is 0"):
        workers_for(parse_study(config), 0)
    accelerators("/dev/nvidia[0-9]*", 8)
    assert workers_for(parse_study(config), None) == 1
    accelerators("/dev/none", 1)
    config.mesh.data = 2  # a model over all devices
    assert workers_for(parse_study(config), None) == 1
