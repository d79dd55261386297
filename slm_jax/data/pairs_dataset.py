"""Reading minimal pairs: one record a candidate, grouped by pair and voice."""

import collections
import dataclasses

import numpy as np

from slm_jax.corpora import check_question
from slm_jax.data import schema
from slm_jax.data.unit_dataset import UnitDataset
from slm_jax.errors import InputError


@dataclasses.dataclass
class Candidate:
    """One candidate of a minimal pair; (group, voice) has one good and at least one bad candidate.

    `seconds` is how long its audio lasts, 0 where that is not known.
    """

    id: str
    group: str
    phenomenon: str
    voice: str
    correct: bool
    units: np.ndarray
    seconds: float = 0.0


class PairsDataset(UnitDataset):
    """A dataset of candidates, stored as `UnitDataset` stores recordings."""

    kind = schema.PAIRS

    def candidates(self) -> list[Candidate]:
        """Every candidate of every split, in order.

        Raises InputError naming the group and voice that lack a good or a bad candidate.
        """
        fields = [field.name for field in dataclasses.fields(Candidate)]
        candidates = [
            Candidate(**{field: example[field] for field in fields})
            for split in self.splits
            for example in self.examples(split)
        ]
        self._check(candidates)
        return candidates

    def _check(self, candidates: list[Candidate]) -> None:
        good, bad = collections.Counter(), collections.Counter()
        for candidate in candidates:
            if len(candidate.units) == 0 or candidate.units.max() >= self.tokenizer["k"]:
                raise InputError(
                    f"{self.directory}: candidate {candidate.id!r} is empty or holds a unit outside "
                    f"0..{self.tokenizer['k'] - 1}; encode the pairs again"
                )
            (good if candidate.correct else bad)[candidate.group, candidate.voice] += 1
        for group, voice in good | bad:
            check_question(
                self.directory,
                group,
                voice,
                good=good[group, voice],
                bad=bad[group, voice],
                fix="correct the manifest and encode the pairs again",
            )
