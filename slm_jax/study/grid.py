"""The runs of a study: for each arm every size at every budget, by one rule, and which share a trunk."""

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping

from slm_jax.errors import InputError
from slm_jax.model import SIZES, TransformerConfig, count_active_parameters, count_parameters
from slm_jax.scaling import PUBLISHED_SPEECH_LAW, optimum
from slm_jax.study.config import StudyConfig
from slm_jax.training import decay_start, training_flops


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of a grid; `budget` is the compute asked for, `flops` what whole updates make of it.

    The first `shared_steps` updates are those of the run `trunk`, and not made again (none without a trunk).
    """

    name: str
    size: str
    budget: float
    params: int
    tokens: int
    steps: int
    flops: float
    arm: str = ""
    seed: int = 0
    trunk: str = ""
    shared_steps: int = 0

    @property
    def own_flops(self) -> float:
        """What the run costs beside its trunk."""
        return self.flops * (1 - self.shared_steps / self.steps)


@dataclasses.dataclass(frozen=True)
class ArmData:
    """What a grid has to know of an arm's data: the vocabulary with EOS and PAD, the tokens of one pass."""

    vocab_size: int
    stream_tokens: float


def plan_grid(config: StudyConfig, data: Mapping[str, ArmData]) -> list[PlannedRun]:
    """The runs of all arms, arm by arm, cheapest budget first.

    Raises InputError when fewer than two runs of an arm fit.
    """
    runs = []
    for arm in config.arms:
        found = _arm_runs(config, arm, data[arm])
        if len(found) < 2:
            raise InputError(
                f"config.grid: {len(found)} runs of the arm {arm!r} fit, too few for a study; give larger "
                "budgets, smaller sizes, a larger corpus, or change min_steps and max_epochs"
            )
        runs += _with_trunks(config, found) if config.grid.branches else found
    return runs


def run_name(arm: str, size: str, budget: float, seed: int) -> str:
    """As speech-30k-1e12, and speech-30k-1e12-s1 for the seed 1."""
    return f"{arm}-{size}-{budget_name(budget)}" + (f"-s{seed}" if seed else "")


def budget_name(budget: float) -> str:
    """FLOPs in names: 4e9 and 1.2e12."""
    return re.sub(r"e\+0*", "e", f"{budget:g}")


def _arm_runs(config: StudyConfig, arm: str, data: ArmData) -> list[PlannedRun]:
    grid = config.grid_of(arm)
    tokens_per_step = config.batch_size_of(arm) * config.context_of(arm)
    runs = []
    for budget, size, seed in itertools.product(sorted(grid.budgets), grid.sizes or SIZES, grid.seeds):
        model = TransformerConfig(vocab_size=data.vocab_size, **(SIZES[size] | config.arms[arm].model))
        params, active = count_parameters(model), count_active_parameters(model)
        if not grid.sizes and not _near_optimum(params, budget, grid.span):
            continue
        steps = round(budget / training_flops(active, tokens_per_step))
        tokens = steps * tokens_per_step
        if steps < grid.min_steps or tokens > grid.max_epochs * data.stream_tokens:
            continue
        name, flops = run_name(arm, size, budget, seed), training_flops(active, tokens)
        runs.append(PlannedRun(name, size, budget, params, tokens, steps, flops, arm, seed))
    return runs


def _near_optimum(params: int, budget: float, span: float) -> bool:
    best, _, _ = optimum(PUBLISHED_SPEECH_LAW, budget)
    return abs(math.log(params / float(best))) <= math.log(span)


def _with_trunks(config: StudyConfig, runs: list[PlannedRun]) -> list[PlannedRun]:
    """The same runs; of each size and seed, all but the longest branch off the longest."""
    longest = {}
    for run in runs:
        key = (run.size, run.seed)
        longest[key] = max(longest.get(key, run), run, key=lambda other: other.steps)
    joined = []
    for run in runs:
        trunk = longest[run.size, run.seed]
        shared = min(decay_start(config.optimizer, other.steps) for other in (run, trunk))
        branches = run is not trunk and shared > 0
        joined.append(dataclasses.replace(run, trunk=trunk.name, shared_steps=shared) if branches else run)
    return joined
