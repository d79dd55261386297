"""Folders of weights: every layout transformers writes is read, and what is wrong is named."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
from hubert_folders import hidden_states, save_model, speechlike

from slm_jax.errors import InputError
from slm_jax.tokenizer import HuBERT, Tokenizer, import_tokenizer

WAVE = speechlike(0.3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hubert")
    return save_model(folder), folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "model")


def rewrite(folder, change):
    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    safetensors.numpy.save_file(change(weights), folder / "model.safetensors")


def assert_agrees(folder, model):
    features = HuBERT.from_folder(folder, layer=1)(WAVE)
    np.testing.assert_allclose(features, hidden_states(model, WAVE)[1], atol=1e-4)


def test_old_and_new_names_of_weight_norm(made, folder):
    """Transformers writes one of them, whichever its PyTorch has."""
    pairs = {
        "conv.parametrizations.weight.original0": "conv.weight_g",
        "conv.parametrizations.weight.original1": "conv.weight_v",
    }

    def renamed(weights, names):
        def name_of(name):
            for new, old in names.items():
                name = name.replace(new, old)
            return name

        return {name_of(name): array for name, array in weights.items()}

    written = []
    for names in (pairs, {old: new for new, old in pairs.items()}):
        rewrite(folder, lambda weights, names=names: renamed(weights, names))
        written.append(set(safetensors.numpy.load_file(folder / "model.safetensors")))
        assert_agrees(folder, made[0])
    assert written[0] != written[1]


def test_shards(tmp_path):
    model = save_model(tmp_path, max_shard_size="40KB")
    shards = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    assert_agrees(tmp_path, model)
    encoder = HuBERT.from_folder(tmp_path, layer=1)
    Tokenizer(encoder, np.zeros((2, 32))).save(tmp_path / "tokenizer")
    kept = sorted(path.name for path in (tmp_path / "tokenizer" / "encoder").iterdir())
    assert kept == sorted([*shards, "config.json", "model.safetensors.index.json"])
    (tmp_path / shards[0]).unlink()
    with pytest.raises(InputError, match=f"{shards[0]}: no such file"):
        HuBERT.from_folder(tmp_path, layer=1)


def test_models_with_a_head(tmp_path):
    model = save_model(tmp_path, model="HubertForCTC")
    assert_agrees(tmp_path, model.hubert)


def test_layers_after_the_wanted_one_are_not_read(made, folder):
    rewrite(folder, lambda weights: {n: a for n, a in weights.items() if "encoder.layers.1." not in n})
    assert_agrees(folder, made[0])
    with pytest.raises(InputError, match=r"model\.safetensors: tensor 'encoder\.layers\.1\..*' is missing"):
        HuBERT.from_folder(folder, layer=2)(WAVE)


def test_tensors_of_another_shape_are_named(folder):
    name = "feature_projection.projection.weight"
    rewrite(folder, lambda weights: weights | {name: np.zeros((5, 16), np.float32)})
    message = (
        rf"model\.safetensors: tensor '{name}' has shape \(5, 16\), but config\.json makes it \(32, 16\)"
    )
    with pytest.raises(InputError, match=message):
        HuBERT.from_folder(folder, layer=1)(WAVE)


def test_pickled_weights_are_refused_with_the_way_out(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: is a pickle.*save_pretrained"):
        HuBERT.from_folder(folder, layer=1)


def test_foreign_and_broken_files_are_named(folder):
    with pytest.raises(InputError, match=r"config\.json: no such file"):
        HuBERT.from_folder(folder / "elsewhere", layer=1)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"model\.safetensors: not a safetensors file"):
        HuBERT.from_folder(folder, layer=1)(WAVE)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        HuBERT.from_folder(folder, layer=1)


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": {"a": "../b.safetensors"}}'])
def test_a_wrong_index_is_named(folder, index):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(InputError, match=r"index\.json: field 'weight_map'"):
        HuBERT.from_folder(folder, layer=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "wav2vec2"),
        ("adapter_attn_dim", 16),
        ("conv_pos_batch_norm", True),
        ("hidden_act", "mish"),
        ("feat_extract_norm", "batch"),
        ("conv_stride", [5, 2]),
        ("conv_kernel", "10"),
        ("num_attention_heads", 5),
        ("hidden_size", 0),
        ("layer_norm_eps", None),
        ("do_stable_layer_norm", 1),
    ],
)
def test_a_wrong_field_of_the_config_is_named(folder, field, value):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {field: value}))
    with pytest.raises(InputError, match=rf"config\.json: field '{field}'"):
        HuBERT.from_folder(folder, layer=1)


def test_the_preprocessor_says_whether_waveforms_are_normalized(folder):
    assert HuBERT.from_folder(folder, layer=1).normalize is False
    preprocessor = folder / "preprocessor_config.json"
    preprocessor.write_text('{"do_normalize": true, "sampling_rate": 16000}')
    assert HuBERT.from_folder(folder, layer=1).normalize is True
    assert HuBERT.from_folder(folder, layer=1, normalize=False).normalize is False
    preprocessor.write_text('{"do_normalize": "yes"}')
    with pytest.raises(InputError, match=r"preprocessor_config\.json: field 'do_normalize' cannot be 'yes'"):
        HuBERT.from_folder(folder, layer=1)


def test_centroids_from_elsewhere_need_a_choice_where_the_folder_normalizes(folder, tmp_path):
    """Hugging Face's folders normalize; the units published for the same models were made without."""
    np.save(tmp_path / "centroids.npy", np.eye(3, 32))
    given = tmp_path / "centroids.npy"
    assert import_tokenizer(HuBERT.from_folder(folder, layer=1), given).encoder.normalize is False
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true}')
    with pytest.raises(
        InputError, match=r"preprocessor_config\.json: says do_normalize.*normalize=False.*or"
    ):
        import_tokenizer(HuBERT.from_folder(folder, layer=1), given)
    for choice in (False, True):
        encoder = HuBERT.from_folder(folder, layer=1, normalize=choice)
        assert import_tokenizer(encoder, given).encoder.parameters["normalize"] is choice
    unasked = HuBERT.from_folder(folder, layer=1)
    assert unasked == encoder and unasked.parameters == encoder.parameters


def test_a_tokenizer_with_other_weights_is_refused(folder, tmp_path):
    Tokenizer(HuBERT.from_folder(folder, layer=1), np.zeros((2, 32))).save(tmp_path / "tokenizer")
    weights = tmp_path / "tokenizer" / "encoder" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    weights.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        Tokenizer.load(tmp_path / "tokenizer")
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"^\S+encoder/model\.safetensors: does not match its sha256"):
        Tokenizer.load(tmp_path / "tokenizer")
    content[-1] ^= 1
    weights.write_bytes(content)
    config = tmp_path / "tokenizer" / "encoder" / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-05', '"layer_norm_eps": 1e-06'))
    with pytest.raises(InputError, match=r"^\S+encoder/config\.json: does not match field 'model'"):
        Tokenizer.load(tmp_path / "tokenizer")
