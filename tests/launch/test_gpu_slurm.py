"""What launch/gpu_slurm.sh asks of SLURM, and what the job it submits runs."""

import os
import shutil
import subprocess

import pytest
from recorded import ROOT, Recorded

TRAIN = ["--", "--config=configs/budgets/1e19.py:309M", "--workdir=/shared/my runs/309M"]


@pytest.fixture
def slurm(tmp_path):
    """The launcher in a checkout of its own, whose environment is there already."""
    shutil.copytree(ROOT / "launch", tmp_path / "launch")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "slm").touch(mode=0o755)
    tools = Recorded(tmp_path, "sbatch", "srun", "scontrol")
    tools.script = str(tmp_path / "launch" / "gpu_slurm.sh")
    return tools


def options(command: list[str]) -> set[str]:
    return {word for word in command if word.startswith("--") and word != "--wrap"}


def test_one_process_a_gpu(slurm):
    done = slurm.run(slurm.script, "--nodes", "2", "--gpus", "4", "--time", "12:00:00", *TRAIN)
    assert done.returncode == 0, done.stderr
    [command] = slurm.commands
    assert command[0] == "sbatch"
    assert options(command) == {
        "--job-name=slm_jax",
        "--nodes=2",
        "--ntasks-per-node=4",
        "--gpus-per-node=4",
        "--dependency=singleton",
        "--output=runs/slurm/%j.log",
        "--requeue",
        "--open-mode=append",
        "--signal=TERM@120",
        "--time=12:00:00",
        "--parsable",
    }


def test_the_job_runs_what_was_asked_for(slurm, tmp_path):
    assert slurm.run(slurm.script, *TRAIN).returncode == 0
    job = slurm.commands[0][-1]
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", job], env=os.environ | {"PATH": path}, stdin=subprocess.DEVNULL, check=True)
    slm = str(tmp_path / ".venv" / "bin" / "slm")
    assert slurm.commands[1] == ["srun", "--kill-on-bad-exit=1", slm, "train", "--distributed", *TRAIN[1:]]


def test_one_process_a_node_sees_all_its_gpus(slurm, tmp_path):
    assert slurm.run(slurm.script, "--per", "node", "--gpus", "4", *TRAIN).returncode == 0
    assert "--ntasks-per-node=1" in slurm.commands[0]
    assert "--gpus-per-node=4" in slurm.commands[0]
    (tmp_path / "bin" / "srun").write_text('#!/bin/sh\necho "$JAX_LOCAL_DEVICE_IDS"\n')
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    job = subprocess.run(
        ["sh", "-c", slurm.commands[0][-1]], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert job.stdout == "0,1,2,3\n"


def test_several_jobs_wait_for_each_other_and_other_options_are_passed_on(slurm):
    more = ["--jobs", "3", "--name", "309M", "--sbatch", "partition=gpu", "--sbatch", "cpus-per-task=8"]
    assert slurm.run(slurm.script, *more, *TRAIN).returncode == 0
    assert len(slurm.commands) == 3
    assert slurm.commands[0] == slurm.commands[1] == slurm.commands[2]
    assert {"--dependency=singleton", "--job-name=309M", "--partition=gpu", "--cpus-per-task=8"} <= options(
        slurm.commands[0]
    )


def test_the_job_of_a_run_that_was_asked_to_stop_is_not_done(slurm, tmp_path):
    assert slurm.run(slurm.script, *TRAIN).returncode == 0
    (tmp_path / "bin" / "srun").write_text('#!/bin/sh\nexit "${SLM_JAX_PREEMPTED_EXIT:-0}"\n')
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "SLURM_JOB_ID": "7"}
    job = subprocess.run(["sh", "-c", slurm.commands[0][-1]], env=environment, stdin=subprocess.DEVNULL)
    assert job.returncode == 143


SHOWN = """JobId=7 ArrayJobId=5 ArrayTaskId=3 JobName=slm_jax
   StartTime=2026-11-23T10:00:00 EndTime=2026-11-24T10:00:00 Deadline=N/A
   PreemptEligibleTime=2026-11-23T10:00:00 PreemptTime={}
   SuspendTime=None SecsPreSuspend=0 LastSchedEval=2026-11-23T10:00:00"""
PREEMPTED, TIME_LIMIT = "2026-11-23T11:00:00", "None"


@pytest.mark.parametrize(
    ("code", "preempted", "again"),
    [
        (143, PREEMPTED, True),
        (137, PREEMPTED, True),  # of the processes one was still ending when srun ended it
        (143, TIME_LIMIT, False),
        (0, PREEMPTED, False),
        (2, PREEMPTED, False),
        (1, TIME_LIMIT, False),
    ],
)
@pytest.mark.parametrize(("array", "number"), [("", "7"), ("5", "5_3")])
def test_a_preempted_job_that_ended_is_queued_again(tmp_path, code, preempted, again, array, number):
    answers = [("slm", "", code), (f"show job {number}", SHOWN.format(preempted), 0)]
    tools = Recorded(tmp_path, "srun", "scontrol", answers=answers)
    place = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": array and "3"}
    done = tools.run("slurm_job.sh", "srun", "slm", "train", **place)
    assert done.returncode == code
    assert tools.commands[0] == ["srun", "slm", "train"]
    assert (["scontrol", "requeue", number] in tools.commands) == again
    assert sum("requeue" in command for command in tools.commands) == again


STUDY = ["--", "--config=configs/studies/smoke.py", "--workdir=/shared/my study", "--config.seed=1"]


def test_a_study_is_prepared_worked_on_by_an_array_and_reported(slurm, tmp_path):
    (tmp_path / "answers.json").write_text('[["slm_jax-prepare", "11;cluster", 0], ["--array", "12", 0]]')
    done = slurm.run(slurm.script, "--study", "16", "--gpus", "2", "--jobs", "2", "--time", "4:00:00", *STUDY)
    assert done.returncode == 0, done.stderr
    prepare, first, second, report = slurm.commands
    assert {"--job-name=slm_jax-prepare", "--nodes=1", "--ntasks-per-node=1"} <= options(prepare)
    assert not [word for word in prepare if word.startswith(("--dependency", "--array"))]
    workers = {"--array=1-16", "--ntasks-per-node=2", "--gpus-per-node=2", "--kill-on-invalid-dep=yes"}
    assert workers | {"--dependency=afterok:11", "--time=4:00:00"} <= options(first)
    assert workers | {"--dependency=afterany:12"} <= options(second)
    assert {"--job-name=slm_jax-report", "--dependency=afterany:12"} <= options(report)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for job in (prepare, first, report):
        environment = os.environ | {"PATH": path}
        subprocess.run(["sh", "-c", job[-1]], env=environment, stdin=subprocess.DEVNULL, check=True)
    slm = ["srun", "--kill-on-bad-exit=1", str(tmp_path / ".venv" / "bin" / "slm"), "study"]
    assert slurm.commands[4:] == [
        [*slm, "prepare", *STUDY[1:]],
        [*slm, "train", "--distributed", "--workdir=/shared/my study"],
        [*slm, "report", "--workdir=/shared/my study"],
    ]
