"""How fast this machine trains: measured on a few updates, or on the runs of the study that are done."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import scipy.optimize

from slm_jax.cores import keep_freed_memory
from slm_jax.files import read_json
from slm_jax.model import SIZES, TransformerConfig, make_mesh, share_cpu_among_devices
from slm_jax.study.config import StudyConfig
from slm_jax.study.estimate.data import StudyData, folder_bytes
from slm_jax.study.folder import StudyFolder
from slm_jax.study.grid import PlannedRun
from slm_jax.study.machine import core_shares, on_cores, shares
from slm_jax.study.trunks import as_begun
from slm_jax.training.step import program

TIMED_SECONDS, LEAST_UPDATES, MOST_UPDATES = 3.0, 3, 50
RATE = 1e-3


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds of a worker for a token that a model of N parameters is trained on: `base` + `per_param` N.

    Attributes:
      source: what was measured, in words.
      beside: seconds of a run beside its updates, as finished ones had it; None where none is.
      compile_seconds, compile_bytes: of one program that updates a model; 0 where that was not measured.
    """

    base: float
    per_param: float
    source: str
    beside: float | None = None
    compile_seconds: float = 0.0
    compile_bytes: float = 0.0

    def seconds(self, tokens: float, params: float) -> float:
        return tokens * (self.base + self.per_param * params)


class _Shape(NamedTuple):
    """What of a run decides the time of its updates."""

    model: TransformerConfig
    context: int
    batch_size: int


class _Timed(NamedTuple):
    token_seconds: float
    compile_seconds: float
    compile_bytes: int


def speed_of_runs(folder: StudyFolder, runs: Sequence[PlannedRun]) -> Speed | None:
    """As the finished ones of these runs had it; None before there are any."""
    timed = [run for run in runs if folder.times(run.name).exists() and folder.speed(run.name)]
    done = [as_begun(folder, run) for run in timed]
    if not done:
        return None
    speed_R = np.array([folder.speed(run.name) for run in done])
    own_R = np.array([run.tokens * (1 - run.shared_steps / run.steps) for run in done])
    seconds_R = np.array([read_json(folder.times(run.name))["seconds"] for run in done])
    beside = float(np.median(np.maximum(seconds_R - own_R / speed_R, 0)))
    base, per_param = _line([run.params for run in done], 1 / speed_R)
    return Speed(base, per_param, f"{len(done)} finished runs of this study", beside)


def speed_here(config: StudyConfig, runs: Sequence[PlannedRun], data: StudyData, workers: int) -> Speed:
    """Of the smallest and the largest model of a plan, as `workers` workers at once have it."""
    ends = [pick(runs, key=lambda run: (run.params, run.tokens)) for pick in (min, max)]
    shapes = [_shape(config, run, data) for run in ends]
    pool = concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    with pool:
        asked = [pool.submit(_time_in_share, config, shapes, place, workers) for place in range(workers)]
        timed_WxS = [future.result() for future in asked]
    token_S = np.mean([[timed.token_seconds for timed in timed_S] for timed_S in timed_WxS], axis=0)
    base, per_param = _line([run.params for run in ends], token_S)
    timed = [timed for timed_S in timed_WxS for timed in timed_S]
    return Speed(
        base,
        per_param,
        f"a few updates of {ends[0].arm}-{ends[0].size} and {ends[1].arm}-{ends[1].size}",
        compile_seconds=float(np.mean([one.compile_seconds for one in timed])),
        compile_bytes=float(np.mean([one.compile_bytes for one in timed])),
    )


def _line(params_R: Sequence[float], seconds_R: Sequence[float]) -> tuple[float, float]:
    """(a, b) >= 0 of seconds = a + b params with the least relative squared error."""
    weight_R = 1 / np.asarray(seconds_R, float)
    scale = max(params_R)
    terms_Rx2 = np.stack([weight_R, np.asarray(params_R) / scale * weight_R], axis=1)
    (base, slope), _ = scipy.optimize.nnls(terms_Rx2, np.ones(len(weight_R)))
    return float(base), float(slope / scale)


def _shape(config: StudyConfig, run: PlannedRun, data: StudyData) -> _Shape:
    model = SIZES[run.size] | config.arms[run.arm].model
    vocab_size = data.arms[run.arm].vocab_size
    return _Shape(
        TransformerConfig(vocab_size=vocab_size, **model),
        config.context_of(run.arm),
        config.batch_size_of(run.arm),
    )


def _time_in_share(config: StudyConfig, shapes: list[_Shape], place: int, workers: int) -> list[_Timed]:
    """In a process of its own, before it uses JAX: with a worker's share of the machine."""
    with on_cores(core_shares(workers)[place]), tempfile.TemporaryDirectory() as cache:
        os.environ.update(shares(workers)[place])
        keep_freed_memory()
        share_cpu_among_devices(config.batch_divisor)
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        return [_time(config, shape, pathlib.Path(cache)) for shape in shapes]


def _time(config: StudyConfig, shape: _Shape, cache: pathlib.Path) -> _Timed:
    before, started = folder_bytes(cache), time.monotonic()
    compiled = program(shape.model, config.optimizer, make_mesh(dataclasses.asdict(config.mesh)))
    state = compiled.initialize(0)
    tokens_BxT = np.random.default_rng(0).integers(
        shape.model.vocab_size - 2, size=(shape.batch_size, shape.context + 1), dtype=np.int32
    )
    batch = jax.make_array_from_process_local_data(compiled.batch_sharding, tokens_BxT)
    state, metrics = compiled.update(state, batch, RATE)
    float(metrics.loss)
    compile_seconds, seconds = time.monotonic() - started, []
    while len(seconds) < LEAST_UPDATES or (sum(seconds) < TIMED_SECONDS and len(seconds) < MOST_UPDATES):
        started = time.monotonic()
        state, metrics = compiled.update(state, batch, RATE)
        float(metrics.loss)
        seconds.append(time.monotonic() - started)
    token_seconds = float(np.median(seconds)) / (shape.batch_size * shape.context)
    return _Timed(token_seconds, compile_seconds, folder_bytes(cache) - before)
