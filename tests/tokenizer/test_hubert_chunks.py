"""Long recordings: independent chunks as the study made them, and chunks with context."""

import copy

import numpy as np
import pytest
from hubert_folders import hidden_states, save_model, speechlike
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from slm_jax.errors import InputError
from slm_jax.tokenizer import HuBERT
from slm_jax.tokenizer.hubert import convolutions
from slm_jax.tokenizer.hubert.config import HubertConfig
from slm_jax.tokenizer.hubert.pieces import cut, frame_starts
from slm_jax.weights import Weights

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
    assert (frame_starts(samples, model, chunk, overlap) // model.stride).tolist() == kept


@given(samples=st.integers(0, 40_000), chunk=st.integers(400, 12_000))
def test_frames_of_independent_chunks_start_where_their_chunk_has_them(samples, chunk):
    model = HubertConfig()
    wave = np.arange(samples, dtype=np.float32)  # a sample's value is its place
    starts = []
    for piece in cut(wave, model, chunk, 0, normalize=False):
        frames = sliding_window_view(piece.wave_S, model.reach)[:: model.stride]
        starts.extend(frames[piece.keep, 0].tolist())
    assert frame_starts(samples, model, chunk, 0).tolist() == starts


def test_times_of_frames(made):
    _, folder = made
    wave = speechlike(2.0)
    encoder = HuBERT.from_folder(folder, layer=1, chunk_seconds=0.6)
    times = encoder.frame_times(len(wave))
    assert len(times) == len(encoder(wave))
    np.testing.assert_allclose(times[[0, 28, 29, 58]], [0, 0.56, 0.6, 1.2])
    with_context = HuBERT.from_folder(folder, layer=1, chunk_seconds=0.6, overlap_seconds=0.1)
    frames = len(with_context(wave))
    np.testing.assert_allclose(with_context.frame_times(len(wave)), np.arange(frames) / 50)


@pytest.mark.parametrize("block", [1, 777, 10**9])
def test_group_norm_is_that_of_the_channels_whatever_the_block(tmp_path, monkeypatch, block):
    monkeypatch.setattr(convolutions, "MOMENTS_WINDOWS", block)
    model = save_model(tmp_path)
    group_norm = convolutions.GroupNorm(HubertConfig.from_json(tmp_path / "config.json"), Weights(tmp_path))
    first, wave = model.feature_extractor.conv_layers[0], speechlike(1.0)
    windows_TxK = sliding_window_view(wave.astype(np.float64), 10)[::5]
    channels_CxT = first.conv.weight.detach().numpy()[:, 0] @ windows_TxK.T
    weight, bias = (part.detach().numpy() for part in (first.layer_norm.weight, first.layer_norm.bias))
    scale = weight / np.sqrt(channels_CxT.var(axis=1) + 1e-5)
    expected = np.stack([scale, bias - scale * channels_CxT.mean(axis=1)])
    np.testing.assert_allclose(group_norm(wave), expected, rtol=1e-5, atol=1e-6)


def test_the_group_norm_of_a_recording_is_computed_once():
    calls = []

    def group_norm(wave_S):
        calls.append(len(wave_S))
        return np.zeros((2, 3))

    pieces = list(cut(np.zeros(100_000, np.float32), HubertConfig(), 9600, 2, False, group_norm))
    assert len(pieces) > 10 and not calls
    assert len({id(piece.group_norm()) for piece in pieces}) == 1 and calls == [100_000]
    chunks = list(cut(np.zeros(20_000, np.float32), HubertConfig(), 9600, 0, False, group_norm))
    assert [len(chunk.group_norm()) for chunk in chunks] == [2, 2, 2] and calls[1:] == [9600, 9600, 800]


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
