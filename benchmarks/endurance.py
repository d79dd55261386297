"""A long run of a tiny model: does memory or the time of an update grow?

python benchmarks/endurance.py [--updates 2000]
One JSON line: resident memory and the median time of an update in each quarter of the run.
"""

import argparse
import json
import os
import pathlib
import tempfile

import jax
import numpy as np

from slm_jax.data import write_dataset
from slm_jax.model import share_cpu_among_devices
from slm_jax.tokenizer import write_external
from slm_jax.training import parse_config, train
from slm_jax.training.reporting.meter import Meter
from slm_jax.versions import versions

K, CONTEXT, BATCH, LOG_EVERY = 100, 64, 8, 10


def write_units(folder: pathlib.Path) -> pathlib.Path:
    write_external(folder / "tokenizer", origin="random", k=K, frame_rate=25, collapse=True)
    rng = np.random.default_rng(0)
    records = [
        {"id": str(i), "units": rng.integers(K, size=400).astype(np.uint16), "source": "", "speaker": "",
         "seconds": 16.0}
        for i in range(500)
    ]  # fmt: skip
    splits = {"train": records, "validation": records[:2]}
    write_dataset(folder / "units", splits, name="random", kind="units", tokenizer_dir=folder / "tokenizer")
    return folder / "units"


def resident_megabytes() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--updates", type=int, default=2000)
    options = parser.parse_args()
    share_cpu_among_devices(BATCH)
    megabytes, original = [], Meter.take

    def take(meter):
        megabytes.append(resident_megabytes())
        return original(meter)

    Meter.take = take
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        config = {
            "tokens": options.updates * BATCH * CONTEXT,
            "context": CONTEXT,
            "batch_size": BATCH,
            "log_every": LOG_EVERY,
            "checkpoint_every": max(1, options.updates // 10),
            "data": {"path": str(write_units(folder))},
            "model": {"layers": 2, "dim": 32, "heads": 2, "mlp_multiple": 32},
        }
        train(parse_config(config), folder / "run")
        rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").open()]
    seconds = [(row["data_seconds"] + row["compute_seconds"]) / LOG_EVERY for row in rows[1:]]
    result = {
        "benchmark": "endurance",
        "updates": options.updates,
        "milliseconds_an_update": [round(1e3 * float(np.median(q)), 3) for q in np.array_split(seconds, 4)],
        "resident_megabytes": [round(float(np.median(q)), 1) for q in np.array_split(megabytes, 4)],
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "versions": versions(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
