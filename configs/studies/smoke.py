"""A whole study on a laptop in about a quarter of an hour: text to speech to units to models to laws."""

from slm_jax.study import default_study


def get_config():
    study = default_study()
    study.name = "smoke"
    study.title = "Do small speech language models scale?"
    study.corpora.stories = {"kind": "grammar", "stories": 5000}
    study.tokens.units = {"kind": "units", "frame_rate": 25, "units": 200}
    study.tasks.minimal_pairs = {"kind": "minimal_pairs", "pairs": 50}
    study.tasks.topic_cloze = {"kind": "topic_cloze", "items": 80}
    study.arms.speech = {"corpus": "stories", "tokens": "units"}
    study.grid.budgets = (1e11, 3e11, 1e12, 3e12)
    study.grid.sizes = ("12k", "30k", "90k", "170k", "440k")
    study.grid.min_steps = 60
    study.grid.max_epochs = 6.0
    study.context = 320
    study.batch_size = 4
    study.optimizer.peak_rate = 8e-3
    study.optimizer.final_rate = 8e-4
    study.optimizer.min_warmup_steps = 20
    return study
