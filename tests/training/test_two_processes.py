"""Training in two real processes that talk through jax.distributed on this computer."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from small_run import run_config

from slm_jax.training import load_model, read_metrics

PROGRAM = """
import json, sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
if int(sys.argv[3]) >= 0:
    jax.distributed.initialize(sys.argv[4], num_processes=2, process_id=int(sys.argv[3]))
from slm_jax.training import parse_config, train
print(jax.device_count(), train(parse_config(json.load(open(sys.argv[1]))), sys.argv[2])["train_loss"])
"""


def start(config, run_dir, process, address=""):
    command = [sys.executable, "-c", PROGRAM, str(config), str(run_dir), str(process), address]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def free_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one(units, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(run_config(units, mesh={"data": 2, "fsdp": -1})))
    (tmp_path / "alone.json").write_text(json.dumps(run_config(units, mesh={"data": 2})))
    address = free_address()
    pair = [start(tmp_path / "config.json", tmp_path / "pair", process, address) for process in (0, 1)]
    printed = [process.communicate(timeout=300)[0].split()[-2:] for process in pair]  # after Gloo's lines
    assert [process.returncode for process in pair] == [0, 0]
    alone = start(tmp_path / "alone.json", tmp_path / "alone", -1)
    alone.communicate(timeout=300)
    assert alone.returncode == 0
    assert printed[0] == printed[1]
    assert printed[0][0] == "4"  # devices over both
    losses = {
        name: np.array([(row["step"], row["loss"]) for row in read_metrics(tmp_path / name)])
        for name in ("pair", "alone")
    }
    np.testing.assert_allclose(losses["pair"], losses["alone"], atol=1e-5)
    _, step = load_model(tmp_path / "pair")  # written by two processes, read by one
    assert step == 40
