"""The config of a run: every field a training config file may set, with the study's recipe as the default."""

import dataclasses

from slm_jax.data import check_row_settings
from slm_jax.errors import InputError
from slm_jax.model import ModelConfig

OPTIMIZER_CHOICES = {
    "name": ("adamw", "muon"),
    "schedule": ("cosine", "wsd"),
}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the tokens come from.

    Attributes:
      path: folder of a unit dataset; what the run is validated on.
      also: folders of further ones to mix in, of the same tokenizer.
      weights: shares of the tokens from `path` and each of `also` (none: as long as they are).
      packing: "stream" joins all records and cuts every `context` tokens; "documents" packs whole records
        into windows, which padding fills up.
      split, validation_split: what to train and validate on.
    """

    path: str = ""
    also: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    packing: str = "stream"
    split: str = "train"
    validation_split: str = "validation"

    def __post_init__(self):
        """Raises InputError naming the field that is wrong."""
        check_row_settings(self.packing, self.weights, datasets=1 + len(self.also))


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its schedule; the defaults are the study's (Cuervo & Marxer 2024).

    Attributes:
      name: "adamw", or "muon" for the matrices of the layers with AdamW for the rest (Jordan et al. 2024).
      schedule: after a linear warm-up, "cosine" goes down half a cosine to the final rate; "wsd" stays at the
        peak and decays in the last `decay_fraction` of the updates (Hu et al. 2024).
      warmup_fraction: of the updates, but at least `min_warmup_steps`.
      weight_decay: on matrices, not on norm scales.
      clip: the global norm gradients are clipped to.
    """

    name: str = "adamw"
    schedule: str = "cosine"
    decay_fraction: float = 0.2
    peak_rate: float = 5e-4
    final_rate: float = 5e-5
    min_warmup_steps: int = 100
    warmup_fraction: float = 0.01
    b1: float = 0.9
    b2: float = 0.95
    weight_decay: float = 0.1
    clip: float = 1.0

    def __post_init__(self):
        """Raises InputError naming the field that is wrong."""
        for field, choices in OPTIMIZER_CHOICES.items():
            value = getattr(self, field)
            if value not in choices:
                raise InputError(f"config.optimizer.{field} is {value!r}: choose one of {', '.join(choices)}")
        if not 0 < self.decay_fraction <= 1:
            raise InputError(
                f"config.optimizer.decay_fraction is {self.decay_fraction}: set it above 0 and at most 1"
            )
        if not 0 <= self.warmup_fraction <= 1:
            raise InputError(
                f"config.optimizer.warmup_fraction is {self.warmup_fraction}: set it between 0 and 1"
            )
        for field in ("peak_rate", "clip"):
            if not getattr(self, field) > 0:
                raise InputError(f"config.optimizer.{field} is {getattr(self, field)}: set it above 0")
        for field in ("final_rate", "min_warmup_steps", "weight_decay"):
            if not getattr(self, field) >= 0:
                raise InputError(f"config.optimizer.{field} is {getattr(self, field)}: set it to 0 or more")
        for field in ("b1", "b2"):
            if not 0 <= getattr(self, field) < 1:
                raise InputError(
                    f"config.optimizer.{field} is {getattr(self, field)}: set it to 0 or more and below 1"
                )


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """Sizes of the mesh axes; -1 takes the devices the others leave.

    `data` and `fsdp` split the batch, `fsdp` also the parameters; `tensor` splits heads, hidden sizes and the
    vocabulary; `context` splits the positions of long windows.
    """

    data: int = -1
    fsdp: int = 1
    tensor: int = 1
    context: int = 1


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
      name: how the run is called in tables.
      seed: of the initial weights and of the order of the data.
      tokens: D, the training tokens to see; rounded up to whole updates.
      context: tokens a window predicts; a window is context + 1 tokens.
      batch_size: windows per update, over all devices and hosts.
      micro_batch: windows per pass; an update adds up the gradients of its passes (0: all in one pass, -1: as
        many as fit into memory).
      z_loss: weight of log(Z)^2, which keeps logits small (Chowdhery et al. 2022).
      skip_updates: updates with a loss or gradient that is not finite to leave out before the run stops.
      log_every, checkpoint_every: in updates.
      validate_every: in updates; the checkpoint with the lowest validation loss is kept too (0: at the end).
      keep_checkpoints: how many of the newest checkpoints stay on disk.
      trunk: folder of a run with the schedule "wsd" that this one branches off where its own decay begins.
      branch_tokens: the `tokens` of runs that will branch off this one: checkpoints to keep for them.
      wandb: the Weights & Biases project to report to, if the package is installed (empty: none).
    """

    name: str = ""
    seed: int = 0
    tokens: int = 0
    context: int = 2050
    batch_size: int = 64
    micro_batch: int = 0
    z_loss: float = 0.0
    skip_updates: int = 0
    log_every: int = 20
    checkpoint_every: int = 1000
    validate_every: int = 0
    keep_checkpoints: int = 2
    trunk: str = ""
    branch_tokens: tuple[int, ...] = ()
    wandb: str = ""
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()  # noqa: RUF009 (frozen)
    optimizer: OptimizerConfig = OptimizerConfig()
    mesh: MeshConfig = MeshConfig()

    def __post_init__(self):
        for field in ("tokens", "context", "batch_size", "log_every", "checkpoint_every", "keep_checkpoints"):
            if getattr(self, field) < 1:
                raise InputError(
                    f"config.{field} is {getattr(self, field)}: set it to a whole number of at least 1"
                )
        for field in ("skip_updates", "validate_every"):
            if getattr(self, field) < 0:
                raise InputError(f"config.{field} is {getattr(self, field)}: set it to 0 or more")
        if not self.z_loss >= 0:
            raise InputError(f"config.z_loss is {self.z_loss}: set it to 0 or more")
        if self.micro_batch < -1 or (self.micro_batch > 0 and self.batch_size % self.micro_batch):
            raise InputError(
                f"config.micro_batch is {self.micro_batch}: set it to a divisor of config.batch_size "
                f"{self.batch_size}, to 0 for one pass, or to -1 for what fits into memory"
            )
        if self.model.positions == "learned" and self.model.max_positions < self.context:
            raise InputError(
                f"config.model.max_positions is {self.model.max_positions}, fewer than config.context "
                f"{self.context}: set it to at least as many, as each learned position is trained"
            )
        for field in ("trunk", "branch_tokens"):
            if getattr(self, field) and self.optimizer.schedule != "wsd":
                raise InputError(
                    f"config.{field} is set with the schedule {self.optimizer.schedule!r}: trunks and "
                    "branches need config.optimizer.schedule='wsd', whose rate is the same until the decay"
                )
        if any(tokens < 1 for tokens in self.branch_tokens):
            raise InputError(
                f"config.branch_tokens is {self.branch_tokens}: give the tokens of each branch, at least 1"
            )
        if not self.data.path:
            raise InputError(
                "config.data.path is empty: set it to the folder of a unit dataset, as slm tokenize makes"
            )

    @property
    def tokens_per_step(self) -> int:
        return self.batch_size * self.context

    @property
    def steps(self) -> int:
        """Updates of the whole run."""
        return -(-self.tokens // self.tokens_per_step)
