"""Where a run is: what a checkpoint holds beside the arrays, as JSON."""

import dataclasses

from slm_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Position:
    """The place of a state in its run.

    The data position is the step alone: update s + 1 reads the rows from s * batch_size on of the sequence
    that `seed` and the datasets decide. Rows, seed and fingerprints are there to check that a restored state
    goes on in the same sequence.

    Attributes:
      step: updates done.
      rows: training rows read.
      seed: of the order of the data.
      data: fingerprints of the datasets and their tokenizer.
      skipped_updates: left out so far because they were not finite.
      pending: metrics of the updates since the last row of metrics.jsonl, so that the next row is the mean
        over the same updates wherever a run was interrupted.
      seconds: what the time since that row was spent on.
      validation_due: whether the run was stopped before the validation of this step, and before its row.
    """

    step: int
    rows: int
    seed: int
    data: dict
    skipped_updates: int = 0
    pending: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    validation_due: bool = False

    def check(self, there: "Position", where: object) -> None:
        """Raises InputError when `there`, of the checkpoint at `where`, is not this place in the data."""
        for field in ("step", "rows", "seed", "data"):
            expected, found = getattr(self, field), getattr(there, field)
            if expected != found:
                raise InputError(
                    f"{where}: the checkpoint is of another place in the data ({field} {found!r} there, "
                    f"{expected!r} in this run); give another --workdir"
                )
