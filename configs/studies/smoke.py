"""A whole study on a laptop in about a quarter of an hour: text to speech to units to models to laws."""

from slm_jax.study import default_study


def get_config():
    study = default_study()
    study.name = "smoke"
    study.title = "Do small speech language models scale?"
    study.corpus.stories = 5000
    study.corpus.pairs_per_phenomenon = 50
    study.corpus.cloze_items = 80
    study.tokenizer.frame_rate = 25
    study.tokenizer.units = 200
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
