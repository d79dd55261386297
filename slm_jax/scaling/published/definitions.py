"""Exponents of accuracy in compute of the published runs, as the paper defines them and in other readings."""

import dataclasses
from collections.abc import Callable

import numpy as np

from slm_jax.scaling.bootstrap import Estimate, estimate
from slm_jax.scaling.csv_table import read_rows
from slm_jax.scaling.growth import ALL_RUNS, HIGHEST_ACCURACY, LOWEST_LOSS, Growth, fit_growth
from slm_jax.scaling.published import ONE_EPOCH, published_runs, published_table
from slm_jax.scaling.table import Runs

TASK = "blimp"  # the one both tables have
LARGEST_OF_PAPER = 1e10  # parameters: the paper leaves Pythia 12B out
CHANCE = 0.5
SHARED_COMPUTE = (2.6e18, 4.2e20)  # FLOPs both tables cover


def _everything(runs: Runs) -> np.ndarray:
    return np.ones(len(runs), bool)


def _as_in_paper(runs: Runs) -> np.ndarray:
    return runs.params_R < LARGEST_OF_PAPER


def _shared_compute(runs: Runs) -> np.ndarray:
    return (runs.flops_R >= SHARED_COMPUTE[0]) & (runs.flops_R <= SHARED_COMPUTE[1])


def _least_compute(runs: Runs) -> np.ndarray:
    return runs.flops_R <= 30 * runs.flops_R.min()


@dataclasses.dataclass(frozen=True)
class Definition:
    """Which runs the power law goes through, of what, and where it ends.

    `measure` is increasing in accuracy: the envelope of the highest accuracy is that of the highest measure.
    """

    name: str
    words: str
    keep: Callable[[Runs], np.ndarray] = _as_in_paper
    through: str = HIGHEST_ACCURACY
    saturates: bool = True
    measure: Callable[[np.ndarray], np.ndarray] = lambda accuracy_R: accuracy_R
    whole_runs: bool = True

    def fit(self, runs: Runs, task: str, resamples: int, rng: np.random.Generator) -> Growth | None:
        """The law of one table under this definition."""
        runs = runs.select(self.keep(runs))
        measured = dataclasses.replace(runs.tasks[task], accuracy_R=self.measure(runs.tasks[task].accuracy_R))
        runs = dataclasses.replace(runs, tasks={task: measured}, run=runs.run if self.whole_runs else ())
        return fit_growth(
            runs, task, resamples=resamples, rng=rng, through=self.through, saturates=self.saturates
        )


DEFINITIONS = (
    Definition(
        "paper", "Highest accuracy per FLOP, before saturation, without Pythia 12B: as the paper says"
    ),
    Definition(
        "checkpoints", "the same, but every checkpoint resampled as if it were a run", whole_runs=False
    ),
    Definition("with 12B", "the same with Pythia 12B", keep=_everything),
    Definition("saturated", "the same to the end, saturated or not", saturates=False),
    Definition(
        "shared compute",
        "the same, within the compute both tables cover",
        keep=lambda runs: _as_in_paper(runs) & _shared_compute(runs),
    ),
    Definition(
        "least compute",
        "the same, within the first factor 30 of each table's compute",
        keep=lambda runs: _as_in_paper(runs) & _least_compute(runs),
    ),
    Definition(
        "one epoch",
        "the same, without models that saw data more than once (speech)",
        keep=lambda runs: (
            _as_in_paper(runs) & ((runs.tokens_R <= ONE_EPOCH) | (np.array(runs.modality) == "text"))
        ),
    ),
    Definition(
        "lowest loss",
        "Runs of the lowest loss per FLOP (speech: by the paper's law; text: perplexity of LAMBADA)",
        through=LOWEST_LOSS,
    ),
    Definition("all", "All runs", through=ALL_RUNS, saturates=False),
    Definition("all before saturation", "All runs, before saturation", through=ALL_RUNS),
    Definition(
        "above chance", "Accuracy above chance, Q - 1/2", measure=lambda accuracy_R: accuracy_R - CHANCE
    ),
    Definition(
        "error",
        "Error 1 - Q (its exponent, with the sign changed)",
        measure=lambda accuracy_R: 1 / (1 - accuracy_R),
    ),
)


def text_runs() -> Runs:
    """The Pythia table with the log perplexity of LAMBADA in the place of the loss it lacks."""
    runs = published_runs("pythia")
    perplexity_R = [float(row["lambada_perplexity"]) for row in read_rows(published_table("pythia"))[0]]
    source = ("log perplexity of LAMBADA",) * len(runs)
    return dataclasses.replace(runs, loss_R=np.log(perplexity_R), loss_source=source)


def exponents(resamples: int = 1000, seed: int = 0) -> list[dict]:
    """For each definition the exponents of speech and of text on (s)BLIMP, and text over speech."""
    sides = {"speech": published_runs("speech"), "text": text_runs()}
    rows = []
    for number, definition in enumerate(DEFINITIONS):
        fitted = {
            side: definition.fit(runs, TASK, resamples, np.random.default_rng([seed, number, place]))
            for place, (side, runs) in enumerate(sides.items())
        }
        rows.append(
            {
                "name": definition.name,
                "words": definition.words,
                **{side: _side(growth) for side, growth in fitted.items()},
                "ratio": _ratio(fitted["text"], fitted["speech"]),
            }
        )
    return rows


def _side(growth: Growth) -> dict:
    saturation = np.exp(growth.saturation_1B[0])
    return {
        "exponent": growth.estimate(growth.gamma_1B),
        "runs": len(growth.flops_F),
        "flops": [float(growth.flops_F.min()), float(growth.flops_F.max())],
        "saturates_at": float(saturation) if np.isfinite(saturation) else None,
    }


def _ratio(faster: Growth, slower: Growth) -> Estimate:
    tails = [growth.tail for growth in (faster, slower)]
    ratio_1B = faster.gamma_1B / slower.gamma_1B
    return estimate(ratio_1B[0], ratio_1B[1:], None if None in tails else min(tails))
