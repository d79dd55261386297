"""The isoFLOP grid of a compute budget, by one rule: sizes, tokens, batch, learning rate, machine and mesh.

With C the budget in FLOPs, N a size's parameters at a vocabulary of 502, and N* the parameters that the
published law of speech units holds best for C:

- sizes: all named ones from N* / 8 to 8 N*; each sees D = C / (6 N) tokens, in whole updates;
- batch: 0.2920 C^0.3271 tokens, in windows of the machine's context, rounded to a power of two; peak rate
  0.3118 C^-0.1250, final rate a tenth (Bi et al. 2024, arXiv 2401.02954, section 3.1); the rest is the
  study's recipe;
- machine: the first of MACHINES that is meant for C;
- mesh: parameters, gradients and AdamW's state take 16 bytes a parameter. They are split over as many devices
  (fsdp, a power of two) as bring them under half of a device's memory, and the batch over all devices;
- passes: of what else an update needs (`training.estimated_bytes`), with the state at most 80 % of a device's
  memory is used: a pass takes the most windows that fit, a power of two. Layers are computed again in the
  backward pass (remat) only where not even one window a device fits: "dots", then "full".
"""

import dataclasses
import functools
import math

import ml_collections

from slm_jax.errors import InputError
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.scaling import optimum
from slm_jax.study.grid import PlannedRun, budget_name
from slm_jax.study.plan import PUBLISHED_SPEECH_LAW, PUBLISHED_VOCABULARY
from slm_jax.training import STATE_BYTES, default_config, estimated_bytes, training_flops

SPAN = 8  # sizes on both sides of the optimum, for a parabola to have its minimum inside
STATE_SHARE, USED_SHARE = 0.5, 0.8  # of a device's memory: what the state may take, and all of an update

# Between the study's sizes and above them, of its recipe: heads of 64.
BUDGET_SIZES: dict[str, dict[str, int]] = SIZES | {
    "40M": {"layers": 8, "dim": 640, "heads": 10},
    "1.6B": {"layers": 20, "dim": 2560, "heads": 40},
    "3.2B": {"layers": 28, "dim": 3072, "heads": 48},
    "6.5B": {"layers": 32, "dim": 4096, "heads": 64},
}


@dataclasses.dataclass(frozen=True)
class Machine:
    """What runs of up to `most_flops` are meant for: devices, bytes of memory of each, context in tokens, and
    the bytes of a number that the model computes with.
    """

    name: str
    most_flops: float
    devices: int
    memory: float
    context: int
    number_bytes: int = 2


MACHINES = (
    Machine("laptop CPU", 1e14, 1, 8e9, 256, number_bytes=4),
    Machine("one GPU of 80 GB", 1e17, 1, 80e9, 2050),
    Machine("8 GPUs of 80 GB", 1e19, 8, 80e9, 2050),
    Machine("TPU v6e-32", 1e20, 32, 32e9, 2050),
    Machine("TPU v6e-256", 1e21, 256, 32e9, 2050),
)


def isoflop_grid(budget: float) -> list[PlannedRun]:
    """The runs of a budget of FLOPs, smallest size first; see the module for the rule.

    Raises InputError for a budget above those the machines are meant for.
    """
    best, _, _ = optimum(PUBLISHED_SPEECH_LAW[1], budget)
    tokens_per_step = _batch_size(budget) * machine_for(budget).context
    runs = []
    for size in BUDGET_SIZES:
        params = size_parameters(size)
        if best / SPAN <= params <= best * SPAN:
            steps = round(budget / training_flops(params, tokens_per_step))
            tokens = steps * tokens_per_step
            name = f"{size}-{budget_name(budget)}"
            runs.append(PlannedRun(name, size, budget, params, tokens, steps, training_flops(params, tokens)))
    return sorted(runs, key=lambda run: run.params)


def isoflop_config(budget: float, size: str = "") -> ml_collections.ConfigDict:
    """The training config of one run of a budget's grid; without a size, of the one nearest the optimum.

    Raises InputError, naming the sizes of the grid, for another size.
    """
    runs = {run.size: run for run in isoflop_grid(budget)}
    if size and size not in runs:
        raise InputError(
            f"{size!r} is no size of the grid of {budget:g} FLOPs; choose one of {', '.join(runs)}"
        )
    run = runs[size or _nearest_optimum(budget, runs.values())]
    machine = machine_for(budget)
    config = default_config()
    config.name = run.name
    config.tokens = run.tokens
    config.context = machine.context
    config.batch_size = _batch_size(budget)
    config.model.update(BUDGET_SIZES[run.size])
    config.optimizer.peak_rate = float(f"{0.3118 * budget**-0.1250:.2g}")
    config.optimizer.final_rate = config.optimizer.peak_rate / 10
    config.mesh.fsdp = _devices_of_state(run.params, machine.memory)
    config.model.remat, config.micro_batch = _passes(run, config.mesh.fsdp)
    return config


def machine_for(budget: float) -> Machine:
    """The first machine that is meant for runs of this many FLOPs; raises InputError above the last."""
    for machine in MACHINES:
        if 0 < budget <= machine.most_flops:
            return machine
    raise InputError(
        f"a budget of {budget:g} FLOPs: give a positive number up to {MACHINES[-1].most_flops:g}"
    )


@functools.cache
def size_parameters(size: str) -> int:
    """N of a named size at the study's vocabulary."""
    return count_parameters(_model(size))


def _model(size: str, **fields) -> TransformerConfig:
    return TransformerConfig(vocab_size=PUBLISHED_VOCABULARY, **BUDGET_SIZES[size], **fields)


def _batch_size(budget: float) -> int:
    return 2 ** round(math.log2(0.2920 * budget**0.3271 / machine_for(budget).context))


def _nearest_optimum(budget: float, runs) -> str:
    best, _, _ = optimum(PUBLISHED_SPEECH_LAW[1], budget)
    return min(runs, key=lambda run: abs(math.log(run.params / best))).size


def _devices_of_state(params: int, memory: float) -> int:
    return 2 ** max(0, math.ceil(math.log2(params * STATE_BYTES / (memory * STATE_SHARE))))


def _passes(run: PlannedRun, fsdp: int) -> tuple[str, int]:
    """The config's remat and micro_batch: the first to fit, in the order of what they cost in time."""
    machine, batch = machine_for(run.budget), _batch_size(run.budget)
    for remat in ("none", "dots", "full"):
        model, windows = _model(run.size, remat=remat), batch
        while windows >= machine.devices:
            tokens, passes = windows // machine.devices * machine.context, batch // windows
            needed = estimated_bytes(
                model, tokens, number_bytes=machine.number_bytes, shards=fsdp, passes=passes
            )
            if needed <= USED_SHARE * machine.memory:
                return remat, 0 if windows == batch else windows
            windows //= 2
    raise InputError(f"a model of size {run.size} does not fit on {machine.name}: choose a smaller one")
