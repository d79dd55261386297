"""Long recordings: independent chunks as the study made them, and chunks with context."""

import copy

import numpy as np
import pytest
from hubert_folders import hidden_states, save_model, speechlike
from hypothesis import given
from hypothesis import strategies as st

from slm_jax.errors import InputError
from slm_jax.tokenizer import HuBERT
from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.pieces import cut

CHUNK = 9600  # samples, 0.6 s


@pytest.fixture(scope="module", params=["base", "large"])
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hubert")
    return save_model(folder, request.param), folder


@pytest.mark.parametrize("rest", [0, 399, 400, 5000])
def test_chunks_are_encoded_as_recordings_of_their_own(made, rest):
    model, folder = made
    wave = speechlike((2 * CHUNK + rest) / 16_000)
    pieces = [wave[start : start + CHUNK] for start in range(0, len(wave), CHUNK)]
    expected = [hidden_states(model, piece)[1] for piece in pieces if len(piece) >= 400]
    encoder = HuBERT.from_folder(folder, layer=1, chunk_seconds=CHUNK / 16_000)
    features = encoder(wave)
    assert len(features) == 2 * 29 + {0: 0, 399: 0, 400: 1, 5000: 15}[rest]
    np.testing.assert_allclose(features, np.concatenate(expected), atol=1e-4)


def test_a_recording_of_one_chunk_is_left_whole(made):
    _, folder = made
    wave = speechlike(CHUNK / 16_000)
    whole = HuBERT.from_folder(folder, layer=1)(wave)
    for overlap in (0.0, 0.1):
        encoder = HuBERT.from_folder(folder, layer=1, chunk_seconds=0.6, overlap_seconds=overlap)
        np.testing.assert_array_equal(encoder(wave), whole)


@pytest.mark.parametrize("normalize", [False, True])
def test_with_context_all_but_attention_is_as_in_the_uncut_recording(made, tmp_path, normalize):
    model, _ = made
    silenced = copy.deepcopy(model)
    for layer in silenced.encoder.layers:
        layer.attention.out_proj.weight.data.zero_()
    silenced.save_pretrained(tmp_path)
    wave = speechlike(2.0)
    options = {"layer": 1, "normalize": normalize}
    uncut = HuBERT.from_folder(tmp_path, **options)(wave)
    in_chunks = HuBERT.from_folder(tmp_path, chunk_seconds=0.82, overlap_seconds=0.16, **options)(wave)
    np.testing.assert_allclose(in_chunks, uncut, atol=1e-5)


@given(samples=st.integers(0, 40_000), chunk=st.integers(4000, 12_000), overlap=st.integers(1, 4))
def test_pieces_with_context_tile_the_recording(samples, chunk, overlap):
    model = HubertConfig()
    wave = np.arange(samples, dtype=np.float32)
    pieces = list(cut(wave, model, chunk, overlap, normalize=False))
    kept = []
    for piece in pieces:
        frames = model.frames(len(piece.wave_S))
        assert model.samples(frames) <= max(chunk, len(piece.wave_S)) <= chunk
        first = int(piece.wave_S[0]) // model.stride
        kept.extend(range(first + piece.keep.start, first + piece.keep.stop))
        at_start, at_end = first == 0, first + frames == model.frames(samples)
        assert piece.keep.start >= overlap or at_start
        assert frames - piece.keep.stop >= overlap or at_end
    assert kept == list(range(model.frames(samples)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 3}, r"layer is 3, but the model has layers 0..2"),
        ({"layer": -1}, "layer is -1"),
        ({"layer": 1, "chunk_seconds": 0.02}, "chunk_seconds is 0.02"),
        ({"layer": 1, "chunk_seconds": 0.6, "overlap_seconds": 0.3}, "longer than one frame and than both"),
        ({"layer": 1, "overlap_seconds": -1.0}, "overlap_seconds is -1"),
        ({"layer": 1, "chunk_seconds": float("nan")}, "chunk_seconds is nan"),
        ({"layer": 1, "chunk_seconds": float("inf")}, "chunk_seconds is inf"),
        ({"layer": 1, "dtype": "float16"}, "dtype is 'float16'"),
    ],
)
def test_choices_out_of_range_are_named(made, options, message):
    with pytest.raises(InputError, match=message):
        HuBERT.from_folder(made[1], **options)
