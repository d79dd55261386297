"""The config of a study: corpora, tokens and tasks by name, and the arms, each a grid of runs on them."""

import dataclasses
import itertools
import math
import sys
from collections.abc import Sequence

import ml_collections

from slm_jax.errors import InputError
from slm_jax.model import SIZES
from slm_jax.scaling import BOUND_SUFFIXES, NOT_TASKS
from slm_jax.study.config_parts import ArmConfig, ClaimConfig, GridConfig
from slm_jax.study.kinds import CLASSES, complete, make
from slm_jax.study.measures import measures
from slm_jax.study.voices import unheard_voices
from slm_jax.training import (
    DataConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
    defaults_of,
    parse_dataclass,
)

OWN = ("budgets", "sizes", "seeds")  # of the grid, what an arm may have of its own

# Files of a run beside those of its tasks, and columns that a table never takes for accuracies.
RESERVED = {"summary", "config", "times", *NOT_TASKS}


@dataclasses.dataclass(frozen=True)
class StudyConfig:
    """A whole study.

    Attributes:
      name, title: title is the question that the report answers.
      seed: of texts, tokenizers and intervals; the seeds of runs are the grid's.
      resamples: of every bootstrap.
      corpora, tokens, tasks: by name, each with its `kind` and the settings of that kind (study/corpora,
        study/tokens, study/tasks).
      fit_on: the corpus that tokenizers are fitted on (none: the first one).
      arms, claims: by name.
      context, batch_size, log_every, checkpoint_every, optimizer, mesh: of every run, as for slm train.
    """

    name: str = "study"
    title: str = "A scaling study of speech language models"
    seed: int = 0
    resamples: int = 1000
    corpora: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)
    tokens: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)
    tasks: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)
    fit_on: str = ""
    arms: dict[str, ArmConfig] = dataclasses.field(default_factory=dict)
    claims: dict[str, ClaimConfig] = dataclasses.field(default_factory=dict)
    grid: GridConfig = dataclasses.field(default_factory=GridConfig)
    context: int = 256
    batch_size: int = 8
    log_every: int = 20
    checkpoint_every: int = 500
    optimizer: OptimizerConfig = OptimizerConfig()
    mesh: MeshConfig = MeshConfig()

    def __post_init__(self):
        """Raises InputError naming the field that is wrong; fills in the defaults of each kind."""
        for room in CLASSES:
            named = getattr(self, room)
            object.__setattr__(
                self, room, {n: complete(room, fields, f"config.{room}.{n}") for n, fields in named.items()}
            )
        if not self.arms:
            raise InputError("config.arms is empty: name at least one, with its corpus and tokens")
        for name, arm in self.arms.items():
            self._check_arm(name, arm)
        for name, fields in self.tokens.items():
            for needed in make("tokens", fields, f"config.tokens.{name}").needs:
                _check_named(f"config.tokens.{name}.of", needed, self.tokens)
        for name in (*self.corpora, *self.tasks, *self.tokens, *self.arms):
            if not name.replace("_", "").replace("-", "").isalnum():
                raise InputError(f"config: {name!r} is to name files; use letters, digits, - and _")
        for name in self.tasks.keys() & RESERVED:
            raise InputError(f"config.tasks: {name!r} is taken; give the task another name")
        for name, end in itertools.product(self.tasks, BOUND_SUFFIXES):
            if name + end in self.tasks:
                raise InputError(
                    f"config.tasks: {name + end!r} is an end of the interval of {name!r} in results.csv; "
                    "give the task another name"
                )
        for name in self.tasks.keys() & self.corpora.keys():
            raise InputError(f"config: {name!r} names a corpus and a task; give them names of their own")
        if self.fit_on:
            _check_named("config.fit_on", self.fit_on, self.corpora)
        for name, claim in self.claims.items():
            self._check_claim(f"config.claims.{name}", claim)
        if self.grid.branches and self.optimizer.schedule != "wsd":
            raise InputError(
                "config.grid.branches needs config.optimizer.schedule='wsd', whose rate is the same until "
                "the decay"
            )
        for path, value in {
            "context": self.context,
            "batch_size": self.batch_size,
            "log_every": self.log_every,
            "checkpoint_every": self.checkpoint_every,
            "resamples": self.resamples,
            "grid.span": self.grid.span,
            "grid.min_steps": self.grid.min_steps,
            "grid.max_epochs": self.grid.max_epochs,
        }.items():
            if not value > 0:
                raise InputError(f"config.{path} is {value}: it must be positive")

    def _check_arm(self, name: str, arm: ArmConfig) -> None:
        path = f"config.arms.{name}"
        _check_named(f"{path}.corpus", arm.corpus, self.corpora)
        for corpus in arm.also:
            _check_named(f"{path}.also", corpus, self.corpora)
        if len(set(arm.corpora)) != len(arm.corpora):
            raise InputError(f"{path}.also is {arm.also}: name no corpus twice, nor {arm.corpus!r} again")
        _check_named(f"{path}.tokens", arm.tokens, self.tokens)
        grid = self.grid_of(name)
        unknown = [size for size in grid.sizes if size not in SIZES]
        if unknown:
            raise InputError(f"config: no size is called {unknown[0]!r}; there are {', '.join(SIZES)}")
        place = {field: f"{path if getattr(arm, field) else 'config.grid'}.{field}" for field in OWN}
        for field in OWN:
            values = getattr(grid, field)
            if len(set(values)) != len(values) or (not values and field != "sizes"):
                raise InputError(f"{place[field]} is {values}: name at least one, and none twice")
        if not all(0 < budget < math.inf for budget in grid.budgets):
            raise InputError(f"{place['budgets']} is {grid.budgets}: give positive numbers of FLOPs")
        if len({f"{budget:g}" for budget in grid.budgets}) != len(grid.budgets):
            raise InputError(f"{place['budgets']} is {grid.budgets}: runs of two would have the same name")
        if min(grid.seeds) < 0:
            raise InputError(f"{place['seeds']} is {grid.seeds}: give whole numbers from 0")
        for field in ("context", "batch_size"):
            if getattr(arm, field) < 0:
                raise InputError(f"{path}.{field} is {getattr(arm, field)}: it must be positive")
        parse_dataclass(ModelConfig, SIZES["30k"] | arm.model, f"{path}.model")

    def _check_claim(self, path: str, claim: ClaimConfig) -> None:
        if len(set(claim.arms)) != 2 or len(claim.arms) != 2:
            raise InputError(f"{path}.arms is {claim.arms}: name the better arm and the other")
        for arm in claim.arms:
            _check_named(f"{path}.arms", arm, self.arms)
        possible = measures(self, *claim.arms)
        if claim.measure not in possible:
            raise InputError(
                f"{path}.measure is {claim.measure!r}: what {' and '.join(claim.arms)} can be compared on is "
                f"{', '.join(possible) or 'nothing'}"
            )

    def corpus(self, name: str):
        return make("corpora", self.corpora[name], f"config.corpora.{name}")

    def tokens_of(self, name: str):
        return make("tokens", self.tokens[name], f"config.tokens.{name}")

    def task(self, name: str):
        return make("tasks", self.tasks[name], f"config.tasks.{name}")

    def grid_of(self, arm: str) -> GridConfig:
        """The grid of an arm: the study's, but for what the arm has its own of."""
        own = {field: getattr(self.arms[arm], field) for field in OWN}
        return dataclasses.replace(self.grid, **{field: value for field, value in own.items() if value})

    @property
    def fitted_on(self) -> str:
        """The corpus that tokenizers are fitted on."""
        return self.fit_on or next(iter(self.corpora))

    @property
    def batch_divisor(self) -> int:
        """What the batches of all arms split over: the most CPU devices that can train any of them."""
        return math.gcd(*map(self.batch_size_of, self.arms))

    def context_of(self, arm: str) -> int:
        return self.arms[arm].context or self.context

    def batch_size_of(self, arm: str) -> int:
        return self.arms[arm].batch_size or self.batch_size

    def tasks_of(self, arm: str) -> list[str]:
        """The tasks that an arm is measured on."""
        modality = self.tokens_of(self.arms[arm].tokens).modality
        return [name for name in self.tasks if modality in self.task(name).modalities]

    def run(
        self, arm: str, *, name: str, size: str, tokens: int, seed: int, data: Sequence[str]
    ) -> TrainConfig:
        """The training config of one run of an arm's grid; `data` are the datasets of the arm's corpora."""
        return TrainConfig(
            name=name,
            seed=seed,
            tokens=tokens,
            context=self.context_of(arm),
            batch_size=self.batch_size_of(arm),
            log_every=self.log_every,
            checkpoint_every=self.checkpoint_every,
            keep_checkpoints=1,
            data=DataConfig(path=data[0], also=tuple(data[1:])),
            model=parse_dataclass(
                ModelConfig, SIZES[size] | self.arms[arm].model, f"config.arms.{arm}.model"
            ),
            optimizer=self.optimizer,
            mesh=self.mesh,
        )


def _check_named(path: str, name: str, among: dict) -> None:
    if name not in among:
        raise InputError(f"{path} is {name!r}: there is only {', '.join(among) or 'nothing'}")


def default_study() -> ml_collections.ConfigDict:
    """All fields with their defaults, for a study's config file to change."""
    named = ("corpora", "tokens", "tasks", "arms", "claims")  # in the order in which they are written
    ordered = {name: ml_collections.ConfigDict(sort_keys=False) for name in named}
    return ml_collections.ConfigDict(defaults_of(StudyConfig) | ordered)


def parse_study(config) -> StudyConfig:
    """Checks names and types of every field; raises InputError naming the field and the nearest known one.

    Warns of what may be meant, but seldom is.
    """
    study = parse_dataclass(StudyConfig, config)
    for caution in unheard_voices(study):
        print(f"warning: {caution}", file=sys.stderr, flush=True)
    return study
