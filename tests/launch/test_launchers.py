"""What all launchers share: help, checks of their input, dry runs that call nothing, and clean shell."""

import pathlib
import shutil
import subprocess
import sysconfig

import pytest
from recorded import ROOT, Recorded

TRAIN = ["--", "--config=configs/cpu_small.py", "--workdir=runs/a b"]
GPU = ["--gpu", "nvidia-h100-80gb", "--devices", "8"]
GKE = ["--name", "first", "--image", "registry/slm_jax", "--claim", "shared"]
TPU = ["--name", "first", "--zone", "us-east5-a", "--type", "v6e-32", "--version", "v2-alpha-tpuv6e"]
LAUNCHERS = {
    "local_multiprocess.sh": [],
    "gpu_slurm.sh": [],
    "gke_jobset.sh": [*GKE, *GPU],
    "tpu_pod.sh": TPU,
}


@pytest.fixture
def tools(tmp_path):
    return Recorded(tmp_path, "gcloud", "kubectl", "sbatch", "srun", "slm")


def test_shellcheck_finds_nothing():
    shellcheck = pathlib.Path(sysconfig.get_path("scripts"), "shellcheck")
    scripts = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "launch").glob("*.sh"))
    found = subprocess.run([shellcheck, "-x", *scripts], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout == ""
    assert found.returncode == 0


@pytest.mark.parametrize("script", LAUNCHERS)
def test_help_shows_every_option(script, tools):
    help = tools.run(script, "--help")
    assert help.returncode == 0
    assert f"bash launch/{script}" in help.stdout
    text = (ROOT / "launch" / script).read_text()
    options = {line.split(")")[0].strip() for line in text.splitlines() if line.startswith("        --")}
    for option in {word for words in options - {"--"} for word in words.split(" | ")}:
        assert option == "--help" or option in help.stdout
    assert "set -e" not in help.stdout


@pytest.mark.parametrize("script", LAUNCHERS)
def test_a_dry_run_prints_the_training_command_and_calls_nothing(script, tools):
    dry = tools.run(script, "--dry-run", *LAUNCHERS[script], *TRAIN)
    assert dry.returncode == 0, dry.stderr
    assert "--config=configs/cpu_small.py" in dry.stdout
    assert tools.calls == []


@pytest.mark.parametrize("script", LAUNCHERS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frobnicate", *TRAIN], "there is no option --frobnicate"),
        (["--", "--workdir=x"], "as -- --config=FILE --workdir=DIR"),
        (["--", "--config=x"], "give --workdir=DIR after --"),
        ([], "after --"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(script, arguments, message, tools):
    wrong = tools.run(script, *LAUNCHERS[script], *arguments)
    assert wrong.returncode == 2
    assert message in wrong.stderr
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert wrong.stderr.startswith(f"{script}: ")
    assert tools.calls == []


@pytest.mark.parametrize(
    ("script", "study", "command"),
    [
        ("local_multiprocess.sh", ["--study"], "slm study train --distributed --workdir=x"),
        ("tpu_pod.sh", ["--study"], "study train --distributed --workdir=x"),
        ("gpu_slurm.sh", ["--study", "2"], "study train --distributed --workdir=x"),
        ("gke_jobset.sh", ["--study", "train"], '"study", "train", "--workdir=x"'),
    ],
)
def test_a_dry_run_of_a_study_prints_the_worker_s_command(script, study, command, tools):
    config = ["--config=configs/studies/smoke.py"] if script == "gpu_slurm.sh" else []
    arguments = [*LAUNCHERS[script], *study, "--", *config, "--workdir=x"]
    dry = tools.run(script, "--dry-run", *arguments)
    assert dry.returncode == 0, dry.stderr
    assert command in dry.stdout.replace("\\", "")
    assert tools.calls == []
    wrong = tools.run(script, "--dry-run", *LAUNCHERS[script], *study, "--", *config, "folder")
    assert wrong.returncode == 2 and "give --workdir=DIR after --" in wrong.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("local_multiprocess.sh", ["--processes", "0"], "--processes is 0: give at least 1"),
        ("local_multiprocess.sh", ["--devices", "two"], "--devices is 'two': give a whole number"),
        ("local_multiprocess.sh", ["--devices"], "--devices needs a value"),
        ("gpu_slurm.sh", ["--per", "rack"], "--per is 'rack': choose gpu or node"),
        ("gpu_slurm.sh", ["--nodes", "-1"], "--nodes is '-1': give a whole number"),
        ("gke_jobset.sh", [*GKE[2:], *GPU], "--name is ''"),
        ("gke_jobset.sh", ["--name", "First_run", *GKE[2:], *GPU], "--name is 'First_run': give lower-case"),
        ("gke_jobset.sh", [*GKE, "--devices", "4"], "give one of --gpu TYPE and --tpu TYPE"),
        ("gke_jobset.sh", [*GKE, *GPU, "--tpu", "v6e"], "give one of --gpu TYPE and --tpu TYPE"),
        ("gke_jobset.sh", [*GKE, "--tpu", "tpu-v6e-slice", "--devices", "4"], "--topology is ''"),
        ("gke_jobset.sh", [*GKE, *GPU, "--topology", "4x8"], "--topology is for --tpu"),
        ("gke_jobset.sh", [*GKE, "--gpu", "nvidia-h100-80gb"], "--devices is ''"),
        ("gke_jobset.sh", [*GKE[:4], *GPU], "give --claim"),
        ("gpu_slurm.sh", ["--study", "0"], "--study is 0: give at least 1"),
        (
            "gke_jobset.sh",
            [*GKE, *GPU, "--study", "all"],
            "--study is 'all': choose prepare, train or report",
        ),
        ("gke_jobset.sh", [*GKE, *GPU, "--workers", "2"], "--workers is for --study train"),
        (
            "gke_jobset.sh",
            [*GKE, *GPU, "--study", "train", "--hosts", "2"],
            "a worker of a study has one host",
        ),
        ("tpu_pod.sh", ["--name", "first"], "give --zone"),
        ("tpu_pod.sh", TPU[:6], "--type needs --version"),
        ("tpu_pod.sh", ["--zone", "z"], "give --name"),
    ],
)
def test_each_launcher_checks_its_own_options(script, arguments, message, tools):
    wrong = tools.run(script, *arguments, *TRAIN)
    assert wrong.returncode == 2
    assert message in wrong.stderr
    assert tools.calls == []


def test_a_missing_program_is_named(tmp_path):
    for program in ("bash", "env", "dirname", "basename", "cat", "sed", "seq", "grep"):
        (tmp_path / program).symlink_to(shutil.which(program))
    for script, program in (
        ("gpu_slurm.sh", "sbatch"),
        ("gke_jobset.sh", "kubectl"),
        ("tpu_pod.sh", "gcloud"),
    ):
        missing = subprocess.run(
            [shutil.which("bash"), str(ROOT / "launch" / script), *LAUNCHERS[script], *TRAIN],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert missing.returncode == 2
        assert f"{program} is not installed" in missing.stderr
