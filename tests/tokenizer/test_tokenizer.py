"""The tokenizer folder: what is written is what is read, and every wrong field is named."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import safetensors.numpy
import soundfile

from slm_jax.corpora import Recording
from slm_jax.errors import InputError
from slm_jax.tokenizer import MFCC, Tokenizer, fit_tokenizer, make_encoder
from slm_jax.tokenizer.units import collapse


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(MFCC(), np.random.default_rng(0).normal(0, 100, (20, 26)))


@pytest.fixture
def wave() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, 48_000).astype(np.float32)


def test_saved_and_loaded_it_gives_the_same_units(tokenizer, wave, tmp_path):
    tokenizer.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.fingerprint == tokenizer.fingerprint
    np.testing.assert_array_equal(loaded.encode(wave), tokenizer.encode(wave))
    assert (loaded.k, loaded.eos, loaded.pad, loaded.vocab_size) == (20, 20, 21, 22)
    assert loaded.frame_rate == 25


def test_units_are_collapsed_only_when_wanted(tokenizer, wave):
    frames = Tokenizer(MFCC(), tokenizer.centroids_KxD, collapse=False).encode(wave)
    units = tokenizer.encode(wave)
    assert len(frames) == 75 and frames.dtype == units.dtype == np.uint16
    np.testing.assert_array_equal(units, frames[np.insert(frames[1:] != frames[:-1], 0, True)])


def test_files_and_waveforms_give_the_same_units(tokenizer, wave, tmp_path):
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(tokenizer.encode_file(tmp_path / "a.wav"), tokenizer.encode(wave))


def test_many_waveforms_give_the_frames_of_each_and_name_the_bad_ones(tokenizer, wave):
    frames, problem, rest = tokenizer.encode_many([wave, wave[:10], wave[8000:]])
    assert frames.dtype == np.uint16 and len(frames) == 75
    np.testing.assert_array_equal(collapse(frames)[0], tokenizer.encode(wave))
    assert isinstance(problem, InputError) and "shorter than one frame" in str(problem)
    np.testing.assert_array_equal(collapse(rest)[0], tokenizer.encode(wave[8000:]))
    assert tokenizer.encode_many([]) == []


def test_the_fingerprint_moves_with_everything_that_moves_a_unit(tokenizer):
    centroids = tokenizer.centroids_KxD
    others = [
        Tokenizer(MFCC(normalization="mean"), centroids),
        Tokenizer(MFCC(), centroids + 1e-3),
        Tokenizer(MFCC(), centroids, collapse=False),
    ]
    assert len({tokenizer.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_the_fingerprint_does_not_move_with_how_the_centroids_came_about(tokenizer):
    made_elsewhere = dataclasses.replace(
        tokenizer, fit={"imported": "renamed.bin"}, libraries=tokenizer.libraries | {"numpy": "0.1"}
    )
    assert made_elsewhere.config != tokenizer.config
    assert made_elsewhere.fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encoder", "mfcc"),
        ("encoder.name", "unheard_of"),
        ("encoder.parameters", {"frame_rate": 25, "window": 3}),
        ("encoder.parameters", {"frame_rate": 26}),
        ("sample_rate", 8000),
        ("frame_rate", 50),
        ("k", 21),
        ("k", "20"),
        ("collapse", 1),
        ("eos", 0),
        ("pad", 20),
        ("vocab_size", 20),
        ("fit", None),
        ("libraries", []),
        ("centroids.sha256", "0" * 64),
        ("centroids.file", "other.safetensors"),
    ],
)
def test_a_wrong_or_missing_field_is_named_with_its_file(tokenizer, tmp_path, field, value):
    tokenizer.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    *parents, leaf = field.split(".")
    for change in (lambda at: at.update({leaf: value}), lambda at: at.pop(leaf)):
        config = json.loads(path.read_text())
        at = config
        for parent in parents:
            at = at[parent]
        change(at)
        tmp_path.joinpath("tokenizer.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=r"tokenizer\.json") as error:
            Tokenizer.load(tmp_path)
        named = {"encoder.parameters": ("encoder.parameters", "frame_rate", "window")}.get(
            field, (leaf, str(value))
        )
        assert any(word in str(error.value) for word in named)
        tokenizer.save(tmp_path)


def test_missing_and_foreign_files_are_named(tokenizer, tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file"):
        Tokenizer.load(tmp_path)
    tokenizer.save(tmp_path)
    centroids = tmp_path / "centroids.safetensors"
    centroids.write_bytes(safetensors.numpy.save({"centroids": np.zeros((20, 26), np.float32)}))
    with pytest.raises(InputError, match=r"centroids\.safetensors.*sha256"):
        Tokenizer.load(tmp_path)
    centroids.unlink()
    with pytest.raises(InputError, match=r"centroids\.safetensors: no such file"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_stop_while_saving_leaves_what_was_there(tokenizer, tmp_path, monkeypatch, replaced):
    folder = tmp_path / "tokenizer"
    old = Tokenizer(MFCC(), tokenizer.centroids_KxD[:5])
    if replaced:
        old.save(folder)

    def stop(path, _):
        assert (path.parent / "centroids.safetensors").exists()
        assert folder.exists() == replaced
        raise KeyboardInterrupt

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr("slm_jax.tokenizer.tokenizer.write_json", stop)
        tokenizer.save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer"] * replaced
    if replaced:
        assert Tokenizer.load(folder).fingerprint == old.fingerprint
    tokenizer.save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer"]
    assert Tokenizer.load(folder).fingerprint == tokenizer.fingerprint


def test_only_a_tokenizer_is_replaced(tokenizer, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for taken in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(InputError, match="something else than a tokenizer"):
            tokenizer.save(taken)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_named_encoder_is_not_taken_for_a_tokenizer(tokenizer, tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "weights").write_text("mine")
    with pytest.raises(InputError, match="something else than a tokenizer"):
        tokenizer.save(tmp_path)
    assert (tmp_path / "encoder" / "weights").read_text() == "mine"


def test_an_encoder_with_weights_needs_their_folder():
    with pytest.raises(InputError, match="'hubert' has weights; give the folder"):
        make_encoder("hubert", {})
    with pytest.raises(InputError, match="'hubert' has no setting"):
        make_encoder("hubert", {"layers": 3}, "somewhere")


def test_a_link_to_a_folder_stays_one(tokenizer, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "tokenizer").symlink_to(tmp_path / "disk")
    tokenizer.save(tmp_path / "tokenizer")
    assert (tmp_path / "tokenizer").is_symlink()
    assert Tokenizer.load(tmp_path / "disk").fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize(
    "centroids", [np.zeros((3, 25)), np.zeros(26), np.zeros((0, 26)), np.full((3, 26), np.nan)]
)
def test_centroids_that_cannot_be_are_refused(centroids):
    with pytest.raises(InputError, match=r"centroids|k, the number of units"):
        Tokenizer(MFCC(), centroids)


def recordings(folder: pathlib.Path, count: int) -> list[Recording]:
    rng = np.random.default_rng(7)
    rows = []
    for index in range(count):
        path = folder / f"{index}.wav"
        soundfile.write(path, np.cumsum(rng.normal(0, 0.01, 16_000)).clip(-1, 1), 16_000)
        rows.append(Recording(str(index), path, "speaker", "source", "train" if index else "validation"))
    return rows


def test_a_fit_depends_on_the_seed_and_not_on_the_workers_or_bad_files(tmp_path):
    rows = recordings(tmp_path, 12)
    rows[3].path.write_bytes(b"")
    fitted = [
        fit_tokenizer(rows, encoder=MFCC(), k=8, seed=seed, sample_seconds=5, workers=workers)
        for seed, workers in [(0, 1), (0, 2), (1, 1)]
    ]
    assert fitted[0].fingerprint == fitted[1].fingerprint != fitted[2].fingerprint
    assert fitted[0].fit["frames"] == 125
    assert set(fitted[0].encode_file(rows[0].path).tolist()) <= set(range(8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k, the number of units, must lie in 1..65534, found 0"),
        ({"k": -3}, "found -3"),
        ({"k": 65_535}, "found 65535"),
        ({"k": 2, "sample_seconds": 0}, "sample_seconds is 0"),
        ({"k": 2, "sample_seconds": -1.5}, "sample_seconds is -1.5"),
        ({"k": 2, "sample_seconds": float("nan")}, "sample_seconds is nan"),
        ({"k": 2, "sample_seconds": float("inf")}, "sample_seconds is inf"),
        ({"k": 2, "seed": -1}, "seed is -1"),
        ({"k": 26}, "k = 26 clusters need at least as many different frames"),
    ],
)
def test_arguments_out_of_range_are_named(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        fit_tokenizer(recordings(tmp_path, 2), encoder=MFCC(), workers=1, **arguments)


def test_nothing_to_fit_on_is_an_error(tmp_path):
    rows = recordings(tmp_path, 2)
    rows[1].path.write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        fit_tokenizer(rows, encoder=MFCC(), k=2, workers=1)
    with pytest.raises(InputError, match="no recording for training"):
        fit_tokenizer(rows[:1], encoder=MFCC(), k=2, workers=1)
