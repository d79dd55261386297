"""The study at the paper's scale, 1e18 to 1e20 FLOPs, for a TPU pod: its corpora, sizes, recipe and units.

Expects the corpora as they unpack under data/ (docs/corpora.md), and in data/tokenizer/ HuBERT with its
published centroids, as slm tokenizer import makes it. Prepare it once, then start slm study train on every
host (docs/launching.md). Losses are on the held-out part of the audiobooks, but for the arm of stories.

Arms that claims compare have three sizes and two seeds in common. At 1e19 FLOPs the smallest of them would be
more than max_epochs passes over the audiobooks, or over the stories, and is left out.
"""

from slm_jax.study import default_study

AUDIOBOOKS = ("librispeech:data/LibriSpeech", "librilight:data/LibriLight")
TALKS = (
    "spoken_wikipedia:data/SpokenWikipedia",
    "tedlium3:data/TEDLIUM_release-3",
    "peoples_speech:data/PeoplesSpeech",
    "voxpopuli:data/VoxPopuli",
)
STORIES = ("tinystories:data/sTinyStories",)
EVERYTHING = {"corpus": "audiobooks", "also": ("talks", "stories")}
COMPARED = {"budgets": (3e18, 1e19), "sizes": ("85M", "155M", "309M")}


def get_config():
    study = default_study()
    study.name = "paper_pod"
    study.title = "Scaling properties of speech language models"
    study.corpora.audiobooks = {"kind": "audio", "paths": AUDIOBOOKS}
    study.corpora.talks = {"kind": "audio", "paths": TALKS}
    study.corpora.stories = {"kind": "audio", "paths": STORIES}
    study.tokens.units = {"kind": "folder", "path": "data/tokenizer"}
    study.tokens.pieces = {"kind": "pieces", "of": "units", "vocabulary": 5000}
    for task in ("sblimp", "sstorycloze", "tstorycloze"):
        study.tasks[task] = {"kind": "published", "task": task, "path": f"data/{task}"}
    study.arms.speech = {"tokens": "units", **EVERYTHING}
    study.arms.pieces = {"tokens": "pieces", **EVERYTHING, **COMPARED}
    study.arms.stories = {"corpus": "stories", "tokens": "units", **COMPARED}
    study.arms.audiobooks = {"corpus": "audiobooks", "tokens": "units", **COMPARED}
    study.claims.stories_teach_meaning = {
        "says": "Simple stories teach meaning better than audiobooks at equal compute",
        "arms": ("stories", "audiobooks"),
        "measure": "tstorycloze",
    }
    study.claims.pieces_cost_accuracy = {
        "says": "Units give better accuracy on sBLIMP than pieces of them at equal compute",
        "arms": ("speech", "pieces"),
        "measure": "sblimp",
    }
    study.grid.budgets = (1e18, 3e18, 1e19, 3e19, 1e20)
    study.grid.sizes = ("20M", "85M", "155M", "309M", "823M")
    study.grid.seeds = (0, 1)
    study.grid.max_epochs = 4.0
    study.context = 2050
    study.batch_size = 256
    study.checkpoint_every = 1000
    study.mesh.fsdp = 4
    return study
