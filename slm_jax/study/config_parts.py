"""What the config of a study names: the grid of runs, arms, and claims about them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class GridConfig:
    """The runs of an arm: every size at every budget where it gets enough updates and not too many tokens.

    Attributes:
      budgets: FLOPs. A run of budget C and size N sees D = C / (6 N) tokens.
      sizes: names of `model.SIZES`; none for the isoFLOP rule: at each budget all from N* / `span` to `span`
        times N*, which is what the published law of speech units holds best for it.
      seeds: each run is made with each of them.
      min_steps: a run is left out when it makes fewer updates,
      max_epochs: or more passes over the corpus, beyond which repeated data are worth little (Muennighoff et
        al. 2023).
      branches: whether the runs of a size and seed share one trunk of updates, as far as their learning rates
        are the same; for the schedule "wsd".
    """

    budgets: tuple[float, ...] = (1e11, 1e12, 1e13)
    sizes: tuple[str, ...] = ("30k", "90k", "170k", "440k")
    seeds: tuple[int, ...] = (0,)
    span: float = 4.0
    min_steps: int = 100
    max_epochs: float = 8.0
    branches: bool = False


@dataclasses.dataclass(frozen=True)
class ArmConfig:
    """One arm of a study: models of one architecture, trained on the same corpora in one kind of tokens.

    Attributes:
      corpus, tokens: names in config.corpora and config.tokens. Losses are on the held-out part of `corpus`.
      also: names of further corpora to mix in, each as much as there is of it.
      model: fields of the model config beside those of the size, such as {"block": "parallel"}.
      budgets, sizes, seeds, context, batch_size: this arm's own, where the study's do not fit (none or 0: as
        the study has them).
    """

    corpus: str = ""
    also: tuple[str, ...] = ()
    tokens: str = ""
    model: dict[str, object] = dataclasses.field(default_factory=dict)
    budgets: tuple[float, ...] = ()
    sizes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    context: int = 0
    batch_size: int = 0

    @property
    def corpora(self) -> tuple[str, ...]:
        """All that the models are trained on."""
        return (self.corpus, *self.also)


@dataclasses.dataclass(frozen=True)
class ClaimConfig:
    """A claim about two arms at equal compute: that the first is better than the second on a measure.

    Attributes:
      says: the claim in words.
      arms: the better and the other.
      measure: a task of both, whose accuracy is to be higher; "growth of TASK", the exponent of that accuracy
        in compute; "loss_per_second" on the held-out part of the corpus, which both have to share, with the
        units that their tokens are made of; or "loss" per token, for two arms of the same tokens.
      note: a sentence that whoever reads the verdict has to know, such as what favours an arm.
    """

    says: str = ""
    arms: tuple[str, ...] = ()
    measure: str = ""
    note: str = ""
