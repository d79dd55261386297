"""Pieces of units: nothing is lost whatever the units, every run gives the same, and words are found."""

import collections
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm_jax.errors import InputError
from slm_jax.tokenizer import PieceTokenizer, read_config, train_pieces, write_external
from slm_jax.tokenizer.seeds import seed_strings

K = 300  # more than fit into one byte, so that units share the first bytes of their characters


@pytest.fixture(scope="module")
def words() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, K - 10, length).astype(np.uint16) for length in np.repeat([3, 4, 5], 20)]


@pytest.fixture(scope="module")
def recordings(words) -> list[np.ndarray]:
    """Words in random order: 16,000 units, in recordings longer and shorter than a training sentence."""
    order = np.random.default_rng(1).integers(0, len(words), 4000)
    stream = np.concatenate([words[index] for index in order])
    return np.split(stream, [10, 2500, 9000])


@pytest.fixture(scope="module")
def units_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    write_external(folder, origin="made up", k=K, frame_rate=25, collapse=False)
    return folder


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def tokenizer(request, recordings, units_dir) -> PieceTokenizer:
    model = train_pieces(recordings, k=K, vocabulary=500, model=request.param)
    return PieceTokenizer(read_config(units_dir), units_dir, model, {"model": request.param})


@settings(deadline=None, max_examples=200)
@given(units=st.lists(st.integers(0, K - 1), max_size=300))
def test_any_units_come_back(tokenizer, units):
    pieces = tokenizer.encode(np.array(units, np.uint16))
    decoded = tokenizer.decode(pieces)
    assert decoded.tolist() == units
    assert pieces.dtype == decoded.dtype == np.uint16
    assert len(pieces) <= len(units) and all(pieces < tokenizer.k)


def test_long_recordings_and_repeats_come_back(tokenizer, recordings):
    for units in (np.tile(np.concatenate(recordings), 5), np.full(100_000, 7, np.uint16)):
        np.testing.assert_array_equal(tokenizer.decode(tokenizer.encode(units)), units)


def test_there_are_as_many_pieces_as_asked_for_and_every_unit_is_one(tokenizer):
    assert tokenizer.k == 500
    config = tokenizer.config
    assert (config["eos"], config["pad"], config["vocab_size"]) == (500, 501, 502)
    assert {int(piece[0]) for piece in tokenizer.pieces if len(piece) == 1} == set(range(K))
    assert len({piece.tobytes() for piece in tokenizer.pieces}) == 500


def test_the_words_of_the_units_are_found(tokenizer, words, recordings):
    """The corpus is words in random order, so that its best pieces are the words."""
    pieces = {piece.tobytes() for piece in tokenizer.pieces}
    assert all(word.tobytes() in pieces for word in words)
    stream = np.concatenate(recordings)
    assert len(tokenizer.encode(stream)) <= 1.05 * 4000


def test_unigram_pieces_are_the_most_likely_ones(recordings, units_dir):
    """Against the Viterbi search of Hugging Face's tokenizers over the same pieces and scores."""
    tokenizers = pytest.importorskip("tokenizers")
    sentencepiece = pytest.importorskip("sentencepiece")
    model = train_pieces(recordings, k=K, vocabulary=400, model="unigram")
    tokenizer = PieceTokenizer(read_config(units_dir), units_dir, model, {})
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    scores = [processor.get_score(id) for id in range(1, len(processor))]
    texts = ["".join(chr(0x4E00 + unit) for unit in piece) for piece in tokenizer.pieces]
    vocabulary = [("?", -100.0), *zip(texts, scores, strict=True)]
    reference = tokenizers.Tokenizer(tokenizers.models.Unigram(vocabulary, 0, False))
    rng = np.random.default_rng(2)
    for units in (*recordings[:2], *rng.integers(0, K, (20, 50)).astype(np.uint16)):
        expected = reference.encode("".join(chr(0x4E00 + unit) for unit in units)).ids
        found = tokenizer.encode(units)
        likelihood = sum(scores[piece] for piece in found)
        assert likelihood == pytest.approx(sum(scores[id - 1] for id in expected), rel=1e-5)


def test_the_same_units_give_the_same_model(tokenizer, recordings):
    again = train_pieces(recordings, k=K, vocabulary=500, model=tokenizer.fit["model"])
    assert again == tokenizer.model


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "pieces")
    loaded = PieceTokenizer.load(tmp_path / "pieces")
    assert loaded.fingerprint == tokenizer.fingerprint
    units = np.arange(K).astype(np.uint16)
    np.testing.assert_array_equal(loaded.encode(units), tokenizer.encode(units))
    with pytest.raises(InputError, match="exists already"):
        tokenizer.save(tmp_path / "pieces")


def test_damaged_folders_are_named(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "pieces")
    path = tmp_path / "pieces" / "pieces.model"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"pieces\.model: does not match field 'pieces\.sha256'"):
        PieceTokenizer.load(tmp_path / "pieces")
    path.unlink()
    with pytest.raises(InputError, match=r"pieces\.model: no such file"):
        PieceTokenizer.load(tmp_path / "pieces")


def test_a_model_of_other_units_is_refused(tokenizer, units_dir):
    units = tokenizer.units | {"k": K + 1}
    with pytest.raises(InputError, match=rf"do not spell the units 0\.\.{K}"):
        PieceTokenizer(units, units_dir, tokenizer.model, {})
    with pytest.raises(InputError, match="no SentencePiece model"):
        PieceTokenizer(tokenizer.units, units_dir, b"something else", {})
    with pytest.raises(InputError, match=f"there is a unit {K}"):
        tokenizer.encode(np.array([0, K], np.uint16))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": K}, f"vocabulary is {K}: give more than the {K} units"),
        ({"vocabulary": 65_535}, "at most 65534"),
        (
            {"vocabulary": 400, "model": "word"},
            "model 'word' is unknown; the models of pieces are: unigram, bpe",
        ),
    ],
)
def test_arguments_out_of_range_are_named(recordings, arguments, message):
    with pytest.raises(InputError, match=message):
        train_pieces(recordings, k=K, **{"model": "unigram"} | arguments)


@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_the_largest_vocabulary_is_named(recordings, model):
    some = recordings[:2]
    with pytest.raises(InputError, match="vocabulary is 60000, but 2500 units have at most") as refusal:
        train_pieces(some, k=K, vocabulary=60_000, model=model)
    most = int(re.search(r"at most (\d+) pieces", str(refusal.value))[1])
    train_pieces(some, k=K, vocabulary=most, model=model)
    with pytest.raises(InputError, match=f"vocabulary is {most + 1}, but 2500 units have at most {most} "):
        train_pieces(some, k=K, vocabulary=most + 1, model=model)


def test_as_many_units_as_there_can_be():
    k = 65_533
    recordings = [np.tile(np.array([0, k - 1], np.uint16), 50)]
    model = train_pieces(recordings, k=k, vocabulary=k + 1, model="bpe")
    units = {"k": k, "frame_rate": None, "collapse": False}
    tokenizer = PieceTokenizer(units, None, model, {})
    all_units = np.arange(k).astype(np.uint16)
    np.testing.assert_array_equal(tokenizer.decode(tokenizer.encode(all_units)), all_units)


@settings(deadline=None, max_examples=100)
@given(sentences=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=30), min_size=1, max_size=5))
def test_seeds_are_the_repeated_strings_that_branch(sentences):
    """Against a count of every string, one by one."""
    counts = collections.Counter(
        tuple(units[start : start + length])
        for units in sentences
        for length in range(2, 6)
        for start in range(len(units) - length + 1)
    )
    expected = {
        string: count
        for string, count in counts.items()
        if len(string) <= 4 and count > 1 and all(counts[(*string, unit)] < count for unit in range(4))
    }
    found = list(seed_strings([np.array(units, np.uint16) for units in sentences], longest=4))
    assert {tuple(units.tolist()): count for units, count in found} == expected
    gains = [len(units) * count for units, count in found]
    assert gains == sorted(gains, reverse=True)


def test_the_file_says_how_the_pieces_came_about(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "pieces")
    config = json.loads((tmp_path / "pieces" / "tokenizer.json").read_text())
    assert config["libraries"].keys() == {"sentencepiece"} and config["units"]["origin"] == "made up"
