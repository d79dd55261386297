"""The config of a study whose speech and models are made in seconds."""

from slm_jax.study import default_study


def tiny_study(**changes):
    """A ConfigDict: an arm of speech and one of letters, on 40 stories."""
    study = default_study()
    study.corpora.stories = {"kind": "grammar", "stories": 40}
    study.tokens.units = {"kind": "units", "units": 30, "sample_seconds": 60.0}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    study.tasks.minimal_pairs = {"kind": "minimal_pairs", "pairs": 2, "voices": ("us_male",)}
    study.arms.speech = {"corpus": "stories", "tokens": "units"}
    study.arms.text = {"corpus": "stories", "tokens": "letters"}
    study.grid.budgets, study.grid.sizes = (1e9,), ("12k", "30k")
    study.grid.min_steps, study.grid.max_epochs = 2, 1000.0
    study.context, study.batch_size = 320, 8
    study.optimizer.min_warmup_steps = 1
    study.update(changes)
    return study
