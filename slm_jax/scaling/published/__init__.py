"""Published figures as tables of runs, to fit beside one's own.

`speech`: the 31 speech language models published with Cuervo & Marxer, "Scaling Properties of Speech Language
Models" (EMNLP 2024, arXiv 2404.00685): parameters, tokens, and accuracies on sBLIMP (`blimp`: the mean over
its 12 phenomena), spoken topic StoryCloze (`tstorycloze`) and StoryCloze (`sstorycloze`). Their losses were
not published: `loss` is the paper's law at their size and tokens, and `loss_source` says so.

`pythia`: 105 checkpoints of seven text models of Biderman et al., "Pythia: A Suite for Analyzing Large
Language Models Across Training and Scaling" (ICML 2023, arXiv 2304.01373), from the suite's published
evaluations (which list one of 106 twice): `blimp` is the mean accuracy over BLiMP's 67 paradigms. There is no
loss; `lambada_perplexity` is that of the last words of LAMBADA. The checkpoints of a model are one `run`.

Only figures are taken from either.
"""

import pathlib

from slm_jax.errors import InputError
from slm_jax.scaling.table import Runs, read_runs

HERE = pathlib.Path(__file__).parent
PUBLISHED_TABLES = ("speech", "pythia")

PUBLISHED_SPEECH_LAW = {"E": 1.73, "A": 13.9, "B": 39.8, "alpha": 0.25, "beta": 0.24}  # table 5
ONE_EPOCH = 10.89e9  # units in all their data
# Exponents of accuracy in compute, and ratios text over speech, of the same paper (table 4, section 4.3.1).
EXPONENTS = {
    "blimp": {"text": 0.066, "speech": 0.021, "ratio": 3.14},
    "tstorycloze": {"text": 0.039, "speech": 0.025, "ratio": 1.56},
    "sstorycloze": {"text": 0.046, "speech": 0.017, "ratio": 2.7},
}


def published_table(name: str) -> pathlib.Path:
    """The CSV file of published figures called `name`. Raises InputError naming those there are."""
    if name not in PUBLISHED_TABLES:
        raise InputError(f"no published table is called {name!r}; there are {', '.join(PUBLISHED_TABLES)}")
    return HERE / f"{name}.csv"


def published_runs(name: str) -> Runs:
    """The published figures called `name` as a table of runs."""
    return read_runs(published_table(name))
