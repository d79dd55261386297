"""The config of a study: what is spoken, how it is tokenized, and the grid of runs."""

import dataclasses
import math

import ml_collections

from slm_jax.errors import InputError
from slm_jax.model import SIZES
from slm_jax.training import (
    DataConfig,
    MeshConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
    defaults_of,
    parse_dataclass,
)


@dataclasses.dataclass(frozen=True)
class CorpusConfig:
    """How much text the grammar writes; one voice speaks a story, several an evaluation item."""

    stories: int = 3000
    pairs_per_phenomenon: int = 50
    cloze_items: int = 80


@dataclasses.dataclass(frozen=True)
class TokenizerConfig:
    """The speech tokenizer: an encoder, its frames per second, and the number of units K."""

    encoder: str = "mfcc"
    frame_rate: int = 25
    units: int = 200
    sample_seconds: float = 3600.0


@dataclasses.dataclass(frozen=True)
class GridConfig:
    """The runs: every size at every budget for which it gets enough updates and not too many tokens.

    A run of budget C and size N sees D = C / (6 N) tokens. It is left out when that makes fewer than
    `min_steps` updates, or more than `max_epochs` passes over the corpus, beyond which repeated data are
    worth little (Muennighoff et al. 2023).
    """

    budgets: tuple[float, ...] = (1e11, 1e12, 1e13)
    sizes: tuple[str, ...] = ("30k", "90k", "170k", "440k")
    min_steps: int = 100
    max_epochs: float = 8.0


@dataclasses.dataclass(frozen=True)
class StudyConfig:
    """A whole study. `training` holds the fields all runs share; sizes and tokens come from the grid."""

    name: str = "study"
    title: str = "A scaling study of speech language models"
    seed: int = 0
    resamples: int = 1000
    corpus: CorpusConfig = CorpusConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    grid: GridConfig = GridConfig()
    context: int = 256
    batch_size: int = 8
    log_every: int = 20
    checkpoint_every: int = 500
    optimizer: OptimizerConfig = OptimizerConfig()
    mesh: MeshConfig = MeshConfig()

    def __post_init__(self):
        unknown = [size for size in self.grid.sizes if size not in SIZES]
        if unknown:
            raise InputError(
                f"config.grid.sizes: no size is called {unknown[0]!r}; there are {', '.join(SIZES)}"
            )
        for field in ("sizes", "budgets"):
            values = getattr(self.grid, field)
            if not values or len(set(values)) != len(values):
                raise InputError(f"config.grid.{field} is {values}: name at least one, and none twice")
        if not all(0 < budget < math.inf for budget in self.grid.budgets):
            raise InputError(f"config.grid.budgets is {self.grid.budgets}: give positive numbers of FLOPs")
        for path, value in {
            "corpus.stories": self.corpus.stories,
            "corpus.pairs_per_phenomenon": self.corpus.pairs_per_phenomenon,
            "corpus.cloze_items": self.corpus.cloze_items,
            "tokenizer.units": self.tokenizer.units,
            "tokenizer.sample_seconds": self.tokenizer.sample_seconds,
            "context": self.context,
            "batch_size": self.batch_size,
            "log_every": self.log_every,
            "checkpoint_every": self.checkpoint_every,
            "resamples": self.resamples,
        }.items():
            if not value > 0:
                raise InputError(f"config.{path} is {value}: it must be positive")

    def run(self, *, name: str, size: str, tokens: int, data: str) -> TrainConfig:
        """The training config of one run of the grid."""
        return TrainConfig(
            name=name,
            seed=self.seed,
            tokens=tokens,
            context=self.context,
            batch_size=self.batch_size,
            log_every=self.log_every,
            checkpoint_every=self.checkpoint_every,
            keep_checkpoints=1,
            data=DataConfig(path=data),
            model=ModelConfig(**SIZES[size]),
            optimizer=self.optimizer,
            mesh=self.mesh,
        )


def default_study() -> ml_collections.ConfigDict:
    """All fields with their defaults, for a study's config file to change."""
    return ml_collections.ConfigDict(defaults_of(StudyConfig))


def parse_study(config) -> StudyConfig:
    """Checks names and types of every field; raises InputError naming the field and the nearest known one."""
    return parse_dataclass(StudyConfig, config)
