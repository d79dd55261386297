"""The published runs of speech and text, fitted beside the numbers of the paper: seconds, no training."""

from slm_jax.study import default_tables


def get_config():
    study = default_tables()
    study.name = "published"
    study.title = "What does compute buy, in speech and in text?"
    study.tables = ("speech", "pythia")
    study.beside_paper = True
    return study
