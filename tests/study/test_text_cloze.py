"""Topic cloze from a text: every ending once right and once wrong, none that a corpus trains on."""

import collections

import pytest

from slm_jax.corpora import split_of, written_recordings
from slm_jax.errors import InputError
from slm_jax.files import read_jsonl
from slm_jax.study.corpora.text import Corpus
from slm_jax.study.tasks.text_cloze import Task

STORIES = 600


@pytest.fixture
def stories(tmp_path):
    path = tmp_path / "stories.txt"
    story = "One day cat {0} met dog {0}. They ran to tree {0}. Then it rained. They went home to house {0}."
    path.write_text("\n<|endoftext|>\n".join(story.format(number) for number in range(STORIES)))
    return path


def items_of(task, tmp_path):
    (tmp_path / "task").mkdir()
    task.write(tmp_path / "task", seed=3)
    return read_jsonl(tmp_path / "task" / "cloze.jsonl")


def test_every_ending_is_once_right_and_once_wrong(stories, tmp_path):
    rows = items_of(Task(str(stories), items=8, sentences=2), tmp_path)
    assert len(rows) == 8
    ends = {"good": collections.Counter(), "bad": collections.Counter()}
    for row in rows:
        context = "Then it rained. They went"
        for candidate in ends:
            beginning, _, ending = row[f"sentence_{candidate}"].partition(context)
            assert beginning.startswith("They ran to tree")  # two sentences before the ending
            ends[candidate][ending] += 1
        assert row["sentence_good"] != row["sentence_bad"]
    assert ends["good"] == ends["bad"]
    assert set(ends["good"].values()) == {1}


def test_items_come_from_texts_that_no_model_sees(stories, tmp_path):
    rows = items_of(Task(str(stories), items=8), tmp_path)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    kind = Corpus(str(stories))
    kind.write(corpus, seed=0)
    split = {recording.id: split_of(recording) for recording in kind.recordings(corpus, "text")}
    assert len(split) == STORIES
    assert {split[row["pairID"]] for row in rows} == {"validation"}


def test_candidates_are_spoken_in_every_voice_and_written_once(stories, tmp_path):
    task = Task(str(stories), items=4)
    items_of(task, tmp_path)
    spoken, written = (list(task.recordings(tmp_path / "task", modality)) for modality in ("speech", "text"))
    assert len(spoken) == 4 * 2 * len(task.voices)
    assert len(written) == 4 * 2
    assert {recording.text for recording in spoken} == {recording.text for recording in written}


def test_too_few_texts_are_an_error(stories, tmp_path):
    with pytest.raises(InputError, match=r"of the split validation have a beginning.*fewer items than 500"):
        items_of(Task(str(stories), items=500), tmp_path)


def test_a_corpus_ends_before_its_most_words(stories, tmp_path):
    kind = Corpus(str(stories), most_words=95)
    (tmp_path / "corpus").mkdir()
    kind.write(tmp_path / "corpus", seed=0)
    texts = [recording.text for recording in kind.recordings(tmp_path / "corpus", "speech")]
    assert texts == [recording.text for recording in written_recordings(stories)][: len(texts)]
    assert sum(len(text.split()) for text in texts) <= 95 < sum(len(text.split()) for text in texts) + 22
