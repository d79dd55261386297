"""HuBERT against transformers: every layer, every variant, alone and among others."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from hubert_folders import KINDS, hidden_states, save_model, speechlike

from slm_jax.tokenizer import HuBERT
from slm_jax.tokenizer.hubert.program import _run

SECONDS = [0.055, 0.3, 0.62, 0.63]


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hubert")
    return save_model(folder, request.param), folder


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_every_layer_agrees_with_transformers_on_each_recording_alone(made, layer):
    model, folder = made
    waves = [speechlike(seconds, seed) for seed, seconds in enumerate(SECONDS)]
    encoder = HuBERT.from_folder(folder, layer=layer)
    for wave, features in zip(waves, encoder.many(waves), strict=True):
        expected = hidden_states(model, wave)[layer]
        assert features.shape == expected.shape and features.dtype == np.float32
        assert np.abs(expected).max() > 0.5
        np.testing.assert_allclose(features, expected, atol=1e-4)


def test_bfloat16_computes_the_same_to_its_precision(made):
    model, folder = made
    wave = speechlike(0.3)
    features = HuBERT.from_folder(folder, layer=1, dtype="bfloat16")(wave)
    expected = hidden_states(model, wave)[1]
    assert features.dtype == np.float32
    error = np.abs(features - expected)
    assert error.max() > 1e-4 and error.mean() < 0.03 * np.abs(expected).mean()


def test_frame_rates_follow_the_strides(made):
    model, folder = made
    encoder = HuBERT.from_folder(folder, layer=0)
    assert encoder.frame_rate == 16_000 / np.prod(model.config.conv_stride) in (25, 50)
    assert type(encoder.frame_rate) is int
    assert encoder.dim == 32 and encoder.sample_rate == 16_000


def test_silence_and_a_constant_are_encoded_as_transformers_does(made):
    model, folder = made
    encoder = HuBERT.from_folder(folder, layer=1)
    for wave in (np.zeros(4800, np.float32), np.full(4800, 0.5, np.float32)):
        np.testing.assert_allclose(encoder(wave), hidden_states(model, wave)[1], atol=2e-3)


def test_normalized_waveforms_are_those_of_the_feature_extractor(made):
    transformers = pytest.importorskip("transformers")
    model, folder = made
    wave = speechlike(0.3)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    extracted = extractor(wave, sampling_rate=16_000)["input_values"][0]
    features = HuBERT.from_folder(folder, layer=1, normalize=True)(wave)
    np.testing.assert_allclose(features, hidden_states(model, extracted)[1], atol=1e-4)


def test_float32_products_ask_accelerators_for_float32(made):
    """TF32 on NVIDIA and bfloat16 on TPU are the default there; what a CPU computes does not show it."""
    program = HuBERT.from_folder(made[1], layer=1)._program
    rows, frames, config = program._mesh.size, 16, program._config
    frames_B = jnp.full(rows, frames, jnp.int32)
    wave_BxS = jnp.zeros((rows, config.samples(frames)))
    group_norm_Bx2xC = jnp.ones((rows, 2, config.conv_dim[0])) if program.group_norm else None
    hidden_BxTxD = jnp.zeros((rows, frames, config.hidden_size))
    stages = [
        _run.lower(program._mesh, *program._frontend, wave_BxS, frames_B, group_norm_Bx2xC),
        _run.lower(program._mesh, *program._layers[0], hidden_BxTxD, frames_B),
    ]
    for stage, least in zip(stages, (len(config.conv_dim) + 2, 8), strict=True):
        text = stage.as_text()
        products = re.findall(r"^.*stablehlo\.(?:dot_general|convolution).*$", text, re.MULTILINE)
        assert len(products) >= least
        for product in products:
            assert re.search(r"HIGHEST\W.*HIGHEST", product), product
