"""Training in processes of their own, alone or as several that talk through jax.distributed."""

import json
import os
import pathlib
import socket
import subprocess
import sys

PROGRAM = """
import json, sys
import jax
config, run_dir, devices, process, processes, address, prepare = sys.argv[1:]
jax.config.update("jax_num_cpu_devices", int(devices))
if int(processes) > 1:
    jax.distributed.initialize(
        address,
        num_processes=int(processes),
        process_id=int(process),
        heartbeat_timeout_seconds=20,  # how long until one notices that the other is dead; 100 by default
    )
from slm_jax.errors import Preempted
from slm_jax.training import parse_config, train
exec(prepare)
try:
    print(jax.device_count(), train(parse_config(json.load(open(config))), run_dir)["train_loss"])
except Preempted as stopped:
    print(stopped)
"""


def start(
    config: dict, run_dir: pathlib.Path, *, processes: int = 1, devices: int = 1, prepare: str = ""
) -> list:
    """Starts `train(config, run_dir)` in that many processes with that many CPU devices each.

    `prepare` is Python that each runs before, in which `process` is its number, as text.
    """
    path = run_dir.with_name(f"{run_dir.name}.json")
    path.write_text(json.dumps(config))
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {
        "JAX_COMPILATION_CACHE_DIR": str(run_dir.with_name("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    address = _free_address()
    return [
        subprocess.Popen(
            [
                *(sys.executable, "-c", PROGRAM),
                *map(str, (path, run_dir, devices, process, processes, address, prepare)),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]


def finish(started: list) -> list[str]:
    """Waits for processes to exit with 0; returns the last line each has printed."""
    outputs = [process.communicate(timeout=900) for process in started]
    for process, (_, errors) in zip(started, outputs, strict=True):
        assert process.returncode == 0, errors[-3000:]
    return [printed.strip().splitlines()[-1] for printed, _ in outputs]


def rows_so_far(run_dir: pathlib.Path) -> list[dict]:
    """Of the metrics of a run that is being written."""
    path = run_dir / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def _free_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
