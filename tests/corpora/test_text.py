import collections
import pathlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm_jax.corpora import VOICES, Recording, read_text, split_of, text_recordings
from slm_jax.corpora.text import WORDS_PER_PASSAGE, divide
from slm_jax.errors import InputError
from slm_jax.files import write_jsonl


def test_plain_text_passages_are_separated_by_blank_lines(tmp_path):
    (tmp_path / "book.txt").write_text(
        "One day,\na fox slept.\n\n \t\n***\n\nIt was tired.\r\n\r\nThe end", "utf-8"
    )
    utterances = read_text(tmp_path / "book.txt")
    assert [u.text for u in utterances] == ["One day, a fox slept.", "It was tired.", "The end"]
    assert [u.id for u in utterances] == ["book-000000", "book-000001", "book-000002"]
    assert all(u.voice in VOICES and u.fields["source"] == "book" for u in utterances)
    assert all(u.fields["split"] in ("train", "validation") for u in utterances)


def test_long_prose_is_divided_at_sentence_ends():
    sentence = 'He said to Mrs. Hill, "Let us go to the river." Dr. Watson came with them!'
    passages = divide(" ".join([sentence] * 20), WORDS_PER_PASSAGE)
    assert len(passages) > 3
    assert " ".join(passages) == " ".join([sentence] * 20)
    for passage in passages:
        assert len(passage.split()) <= WORDS_PER_PASSAGE
        assert passage[-1] in '!"'
        assert not passage.startswith(("Hill", "Watson"))


@given(st.lists(st.text(st.sampled_from("ab.!? \n\"'A"), max_size=40)).map(" ".join))
def test_dividing_loses_no_word(paragraph):
    words = " ".join(divide(paragraph, WORDS_PER_PASSAGE)).split()
    kept = [word for word in paragraph.split() if any(c.isalnum() for c in word)]
    assert [word for word in words if any(c.isalnum() for c in word)] == kept


def test_rows_with_text_keep_their_fields(tmp_path):
    rows = [{"text": "Hello there.", "id": "h", "split": "train", "topic": 3}, {"text": "Good bye."}]
    write_jsonl(tmp_path / "t.jsonl", rows)
    first, second = read_text(tmp_path / "t.jsonl")
    assert (first.id, first.text) == ("h", "Hello there.")
    assert first.fields == {"source": "t", "split": "train", "topic": 3}
    assert second.id == "t-000001"


def test_rows_may_be_numbered(tmp_path):
    write_jsonl(tmp_path / "t.jsonl", [{"text": "Hello.", "id": 7}])
    assert read_text(tmp_path / "t.jsonl")[0].id == "7"
    pair = {"sentence_good": "She sees herself.", "sentence_bad": "She sees himself.", "pairID": 12}
    write_jsonl(tmp_path / "p.jsonl", [pair])
    assert read_text(tmp_path / "p.jsonl")[0].fields["group"] == "p-12"


def test_blimp_pairs_are_spoken_in_every_voice(tmp_path):
    rows = [
        {
            "sentence_good": f"Mary saw herself {i}.",
            "sentence_bad": f"Mary saw himself {i}.",
            "UID": "anaphor",
            "pairID": str(i),
        }
        for i in range(3)
    ]
    write_jsonl(tmp_path / "p.jsonl", rows)
    utterances = read_text(tmp_path / "p.jsonl")
    assert len(utterances) == 3 * 2 * len(VOICES) == len({u.id for u in utterances})
    for u in utterances:
        assert u.fields["group"] == f"anaphor-{u.text[-2]}"
        assert u.fields["phenomenon"] == "anaphor"
        assert u.fields["voice"] == u.voice
        assert u.fields["correct"] == ("herself" in u.text)


def test_a_story_is_a_recording_spoken_when_it_is_needed(tmp_path):
    (tmp_path / "s.txt").write_text("\ufeffA fox slept.\n\n***\n\nIt woke.\r\n", "utf-8")
    recordings = list(text_recordings(tmp_path / "s.txt"))
    assert recordings == [
        Recording(f"s-{index:07d}", pathlib.Path("espeak:us_female"), "us_female", "s", text=text)
        for index, text in ((0, "A fox slept."), (2, "It woke."))
    ]


def test_stories_that_end_with_a_mark_may_have_paragraphs(tmp_path):
    text = "One.\n\nTwo.\n<|endoftext|>\nThree.<|endoftext|>Four.\n\nFive."
    (tmp_path / "s.txt").write_text(text)
    assert [r.text for r in text_recordings(tmp_path / "s.txt")] == ["One. Two.", "Three.", "Four. Five."]
    assert [u.text for u in read_text(tmp_path / "s.txt")] == ["One. Two.", "Three.", "Four. Five."]


def test_a_very_long_story_is_divided_and_its_passages_share_a_split(tmp_path):
    (tmp_path / "s.txt").write_text("A short one.\n\n" + "The fox went on and on that day. " * 200)
    first, *passages = text_recordings(tmp_path / "s.txt")
    assert (first.id, first.parent) == ("s-0000000", None)
    assert [p.id for p in passages] == ["s-0000001-000", "s-0000001-001", "s-0000001-002", "s-0000001-003"]
    assert sum(len(p.text.split()) for p in passages) == 200 * 8
    assert {p.parent for p in passages} == {"s-0000001"}
    assert len({split_of(p) for p in passages}) == len({p.path for p in passages}) == 1


def test_rows_are_recordings_with_their_fields(tmp_path):
    write_jsonl(tmp_path / "t.jsonl", [{"text": "Hello.", "id": "h", "split": "test", "topic": 3}])
    (recording,) = text_recordings(tmp_path / "t.jsonl", voices=("us_male",))
    assert (recording.id, recording.text, recording.split) == ("h", "Hello.", "test")
    assert (str(recording.path), recording.fields) == ("espeak:us_male", {"topic": 3})
    pair = {"sentence_good": "Mary saw herself.", "sentence_bad": "Mary saw himself.", "UID": "anaphor"}
    write_jsonl(tmp_path / "p.jsonl", [pair])
    good, bad = text_recordings(tmp_path / "p.jsonl")
    assert (good.text, good.fields["correct"]) == ("Mary saw herself.", True)
    assert (bad.text, bad.fields["correct"]) == ("Mary saw himself.", False)
    assert good.fields["group"] == bad.fields["group"] and good.split is None


def test_text_is_read_as_it_is_needed(tmp_path):
    """The first story of a file comes without its last: what is wrong there is found when it is reached."""
    (tmp_path / "s.txt").write_bytes(b"One.\n\n" * 10_000 + b"\xff")
    stories = text_recordings(tmp_path / "s.txt")
    assert next(stories).text == "One."
    tracemalloc.start()
    with pytest.raises(InputError, match=r"s.txt, line 20001: not UTF-8"):
        collections.deque(stories, maxlen=0)
    assert tracemalloc.get_traced_memory()[1] < 4e4  # the file has 6e4 bytes
    tracemalloc.stop()


def test_an_unknown_voice_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match="voice 'nobody': there is no such voice; choose from us_female"):
        text_recordings(tmp_path / "absent.txt", voices=("nobody",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", " \n\n ---\n", "t.txt: no text in the file"),
        ("t.jsonl", "", "t.jsonl: no text in the file"),
        ("t.jsonl", '{"text": "a"}\n{"words": "b"}', 't.jsonl, line 2: no text under "text"'),
        ("t.jsonl", '{"text": ""}', 't.jsonl, line 1: no text under "text"'),
        ("t.jsonl", '{"text": "a"}\n{"text": "a", "split": 3}', 't.jsonl, line 2: "split" is 3; write a'),
        ("t.jsonl", '{"text": "a", "source": 7}', 't.jsonl, line 1: "source" is 7; write a'),
        ("t.jsonl", '{"text": "a", "id": null}', 't.jsonl, line 1: "id" is None; write a'),
        (
            "t.jsonl",
            '{"sentence_good": "a", "sentence_bad": "b", "UID": 4}',
            't.jsonl, line 1: "UID" is 4; write a',
        ),
        ("t.jsonl", '{"sentence_good": "a"}', 't.jsonl, line 1: no text under "sentence_bad"'),
        ("t.txt", b"\xff\xfe\xff", "t.txt, line 1: not UTF-8 text"),
    ],
)
def test_bad_text_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_text(tmp_path / name)
    with pytest.raises(InputError, match=message):
        list(text_recordings(tmp_path / name))


def test_a_missing_text_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt: no such text file"):
        read_text(tmp_path / "absent.txt")


def test_real_books():
    folder = pathlib.Path(__file__).parents[3] / "shared/data"
    if not folder.is_dir():
        pytest.skip("no real text here")
    for name in ("sherlock.txt", "tinystories_sample.txt"):
        utterances = read_text(folder / name)
        lengths = [len(u.text.split()) for u in utterances]
        assert len(utterances) > 500
        assert sum(length > WORDS_PER_PASSAGE for length in lengths) < 0.1 * len(lengths)
