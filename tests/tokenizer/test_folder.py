"""tokenizer.json of all kinds: what is wrong is named, and a copy has what a dataset needs."""

import json

import numpy as np
import pytest

from slm_jax.errors import InputError
from slm_jax.tokenizer import (
    EXTERNAL,
    MFCC,
    PIECES,
    SPEECH,
    PieceTokenizer,
    Tokenizer,
    copy_tokenizer,
    fingerprint,
    kind_of,
    read_config,
    train_pieces,
    write_external,
)

# A speech tokenizer's file as it was before there were other kinds. Its fingerprint is in data and models.
OLD = (
    '{"encoder": {"name": "mfcc", "parameters": {}}, "sample_rate": 16000, "frame_rate": 25, "k": 2, '
    '"collapse": true, "eos": 2, "pad": 3, "vocab_size": 4, "fit": {}, "libraries": {"numpy": "2.0"}, '
    '"centroids": {"file": "centroids.safetensors", "sha256": "ab"}}'
)
OLD_FINGERPRINT = "adc12fd540c79d6a0fcf71daacf8ccd47fc6874f6cd5fa9c28bacd18e3651daa"


@pytest.fixture
def speech_dir(tmp_path):
    Tokenizer(MFCC(), np.random.default_rng(0).normal(0, 100, (4, 26))).save(tmp_path / "speech")
    return tmp_path / "speech"


@pytest.fixture
def pieces_dir(tmp_path, speech_dir):
    units = [np.tile([0, 1, 2, 3, 3], 20).astype(np.uint16)]
    model = train_pieces(units, k=4, vocabulary=7, model="bpe")
    PieceTokenizer(read_config(speech_dir), speech_dir, model, {"seed": 0}).save(tmp_path / "pieces")
    return tmp_path / "pieces"


@pytest.fixture
def external_dir(tmp_path):
    (tmp_path / "external").mkdir()
    write_external(tmp_path / "external", origin="elsewhere", k=500, frame_rate=None, collapse=True)
    return tmp_path / "external"


def test_a_file_without_a_kind_is_a_speech_tokenizers_and_keeps_its_fingerprint(tmp_path):
    (tmp_path / "tokenizer.json").write_text(OLD)
    config = read_config(tmp_path)
    assert kind_of(config) == SPEECH and fingerprint(config) == OLD_FINGERPRINT


def test_fingerprints_move_with_every_field_but_the_history(speech_dir, pieces_dir, external_dir):
    for folder, paths in {
        speech_dir: ["encoder.name", "sample_rate", "frame_rate", "k", "collapse", "centroids.sha256"],
        pieces_dir: ["pieces.sha256", "frame_rate", "eos", "units.encoder.name", "units.centroids.sha256"],
        external_dir: ["origin", "frame_rate", "vocab_size"],
    }.items():
        prints = {fingerprint(changed(folder, path, "other")) for path in [None, *paths]}
        assert len(prints) == len(paths) + 1
    history = ["fit", "libraries"]
    for folder, paths in {
        speech_dir: history,
        pieces_dir: [*history, *(f"units.{field}" for field in history)],
    }.items():
        assert len({fingerprint(changed(folder, path, {"x": 1})) for path in [None, *paths]}) == 1


def changed(folder, path, value):
    config = at = read_config(folder)
    *parents, leaf = path.split(".") if path else ["unknown"]
    for parent in parents:
        at = at[parent]
    if path:
        at[leaf] = value
    return config


def test_kinds_and_ids(speech_dir, pieces_dir, external_dir):
    kinds = {path: kind_of(read_config(path)) for path in (speech_dir, pieces_dir, external_dir)}
    assert list(kinds.values()) == [SPEECH, PIECES, EXTERNAL]
    for path in kinds:
        config = read_config(path, kinds[path])
        assert (config["eos"], config["pad"], config["vocab_size"]) == tuple(
            config["k"] + i for i in range(3)
        )
    pieces, speech = read_config(pieces_dir), read_config(speech_dir)
    assert pieces["units"] == speech and pieces["k"] == 7
    assert (pieces["frame_rate"], pieces["collapse"]) == (speech["frame_rate"], speech["collapse"])
    with pytest.raises(InputError, match="is of kind 'pieces', but 'speech' is needed"):
        Tokenizer.load(pieces_dir)


def test_a_copy_has_the_arrays_and_nothing_else(tmp_path, speech_dir, pieces_dir, external_dir):
    for source, files in {
        speech_dir: {"tokenizer.json", "centroids.safetensors"},
        pieces_dir: {"tokenizer.json", "centroids.safetensors", "pieces.model"},
        external_dir: {"tokenizer.json"},
    }.items():
        (source / "model.safetensors").write_bytes(b"the weights of an encoder")
        copy_tokenizer(source, target := tmp_path / f"copy of {source.name}")
        assert {path.name for path in target.iterdir()} == files
        assert all((target / file).read_bytes() == (source / file).read_bytes() for file in files)
    assert Tokenizer.load(tmp_path / "copy of speech").fingerprint == Tokenizer.load(speech_dir).fingerprint


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("pieces", "kind", "tokens"),
        ("pieces", "k", "7"),
        ("pieces", "eos", 8),
        ("pieces", "vocab_size", 10),
        ("pieces", "frame_rate", 50),
        ("pieces", "collapse", False),
        ("pieces", "units", []),
        ("pieces", "units.k", 5),
        ("pieces", "units.centroids.sha256", None),
        ("pieces", "pieces.sha256", 3),
        ("external", "origin", None),
        ("external", "frame_rate", "25"),
        ("external", "pad", 500),
    ],
)
def test_a_wrong_or_missing_field_is_named(request, kind, field, value):
    path = request.getfixturevalue(f"{kind}_dir") / "tokenizer.json"
    content = path.read_text()
    *parents, leaf = field.split(".")
    for change in (lambda at: at.update({leaf: value}), lambda at: at.pop(leaf)):
        at = config = json.loads(content)
        for parent in parents:
            at = at[parent]
        change(at)
        path.write_text(json.dumps(config))
        with pytest.raises(InputError, match=rf"tokenizer\.json: field .*{leaf}|field 'encoder' is missing"):
            read_config(path.parent)


def test_pieces_of_pieces_are_refused(pieces_dir):
    config = read_config(pieces_dir)
    (pieces_dir / "tokenizer.json").write_text(json.dumps(config | {"units": config}))
    with pytest.raises(InputError, match="pieces of pieces"):
        read_config(pieces_dir)
