"""The four claims at 1e15 to 1e17 FLOPs, for one GPU: stories and prose of your own, read by the synthesizer.

Expects under data/: stories.txt (TinyStories, say: stories between <|endoftext|>), prose.txt (books, as
plain text), mhubert-25hz/ (a HuBERT of 25 frames a second with its config.json), blimp.zip and storycloze.csv
as they are published (docs/tasks.md). 1e17 FLOPs are up to 8e8 units, about 11,000 hours: with less text,
give fewer budgets. `slm plan --config=configs/studies/paper_gpu.py` says what it will take.
"""

from slm_jax.study import default_study

VOICES = ("us_female",)  # of the stories and the prose, and so of the questions
COMPARED = {"budgets": (1e16, 1e17), "sizes": ("5M", "10M", "20M")}


def get_config():
    study = default_study()
    study.name = "paper_gpu"
    study.title = "Four claims about speech language models, on one GPU"
    study.corpora.stories = {"kind": "text", "path": "data/stories.txt", "voices": VOICES}
    study.corpora.prose = {"kind": "text", "path": "data/prose.txt", "voices": VOICES}
    hubert = {"encoder": "hubert", "weights": "data/mhubert-25hz", "settings": {"layer": 11}}
    study.tokens.units = {"kind": "units", "units": 500, "sample_seconds": 360_000.0, **hubert}
    study.tokens.units_k100 = {"kind": "units", "units": 100, "sample_seconds": 360_000.0, **hubert}
    study.tokens.pieces = {"kind": "pieces", "of": "units", "vocabulary": 5000}
    study.tokens.words = {"kind": "text", "model": "unigram", "vocabulary": 5000}
    study.fit_on = "stories"
    for task, path in (("blimp", "data/blimp.zip"), ("topic_cloze", "data/storycloze.csv")):
        study.tasks[task] = {"kind": "published", "task": task, "path": path, "voices": VOICES}
    study.arms.speech = {"corpus": "stories", "tokens": "units"}
    study.arms.text = {"corpus": "stories", "tokens": "words"}
    study.arms.prose = {"corpus": "prose", "tokens": "units", **COMPARED}
    study.arms.pieces = {"corpus": "stories", "tokens": "pieces", **COMPARED}
    study.arms.speech_k100 = {"corpus": "stories", "tokens": "units_k100", **COMPARED}
    study.claims.text_grows_faster = {
        "says": "Accuracy on BLiMP grows faster with compute for text than for speech",
        "arms": ("text", "speech"),
        "measure": "growth of blimp",
    }
    study.claims.stories_teach_meaning = {
        "says": "Simple stories teach meaning better than prose at equal compute",
        "arms": ("speech", "prose"),
        "measure": "topic_cloze",
    }
    study.claims.pieces_cost_accuracy = {
        "says": "Units give better accuracy on BLiMP than pieces of them at equal compute",
        "arms": ("speech", "pieces"),
        "measure": "blimp",
    }
    study.claims.more_units = {
        "says": "500 units give better accuracy on BLiMP than 100 at equal compute",
        "arms": ("speech", "speech_k100"),
        "measure": "blimp",
    }
    study.grid.budgets = (1e15, 3e15, 1e16, 3e16, 1e17)
    study.grid.sizes = ("2M", "5M", "10M", "20M", "85M")
    study.grid.seeds = (0, 1)
    study.grid.max_epochs = 4.0
    study.grid.branches = True
    study.context = 2050
    study.batch_size = 32
    study.optimizer.schedule = "wsd"
    study.optimizer.peak_rate = 2e-3
    study.optimizer.final_rate = 0.0
    return study
