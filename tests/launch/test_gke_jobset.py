"""The JobSet that launch/gke_jobset.sh gives to kubectl."""

import pytest
import yaml
from recorded import Recorded

NAMED = ["--name", "first", "--image", "registry/slm_jax:1", "--claim", "shared", "--restarts", "3"]
GPU = ["--hosts", "2", "--gpu", "nvidia-h100-80gb", "--devices", "8"]
TPU = ["--hosts", "8", "--tpu", "tpu-v6e-slice", "--topology", "4x8", "--devices", "4"]
TRAIN = ["--config=configs/budgets/1e19.py:309M", '--config.name=a "b" c\\d & e', "--workdir=/shared/runs"]


@pytest.fixture
def kubectl(tmp_path):
    return Recorded(tmp_path, "kubectl")


def applied(kubectl: Recorded, *arguments: str) -> dict:
    done = kubectl.run("gke_jobset.sh", *arguments, "--", *TRAIN)
    assert done.returncode == 0, done.stderr
    [call] = kubectl.calls
    assert call["command"][-2:] == ["apply", "--filename=-"]
    return yaml.safe_load(call["stdin"])


def job_of(jobset: dict) -> dict:
    [replicated] = jobset["spec"]["replicatedJobs"]
    return replicated["template"]["spec"]


@pytest.mark.parametrize("machine", [GPU, TPU], ids=["gpu", "tpu"])
def test_one_pod_a_host_runs_the_training_command(kubectl, machine):
    jobset = applied(kubectl, *NAMED, *machine)
    assert (jobset["kind"], jobset["metadata"]["name"]) == ("JobSet", "first")
    assert jobset["spec"]["failurePolicy"]["maxRestarts"] == 3
    job = job_of(jobset)
    hosts = int(machine[1])
    assert (job["parallelism"], job["completions"], job["backoffLimit"]) == (hosts, hosts, 0)
    assert job["completionMode"] == "Indexed"
    [container] = job["template"]["spec"]["containers"]
    assert container["image"] == "registry/slm_jax:1"
    assert container["command"] == ["slm", "train", "--distributed", *TRAIN]
    claims = [v.get("persistentVolumeClaim", {}).get("claimName") for v in job["template"]["spec"]["volumes"]]
    assert "shared" in claims


def test_bad_input_is_not_tried_again(kubectl):
    jobset = applied(kubectl, *NAMED, *GPU)
    [rule] = job_of(jobset)["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2])
    assert rule["onExitCodes"]["containerName"] == job_of(jobset)["template"]["spec"]["containers"][0]["name"]
    [answer] = jobset["spec"]["failurePolicy"]["rules"]
    assert answer == {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}


@pytest.mark.parametrize("machine", [GPU, TPU], ids=["gpu", "tpu"])
def test_an_evicted_pod_that_saved_its_run_fails(kubectl, machine):
    """One that ends with 0 succeeded for Kubernetes, deleted or not; one with 2 ends the whole JobSet."""
    jobset = applied(kubectl, *NAMED, *machine)
    [container] = job_of(jobset)["template"]["spec"]["containers"]
    [code] = [entry["value"] for entry in container["env"] if entry["name"] == "SLM_JAX_PREEMPTED_EXIT"]
    assert code == "143"
    final = [rule["onExitCodes"]["values"] for rule in job_of(jobset)["podFailurePolicy"]["rules"]]
    assert final == [[2]]


def test_gpu_hosts_are_told_of_each_other(kubectl):
    pod = job_of(applied(kubectl, *NAMED, *GPU))["template"]["spec"]
    [container] = pod["containers"]
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert (
        environment["JAX_COORDINATOR_ADDRESS"] == "first-train-0-0.first:1234"
    )  # the first pod of the first job
    assert environment["JAX_NUM_PROCESSES"] == "2"
    assert "JAX_PROCESS_ID" in environment
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 8}
    assert pod["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}


def test_tpu_hosts_are_left_to_find_each_other(kubectl):
    jobset = applied(kubectl, *NAMED, *TPU)
    pod = job_of(jobset)["template"]["spec"]
    [container] = pod["containers"]
    assert [entry["name"] for entry in container["env"]] == ["SLM_JAX_PREEMPTED_EXIT"]
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    assert pod["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
        "cloud.google.com/gke-tpu-topology": "4x8",
    }
    assert jobset["metadata"]["annotations"]


def test_the_namespace_goes_with_every_command(kubectl):
    done = kubectl.run("gke_jobset.sh", *NAMED, *GPU, "--namespace", "speech", "--", *TRAIN)
    assert kubectl.commands == [["kubectl", "--namespace", "speech", "apply", "--filename=-"]]
    assert done.stdout.count("kubectl --namespace speech") == 3


def test_a_dry_run_prints_the_whole_file(kubectl):
    dry = kubectl.run("gke_jobset.sh", "--dry-run", *NAMED, *GPU, "--", *TRAIN)
    printed, _, commands = dry.stdout.partition("---\n")
    assert "@" not in printed.split("\n", 4)[-1]
    assert commands.startswith("kubectl apply --filename=-\n")
    assert yaml.safe_load(printed) == applied(kubectl, *NAMED, *GPU)


def test_workers_of_a_study_are_pods_that_restart_alone(kubectl):
    command = ["--study", "train", "--workers", "5", "--", "--workdir=/shared/study"]
    assert kubectl.run("gke_jobset.sh", *NAMED, "--gpu", "h100", "--devices", "1", *command).returncode == 0
    job = job_of(yaml.safe_load(kubectl.calls[0]["stdin"]))
    assert (job["parallelism"], job["completions"], job["backoffLimit"]) == (5, 5, 5 * 3)
    [container] = job["template"]["spec"]["containers"]
    assert container["command"] == ["slm", "study", "train", "--workdir=/shared/study"]


@pytest.mark.parametrize(("stage", "words"), [("prepare", TRAIN), ("report", ["--workdir=/shared/study"])])
def test_the_other_stages_of_a_study_are_one_pod(kubectl, stage, words):
    kubectl.run("gke_jobset.sh", *NAMED, "--gpu", "h100", "--devices", "1", "--study", stage, "--", *words)
    job = job_of(yaml.safe_load(kubectl.calls[0]["stdin"]))
    assert job["completions"] == 1
    assert job["template"]["spec"]["containers"][0]["command"] == ["slm", "study", stage, *words]
