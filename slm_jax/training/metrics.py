"""What a run reports while it goes: metrics.jsonl, TensorBoard events, and counts of work done."""

import json
import os
import pathlib
import time

import jax
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

from slm_jax.files import read_jsonl, write_jsonl
from slm_jax.model import TransformerConfig

METRICS = "metrics.jsonl"

# Dense bf16 peak of one device in FLOP/s, from the makers' data sheets.
PEAK_FLOPS = {
    "NVIDIA A100": 312e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5p": 459e12,
    "TPU v5": 459e12,
    "TPU v6 lite": 918e12,
}


def training_flops(params: int, tokens: int) -> float:
    """C = 6 N D (Kaplan et al. 2020), the compute the laws are stated in; of experts N counts the active."""
    return 6.0 * params * tokens


def model_flops_utilization(
    model: TransformerConfig, params: int, context: int, tokens_per_second: float
) -> float | None:
    """Share of the devices' dense bf16 peak spent on 6N + 12 layers dim context FLOPs a token.

    The second term is attention's (Chowdhery et al. 2022, appendix B). None where the peak is not published,
    as for CPUs.
    """
    kind = jax.devices()[0].device_kind
    peak = next((flops for name, flops in PEAK_FLOPS.items() if kind.startswith(name)), None)
    if peak is None:
        return None
    flops_per_token = 6 * params + 12 * model.layers * model.heads * model.head_dim * context
    return flops_per_token * tokens_per_second / (peak * jax.device_count())


class MetricsLog:
    """Appends rows of a run's metrics; rows past `step`, of work that is to be done again, are dropped.

    Of several processes the first alone writes.
    """

    def __init__(self, run_dir: str | os.PathLike, step: int):
        self._writes = jax.process_index() == 0
        if not self._writes:
            return
        run_dir = pathlib.Path(run_dir)
        path = run_dir / METRICS
        if path.exists():
            write_jsonl(path, [row for row in _whole_rows(path) if row["step"] <= step])
        self._file = path.open("a", encoding="utf-8")
        (run_dir / "tensorboard").mkdir(exist_ok=True)
        # The writer under SummaryWriter, without its thread: a full disk is an error here and now.
        self._events = EventsWriter(os.fspath(run_dir / "tensorboard" / "events"))

    def write(self, row: dict) -> None:
        if not self._writes:
            return
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, value in row.items():
            event = Event(wall_time=time.time(), step=row["step"], summary=scalar(name, value))
            self._events.write_event(event)
        self._events.flush()

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_) -> None:
        if self._writes:
            self._file.close()
            self._events.close()


def read_metrics(run_dir: str | os.PathLike) -> list[dict]:
    """The rows of a run's metrics.jsonl."""
    return read_jsonl(pathlib.Path(run_dir) / METRICS)


def _whole_rows(path: pathlib.Path) -> list[dict]:
    """Rows but for a last line that a killed process left half written."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]
