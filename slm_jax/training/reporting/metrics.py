"""What a run reports while it goes: metrics.jsonl, TensorBoard events, and Weights & Biases when asked."""

import json
import os
import pathlib
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

import jax
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from slm_jax.errors import InputError
from slm_jax.files import read_jsonl, write_jsonl

METRICS = "metrics.jsonl"


class Log(Protocol):
    def write(self, row: dict) -> None:
        """One row: names and numbers, with `step`."""

    def close(self) -> None: ...


class MetricsLog:
    """Writes the rows of a run's metrics to all its logs; of several processes the first alone does.

    Args:
      before: rows of metrics.jsonl that still hold; those of work that is to be done again are dropped, from
        TensorBoard too.
      others: logs beside metrics.jsonl and TensorBoard's.
    """

    def __init__(self, run_dir: pathlib.Path, before: Sequence[dict], others: Iterable[Log] = ()):
        self._logs: list[Log] = []
        if jax.process_index() == 0:
            write_jsonl(run_dir / METRICS, before)
            first_step = before[-1]["step"] + 1 if before else 0
            events = _Events(run_dir / "tensorboard", first_step)
            self._logs = [_Lines(run_dir / METRICS), events, *others]

    def write(self, row: dict) -> None:
        for log in self._logs:
            log.write(row)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_) -> None:
        for log in self._logs:
            log.close()


class _Lines:
    def __init__(self, path: pathlib.Path):
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: dict) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _Events:
    def __init__(self, folder: pathlib.Path, first_step: int):
        folder.mkdir(exist_ok=True)
        # The writer under SummaryWriter, without its thread: a full disk is an error here and now.
        self._writer = EventsWriter(os.fspath(folder / "events"))
        # At a session's start TensorBoard drops what it has read from this step on.
        start = SessionLog(status=SessionLog.START)
        self._writer.write_event(Event(wall_time=time.time(), step=first_step, session_log=start))

    def write(self, row: dict) -> None:
        for name, value in row.items():
            event = Event(wall_time=time.time(), step=row["step"], summary=scalar(name, value))
            self._writer.write_event(event)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def read_metrics(run_dir: str | os.PathLike) -> list[dict]:
    """The rows of a run's metrics.jsonl."""
    return read_jsonl(pathlib.Path(run_dir) / METRICS)


def rows_until(run_dir: str | os.PathLike, step: int) -> list[dict]:
    """Rows of a run's metrics up to a step; none when it has none, without a last one half written."""
    path = pathlib.Path(run_dir) / METRICS
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else ()
    try:
        return [row for row in (json.loads(line) for line in lines if line) if row["step"] <= step]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: holds a line that is no row of metrics ({error}); remove that line"
        ) from None
