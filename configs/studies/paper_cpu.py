"""The four claims of Cuervo & Marxer (2024) in miniature, on two cores: speech and text of the same stories.

All arms have the same recipe and compute, and two seeds. Every run of the other arms has its counterpart of
the same size, budget and seed among those of speech, but for speech_50hz-30k-3e12 (both seeds), which no
claim counts: so many tokens would be more than max_epochs passes over the units of 25 frames a second.
"""

from slm_jax.study import default_study

COMPARED = {"budgets": (1e12, 3e12), "sizes": ("30k", "90k", "170k")}


def get_config():
    study = default_study()
    study.name = "paper_cpu"
    study.title = "Four claims about speech language models, in miniature"
    study.corpora.stories = {"kind": "grammar", "stories": 8000}
    study.corpora.prose = {"kind": "prose", "passages": 6080}
    study.tokens.units = {"kind": "units", "frame_rate": 25, "units": 200}
    study.tokens.units_50hz = {"kind": "units", "frame_rate": 50, "units": 200}
    study.tokens.units_k50 = {"kind": "units", "frame_rate": 25, "units": 50}
    study.tokens.pieces = {"kind": "pieces", "of": "units", "vocabulary": 1000}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    study.fit_on = "stories"
    study.tasks.minimal_pairs = {"kind": "minimal_pairs", "pairs": 80}
    study.tasks.topic_cloze = {"kind": "topic_cloze", "items": 160}
    study.arms.speech = {"corpus": "stories", "tokens": "units"}
    study.arms.text = {"corpus": "stories", "tokens": "letters"}
    study.arms.prose = {"corpus": "prose", "tokens": "units", **COMPARED}
    study.arms.pieces = {"corpus": "stories", "tokens": "pieces", **COMPARED}
    study.arms.speech_50hz = {
        "corpus": "stories",
        "tokens": "units_50hz",
        "context": 640,
        "batch_size": 2,
        **COMPARED,
    }
    study.arms.speech_k50 = {"corpus": "stories", "tokens": "units_k50", **COMPARED}
    study.claims.text_grows_faster = {
        "says": "Accuracy on minimal pairs grows faster with compute for text than for speech",
        "arms": ("text", "speech"),
        "measure": "growth of minimal_pairs",
    }
    study.claims.text_knows_the_topic = {
        "says": "Text models tell the right ending of a story better than speech models at equal compute",
        "arms": ("text", "speech"),
        "measure": "topic_cloze",
    }
    study.claims.stories_teach_meaning = {
        "says": "Simple stories teach meaning better than prose at equal compute",
        "arms": ("speech", "prose"),
        "measure": "topic_cloze",
    }
    study.claims.stories_teach_syntax = {
        "says": "Simple stories teach syntax better than prose at equal compute",
        "arms": ("speech", "prose"),
        "measure": "minimal_pairs",
        "note": "The minimal pairs are sentences of the grammar that wrote the stories.",
    }
    study.claims.pieces_cost_accuracy = {
        "says": "Units give better accuracy on minimal pairs than pieces of them at equal compute",
        "arms": ("speech", "pieces"),
        "measure": "minimal_pairs",
    }
    study.claims.pieces_cost_loss = {
        "says": "Units give a lower loss per second of speech than pieces of them at equal compute",
        "arms": ("speech", "pieces"),
        "measure": "loss_per_second",
    }
    study.claims.slower_frames = {
        "says": "25 frames a second give better accuracy on minimal pairs than 50 at equal compute",
        "arms": ("speech", "speech_50hz"),
        "measure": "minimal_pairs",
    }
    study.claims.more_units = {
        "says": "200 units give better accuracy on minimal pairs than 50 at equal compute",
        "arms": ("speech", "speech_k50"),
        "measure": "minimal_pairs",
    }
    study.grid.budgets = (3e10, 1e11, 3e11, 1e12, 3e12)
    study.grid.sizes = ("12k", "30k", "90k", "170k", "440k")
    study.grid.seeds = (0, 1)
    study.grid.min_steps = 60
    study.grid.max_epochs = 6.0
    study.grid.branches = True
    study.context = 320
    study.batch_size = 4
    study.optimizer.schedule = "wsd"
    study.optimizer.peak_rate = 8e-3
    study.optimizer.final_rate = 0.0
    study.optimizer.min_warmup_steps = 20
    return study
