"""What launch/tpu_pod.sh has gcloud do as a slice comes and goes, and what the hosts of the slice then do."""

import pathlib
import shutil
import subprocess
import tarfile
import time

import pytest
from recorded import ROOT, Recorded

SLICE = ["--name", "first", "--zone", "us-east5-a"]
CREATE = ["--type", "v6e-32", "--version", "v2-alpha-tpuv6e", "--spot"]
TRAIN = ["--", "--config=configs/budgets/1e20.py:309M", "--workdir=bucket/my runs/309M"]
VM, QUEUE, LOOK, FOLLOW = "tpu-vm list", "queued-resources list", "ssh look", "ssh follow"

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the launcher packs a git checkout")


def launch(folder: pathlib.Path, answers, *arguments: str):
    gcloud = Recorded(folder, "gcloud", answers=answers)
    return gcloud.run("tpu_pod.sh", *SLICE, *arguments, *TRAIN), gcloud


def verbs(gcloud: Recorded) -> list[str]:
    """The calls that change or show something, each as one word."""
    words = []
    for command in gcloud.commands:
        assert command[:3] == ["gcloud", "compute", "tpus"]
        assert "--zone=us-east5-a" in command
        _, _, _, group, verb, *rest = command
        if verb == "ssh":
            sent = next(word for word in rest if word.startswith("--command="))
            verb = (
                sent.partition("tpu_host.sh ")[2].split()[0].rstrip(";")
                if "tpu_host.sh" in sent
                else "unpack"
            )
        if verb != "list":
            words.append(verb if group == "tpu-vm" else f"queue {verb}")
    return words


PREPARE = ["scp", "unpack", "install"]


def test_a_slice_that_is_there_is_used(tmp_path):
    answers = [(VM, "READY", 0), (LOOK, "none", 0), (LOOK, "0", 0)]
    done, gcloud = launch(tmp_path, answers)
    assert done.returncode == 0, done.stderr
    assert verbs(gcloud) == ["look", *PREPARE, "start", "follow", "look"]
    start = next(command for command in gcloud.commands if any(" start " in word for word in command))
    assert "--worker=all" in start
    assert (
        "--command=bash slm_jax/launch/tpu_host.sh start train --distributed "
        r"--config=configs/budgets/1e20.py:309M --workdir=bucket/my\ runs/309M" in start
    )
    follow = next(command for command in gcloud.commands if any(" follow" in word for word in command))
    assert "--worker=0" in follow


def test_the_checkout_travels_without_what_git_ignores(tmp_path):
    done, gcloud = launch(tmp_path, [(VM, "READY", 0), (LOOK, "none", 0), (LOOK, "0", 0)])
    assert done.returncode == 0, done.stderr
    scp = next(command for command in gcloud.commands if "scp" in command)
    assert scp[5:] == [
        str(tmp_path / "slm_jax-first.tar.gz"), "first:slm_jax.tar.gz", "--worker=all", "--zone=us-east5-a",
    ]  # fmt: skip
    with tarfile.open(scp[5]) as archive:
        names = archive.getnames()
    assert {"setup.cfg", "launch/tpu_host.sh", "slm_jax/__init__.py"} <= set(names)
    assert not [name for name in names if name.startswith((".git/", ".venv", "runs/"))]


def test_a_slice_is_asked_for_and_waited_for(tmp_path):
    answers = [
        (VM, "", 0), (VM, "", 0), (VM, "", 0), (VM, "READY", 0),
        (QUEUE, "", 0), (QUEUE, "WAITING_FOR_RESOURCES", 0),
        (LOOK, "0", 0),
    ]  # fmt: skip
    done, gcloud = launch(tmp_path, answers, *CREATE, "--bucket", "speech", "--setup", "echo hello there")
    assert done.returncode == 0, done.stderr
    assert verbs(gcloud) == ["queue create", *PREPARE, "mount", "unpack", "start", "follow", "look"]
    assert gcloud.commands[3][3:] == [
        "queued-resources", "create", "first", "--node-id=first", "--accelerator-type=v6e-32",
        "--runtime-version=v2-alpha-tpuv6e", "--spot", "--zone=us-east5-a",
    ]  # fmt: skip
    assert "queued resource WAITING_FOR_RESOURCES" in done.stderr
    sent = [word for command in gcloud.commands for word in command if word.startswith("--command=")]
    assert "--command=bash slm_jax/launch/tpu_host.sh mount speech" in sent
    assert "--command=echo hello there" in sent


def test_a_preempted_slice_is_asked_for_again_and_the_run_goes_on(tmp_path):
    answers = [
        (VM, "READY", 0), (VM, "READY", 0), (VM, "PREEMPTED", 0), (VM, "PREEMPTED", 0), (VM, "READY", 0),
        (QUEUE, "SUSPENDED", 0),
        (LOOK, "none", 0), (LOOK, "0", 0),
        (FOLLOW, "", 255), (FOLLOW, "", 0),
    ]  # fmt: skip
    done, gcloud = launch(tmp_path, answers, *CREATE)
    assert done.returncode == 0, done.stderr
    run = [*PREPARE, "start", "follow"]
    assert verbs(gcloud) == ["look", *run, "queue delete", "queue create", *run, "look"]
    assert "the run ended: PREEMPTED; restart 1 of 10" in done.stderr
    delete = next(command for command in gcloud.commands if "delete" in command)
    assert {"--force", "--quiet"} <= set(delete)


def test_a_run_that_goes_on_is_shown_and_not_started_again(tmp_path):
    done, gcloud = launch(tmp_path, [(VM, "READY", 0), (LOOK, "going", 0), (LOOK, "0", 0)])
    assert done.returncode == 0
    assert verbs(gcloud) == ["look", "follow", "look"]


def test_a_broken_connection_is_no_restart(tmp_path):
    answers = [
        (VM, "READY", 0), (LOOK, "going", 0), (LOOK, "", 255), (LOOK, "going", 0), (LOOK, "0", 0),
        (FOLLOW, "", 255),
    ]  # fmt: skip
    done, gcloud = launch(tmp_path, answers)
    assert done.returncode == 0
    assert set(verbs(gcloud)) == {"look", "follow"}
    assert "the run is unreachable" in done.stderr


@pytest.mark.parametrize(("outcome", "code", "starts"), [("2", 2, 1), ("1", 1, 3), ("143", 1, 3)])
def test_bad_input_is_not_tried_again_but_a_failure_is(tmp_path, outcome, code, starts):
    answers = [
        (VM, "READY", 0),
        (LOOK, "none", 0),
        (LOOK, outcome, 0),
        (LOOK, outcome, 0),
        (LOOK, outcome, 0),
    ]
    done, gcloud = launch(tmp_path, answers, "--restarts", "2")
    assert done.returncode == code
    assert verbs(gcloud).count("start") == starts
    assert ("no restart is left of 2" in done.stderr) == (code == 1)


@pytest.mark.parametrize(
    ("answers", "arguments", "message"),
    [
        ([(VM, "", 0)], [], "TPU VM first in us-east5-a is none; give --type and --version"),
        ([(VM, "", 1)], [], "gcloud cannot list or reach first in us-east5-a"),
        ([(VM, "", 0), (QUEUE, "FAILED", 0)], CREATE, "queued resource first failed"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, answers, arguments, message):
    done, gcloud = launch(tmp_path, answers, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert verbs(gcloud) == []


def test_a_dry_run_prints_each_command(tmp_path):
    done, gcloud = launch(tmp_path, [], "--dry-run", *CREATE, "--bucket", "speech")
    assert gcloud.commands == []
    words = " ".join(line.split("--zone")[0] for line in done.stdout.splitlines())
    places = [words.index(word) for word in ("create", "scp", "install", "mount", "start", "follow", "look")]
    assert places == sorted(places)


@pytest.fixture
def host(tmp_path):
    """`host(verb, ...)` runs launch/tpu_host.sh in a checkout whose slm prints its words and ends with 3."""
    shutil.copytree(ROOT / "launch", tmp_path / "launch")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    slm = tmp_path / ".venv" / "bin" / "slm"
    slm.write_text('#!/bin/sh\necho "$@"\nwhile [ ! -e stop ]; do sleep 0.1; done\nexit 3\n')
    slm.chmod(0o755)
    command = ["bash", str(tmp_path / "launch" / "tpu_host.sh")]

    def run(*words):
        return subprocess.run([*command, *words], capture_output=True, text=True, timeout=20).stdout

    yield run
    (tmp_path / "stop").touch()


@pytest.mark.skipif(not shutil.which("setsid"), reason="the hosts run Linux")
def test_a_run_outlives_the_command_that_started_it_and_leaves_its_exit_code(host, tmp_path):
    assert host("look") == "none\n"
    host("start", "study", "train", "--distributed", "--workdir=my runs")
    assert host("look") == "going\n"
    (tmp_path / "stop").touch()
    assert host("follow") == "study train --distributed --workdir=my runs\n"
    deadline = time.monotonic() + 10
    while host("look") == "going\n" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert host("look") == "3\n"


@pytest.mark.skipif(not shutil.which("setsid"), reason="the hosts run Linux")
def test_a_run_that_was_asked_to_stop_is_not_done(host, tmp_path):
    (tmp_path / ".venv" / "bin" / "slm").write_text('#!/bin/sh\nexit "${SLM_JAX_PREEMPTED_EXIT:-0}"\n')
    host("start", "train")
    deadline = time.monotonic() + 10
    while host("look") == "going\n" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert host("look") == "143\n"


def ends(process: int, seconds: float = 20.0) -> bool:
    """Whether a process that was killed is gone, which a busy machine takes a moment for."""
    status = pathlib.Path(f"/proc/{process}/stat")
    for _ in range(int(seconds / 0.1)):
        try:
            if status.read_text().split()[2] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not shutil.which("setsid"), reason="the hosts run Linux")
def test_a_new_start_ends_what_an_earlier_one_left(host, tmp_path):
    host("start", "train", "first")
    first = int((tmp_path / "train.pid").read_text())
    host("start", "train", "second")
    assert host("look") == "going\n"
    assert int((tmp_path / "train.pid").read_text()) != first
    assert ends(first)
    (tmp_path / "stop").touch()
    assert host("follow") == "train second\n"
