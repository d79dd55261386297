"""launch/local_multiprocess.sh for real: two processes of two CPU devices train, lose one, and go on."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from recorded import ROOT, Recorded

from slm_jax.data import write_dataset
from slm_jax.tokenizer import MFCC, Tokenizer
from slm_jax.training import read_metrics

CONFIG = """
from slm_jax.training import default_config

def get_config():
    config = default_config()
    config.tokens, config.context, config.batch_size = 100 * 8 * 16, 16, 8
    config.log_every, config.checkpoint_every = 10, 20
    config.model.update({"layers": 1, "dim": 16, "heads": 2, "mlp_multiple": 16})
    return config
"""


@pytest.fixture
def units(tmp_path) -> pathlib.Path:
    rng = np.random.default_rng(0)
    Tokenizer(MFCC(), rng.normal(size=(8, 26))).save(tmp_path / "tokenizer")
    same = {"source": "s", "speaker": "s", "seconds": 2.0}
    records = [
        {"id": f"r{i}", "units": rng.integers(8, size=64).astype(np.uint16), **same} for i in range(40)
    ]
    splits = {"train": records, "validation": records[:4]}
    write_dataset(
        tmp_path / "units", splits, name="noise", kind="units", tokenizer_dir=tmp_path / "tokenizer"
    )
    return tmp_path / "units"


def test_each_process_is_told_its_place(tmp_path):
    tools = Recorded(tmp_path, "slm")
    (tmp_path / "bin" / "slm").write_text(
        '#!/bin/sh\necho "$JAX_PROCESS_ID of $JAX_NUM_PROCESSES at $JAX_COORDINATOR_ADDRESS, '
        '$JAX_NUM_CPU_DEVICES devices${https_proxy:+, a proxy}: $*"\n'
    )
    place = ["--processes", "3", "--devices", "4", "--port", "1234", "--logs", str(tmp_path / "logs")]
    train = ["--config=x", "--workdir=a b"]
    done = tools.run("local_multiprocess.sh", *place, "--", *train, https_proxy="http://proxy")
    assert done.returncode == 0, done.stderr
    printed = [done.stdout, *(path.read_text() for path in sorted((tmp_path / "logs").iterdir()))]
    assert printed == [
        f"{i} of 3 at 127.0.0.1:1234, 4 devices: train --distributed --config=x --workdir=a b\n"
        for i in range(3)
    ]


@pytest.mark.parametrize(("code", "starts"), [(2, 1), (7, 3)])
def test_a_failed_process_ends_the_others_and_all_start_again_but_not_for_bad_input(tmp_path, code, starts):
    tools = Recorded(tmp_path, "slm")
    (tmp_path / "bin" / "slm").write_text(
        f"#!/bin/sh\necho $JAX_PROCESS_ID >>{tmp_path}/starts\n"
        f'[ "$JAX_PROCESS_ID" = 1 ] && exit {code}\necho $$ >>{tmp_path}/waiting\nexec sleep 60\n'
    )
    done = tools.run("local_multiprocess.sh", "--restarts", "2", "--", "--config=x", "--workdir=y")
    assert done.returncode == code
    assert f"a process ended with exit code {code}" in done.stderr
    assert (tmp_path / "starts").read_text().count("1") == starts
    waiting = (tmp_path / "waiting").read_text().split() if (tmp_path / "waiting").exists() else []
    for pid in waiting:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pgrep"), reason="pgrep is not installed")
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGKILL, 137), (signal.SIGTERM, 143)], ids=["KILL", "TERM"]
)
def test_two_processes_train_and_go_on_after_one_was_ended(units, tmp_path, sent, code):
    (tmp_path / "config.py").write_text(CONFIG)
    run = tmp_path / "run"
    command = [
        "bash",
        str(ROOT / "launch" / "local_multiprocess.sh"),
        "--devices",
        "2",
        "--restarts",
        "1",
        "--",
    ]
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    launcher = subprocess.Popen(
        [*command, f"--config={tmp_path / 'config.py'}", f"--config.data.path={units}", f"--workdir={run}"],
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while launcher.poll() is None and not list(run.glob("checkpoints/[0-9]*")):
            time.sleep(0.02)
        children = subprocess.run(["pgrep", "-f", f"workdir={run}"], capture_output=True, text=True).stdout
        victim = max(int(pid) for pid in children.split() if int(pid) != launcher.pid)
        os.kill(victim, sent)
        printed, errors = launcher.communicate(timeout=300)
    finally:
        launcher.terminate()
    assert launcher.returncode == 0, errors
    assert f"a process ended with exit code {code}; restart 1 of 1" in errors
    assert '"devices": "4 x cpu"' in printed
    assert json.loads((run / "summary.json").read_text())["tokens"] == 100 * 8 * 16
    assert [row["step"] for row in read_metrics(run)] == list(range(10, 101, 10))
