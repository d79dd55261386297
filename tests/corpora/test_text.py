import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm_jax.corpora import VOICES, read_text
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
    passages = divide(" ".join([sentence] * 20))
    assert len(passages) > 3
    assert " ".join(passages) == " ".join([sentence] * 20)
    for passage in passages:
        assert len(passage.split()) <= WORDS_PER_PASSAGE
        assert passage[-1] in '!"'
        assert not passage.startswith(("Hill", "Watson"))


@given(st.lists(st.text(st.sampled_from("ab.!? \n\"'A"), max_size=40)).map(" ".join))
def test_dividing_loses_no_word(paragraph):
    words = " ".join(divide(paragraph)).split()
    kept = [word for word in paragraph.split() if any(c.isalnum() for c in word)]
    assert [word for word in words if any(c.isalnum() for c in word)] == kept


def test_rows_with_text_keep_their_fields(tmp_path):
    rows = [{"text": "Hello there.", "id": "h", "split": "train", "topic": 3}, {"text": "Good bye."}]
    write_jsonl(tmp_path / "t.jsonl", rows)
    first, second = read_text(tmp_path / "t.jsonl")
    assert (first.id, first.text) == ("h", "Hello there.")
    assert first.fields == {"source": "t", "split": "train", "topic": 3}
    assert second.id == "t-000001"


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", " \n\n ---\n", "t.txt: no text in the file"),
        ("t.jsonl", "", "t.jsonl: no text in the file"),
        ("t.jsonl", '{"text": "a"}\n{"words": "b"}', 't.jsonl, record 2: no text under "text"'),
        ("t.jsonl", '{"text": ""}', 't.jsonl, record 1: no text under "text"'),
        ("t.jsonl", '{"sentence_good": "a"}', 't.jsonl, record 1: no text under "sentence_bad"'),
        ("t.txt", b"\xff\xfe\xff", "t.txt: not UTF-8 text"),
    ],
)
def test_bad_text_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_text(tmp_path / name)


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
