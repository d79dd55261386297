"""Stories against prose from text files of your own, spoken: which teaches more at equal compute?

Expects under data/: stories.txt and prose.txt to train on, and stories_held_out.txt, from which the questions
on meaning are made: how a story ends, against how another one does.
"""

from slm_jax.study import default_study

MOST_WORDS = 30_000  # of each corpus: two to three hours of speech


def get_config():
    study = default_study()
    study.name = "own_text"
    study.title = "Do simple stories teach more than books at equal compute?"
    study.corpora.stories = {"kind": "text", "path": "data/stories.txt", "most_words": MOST_WORDS}
    study.corpora.prose = {"kind": "text", "path": "data/prose.txt", "most_words": MOST_WORDS}
    study.tokens.units = {"kind": "units", "frame_rate": 25, "units": 200}
    study.tokens.letters = {"kind": "text", "model": "characters"}
    held_out = {"path": "data/stories_held_out.txt", "split": ""}
    study.tasks.story_endings = {"kind": "text_cloze", "items": 160, **held_out}
    study.tasks.minimal_pairs = {"kind": "minimal_pairs", "pairs": 50}
    study.arms.stories = {"corpus": "stories", "tokens": "units"}
    study.arms.prose = {"corpus": "prose", "tokens": "units"}
    study.arms.stories_text = {"corpus": "stories", "tokens": "letters"}
    study.arms.prose_text = {"corpus": "prose", "tokens": "letters"}
    for modality, arms in (("speech", ("stories", "prose")), ("text", ("stories_text", "prose_text"))):
        study.claims[f"meaning_in_{modality}"] = {
            "says": f"Stories teach how a story ends better than prose at equal compute ({modality})",
            "arms": arms,
            "measure": "story_endings",
        }
        study.claims[f"syntax_in_{modality}"] = {
            "says": f"Stories teach syntax better than prose at equal compute ({modality})",
            "arms": arms,
            "measure": "minimal_pairs",
            "note": "The minimal pairs are of a grammar of simple stories, and so of neither text.",
        }
    study.grid.budgets = (3e10, 1e11, 3e11, 1e12)
    study.grid.sizes = ("12k", "30k", "90k", "170k")
    study.grid.seeds = (0, 1)
    study.grid.min_steps = 60
    study.grid.max_epochs = 8.0
    study.grid.branches = True
    study.context = 640
    study.batch_size = 2
    study.optimizer.schedule = "wsd"
    study.optimizer.peak_rate = 8e-3
    study.optimizer.final_rate = 0.0
    study.optimizer.min_warmup_steps = 20
    return study
