"""Where speech comes from: a story grammar, text files, audio corpora, and speech synthesis."""

from slm_jax.corpora.adapters import ADAPTERS
from slm_jax.corpora.cloze import draw_cloze
from slm_jax.corpora.corpus import cloze_utterances, pair_utterances, story_utterances, write_corpus
from slm_jax.corpora.find import find_recordings, stream_recordings
from slm_jax.corpora.folder import scan_folder
from slm_jax.corpora.manifest import read_manifest, write_manifest
from slm_jax.corpora.pairs import PHENOMENA, draw_pairs
from slm_jax.corpora.prose import prose_utterances, write_prose
from slm_jax.corpora.question import check_question
from slm_jax.corpora.recording import Recording
from slm_jax.corpora.segments import segment
from slm_jax.corpora.split import assign_split, split_of
from slm_jax.corpora.synthesis import speak
from slm_jax.corpora.tasks import TASKS, TaskData, open_task, spoken
from slm_jax.corpora.text import divide, read_text, text_recordings, written_recordings
from slm_jax.corpora.utterance import VOICES, Utterance

__all__ = [
    "ADAPTERS",
    "PHENOMENA",
    "TASKS",
    "VOICES",
    "Recording",
    "TaskData",
    "Utterance",
    "assign_split",
    "check_question",
    "cloze_utterances",
    "divide",
    "draw_cloze",
    "draw_pairs",
    "find_recordings",
    "open_task",
    "pair_utterances",
    "prose_utterances",
    "read_manifest",
    "read_text",
    "scan_folder",
    "segment",
    "speak",
    "split_of",
    "spoken",
    "story_utterances",
    "stream_recordings",
    "text_recordings",
    "write_corpus",
    "write_manifest",
    "write_prose",
    "written_recordings",
]
