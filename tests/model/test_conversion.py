"""Imported models compute what their originals compute; folders that describe no such model are refused."""

import json

import jax
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from foreign_models import LLAMA, MODELS, VOCABULARY, logits_of, reference, save_slm, slm_logits

from slm_jax.errors import InputError
from slm_jax.model import import_model, make_mesh, save_llama, select_tokens

TOKENS_BxL = np.random.default_rng(1).integers(VOCABULARY, size=(2, 48))


def assert_same_logits(model, expected):
    assert np.abs(expected).max() > 1  # weights that do something
    np.testing.assert_allclose(model(TOKENS_BxL), expected, atol=1e-4)


@pytest.fixture
def llama_folder(tmp_path):
    """A Llama that needs neither torch nor transformers: exported by ourselves."""
    from llama_reference import CONFIG, random_weights

    from slm_jax.model import Transformer, from_llama

    model = Transformer(CONFIG, nnx.Rngs(0))
    from_llama(model, random_weights(CONFIG, seed=0))
    save_llama(model, tmp_path / "llama", context=64, eos=27)
    return tmp_path / "llama"


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_transformers(name, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    original = reference(name)
    original.save_pretrained(tmp_path / "model")
    model, config, notes = import_model(tmp_path / "model")
    assert_same_logits(model, logits_of(original, TOKENS_BxL))
    assert notes["context"] == original.config.max_position_embeddings
    assert notes["eos"] == original.config.eos_token_id
    counted = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model)))
    unused = 2 * config.dim if name.startswith("opt") else 0  # positions before the first
    assert counted == sum(p.numel() for p in original.parameters()) - unused


@pytest.mark.parametrize("name", ["qwen2", "opt of 350M"])
def test_slamkits_unit_model_is_the_model_inside(name, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    original = reference(name)
    original.save_pretrained(tmp_path)
    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    wrapped = {f"lm.{key}": array for key, array in tensors.items()}
    safetensors.numpy.save_file(wrapped, tmp_path / "model.safetensors")
    inner = json.loads((tmp_path / "config.json").read_text()) | {
        "vocab_size": 50_272
    }  # before it was resized
    outer = {"model_type": "speech_language_model", "base_config": inner, "vocab_size": VOCABULARY}
    (tmp_path / "config.json").write_text(json.dumps(outer))
    assert_same_logits(import_model(tmp_path)[0], logits_of(original, TOKENS_BxL))


def test_bfloat16_shards_are_read(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    original = reference("llama grouped, untied")
    original.to(torch.bfloat16).save_pretrained(tmp_path, max_shard_size="10KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    model, _, notes = import_model(tmp_path)
    assert notes["family"] == "llama"
    original = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert_same_logits(model, logits_of(original, TOKENS_BxL))


@pytest.mark.parametrize("shards", [1, 3])
def test_slm_scaling_logits_equal_numpy(shards, tmp_path):
    tensors = save_slm(tmp_path / "slm", shards)
    model, config, notes = import_model(tmp_path / "slm")
    assert_same_logits(model, slm_logits(tensors, TOKENS_BxL))
    assert (notes["family"], notes["context"], config.mlp_dim) == ("slm", 50, 64)


def test_an_imported_model_can_be_exported_as_llama(tmp_path):
    """What neighbours turned on the way in are halves on the way out."""
    tensors = save_slm(tmp_path / "slm")
    save_llama(import_model(tmp_path / "slm")[0], tmp_path / "llama", context=50, eos=29)
    model, _, notes = import_model(tmp_path / "llama")
    assert_same_logits(model, slm_logits(tensors, TOKENS_BxL))
    assert notes == {"family": "llama", "context": 50, "bos": 29, "eos": 29, "pad": VOCABULARY - 1}


def test_a_grouped_untied_export_opens_in_transformers(tmp_path):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    original = reference("llama grouped, untied")
    original.save_pretrained(tmp_path / "model")
    model, _, _ = import_model(tmp_path / "model")
    save_llama(model, tmp_path / "again", context=64, eos=2)
    copy = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "again")
    np.testing.assert_array_equal(logits_of(copy, TOKENS_BxL), logits_of(original, TOKENS_BxL))


def test_parameters_are_laid_out_on_the_mesh(tmp_path):
    tensors = save_slm(tmp_path / "slm")
    model, _, _ = import_model(tmp_path / "slm", make_mesh({"data": 1, "fsdp": 4, "tensor": 2}))
    gate = model.blocks.gate_NxDxF[...]
    assert gate.shape == (2, 24, 64)
    assert gate.addressable_shards[0].data.shape == (2, 6, 32)
    assert_same_logits(model, slm_logits(tensors, TOKENS_BxL))


def test_selected_tokens_keep_their_logits(llama_folder):
    model, config, _ = import_model(llama_folder)
    ids = [*range(5, 25), 2]
    places = np.random.default_rng(0).integers(len(ids), size=(2, 9))
    found = select_tokens(model, ids)(places)
    np.testing.assert_allclose(found, model(np.asarray(ids)[places])[..., ids], atol=1e-5)
    with pytest.raises(InputError, match=f"token {config.vocab_size}: the model has tokens 0.."):
        select_tokens(model, [0, config.vocab_size])


def change_config(folder, **fields):
    content = json.loads((folder / "config.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps({k: v for k, v in content.items() if v != "missing"}))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "mamba"}, "config.json: field 'model_type' is 'mamba'"),
        ({"model_type": "missing"}, "config.json: field 'model_type' is missing"),
        ({"hidden_size": "missing"}, "config.json: field 'hidden_size' is missing"),
        ({"hidden_size": "wide"}, "config.json: field 'hidden_size' is 'wide': expected a whole number"),
        ({"hidden_act": "gelu"}, "field 'hidden_act' is 'gelu', but here it can only be 'silu'"),
        (
            {"rope_scaling": {"rope_type": "llama3", "factor": 8}},
            "'rope_scaling.rope_type' is 'llama3'",
        ),
        ({"rope_parameters": {"rope_type": "yarn"}}, "field 'rope_parameters.rope_type' is 'yarn'"),
        ({"quantization_config": {"bits": 4}}, "field 'quantization_config' is"),
        ({"num_attention_heads": 5, "head_dim": None}, "config.json: model.dim is 24 with model.heads 5"),
        (
            {"intermediate_size": 48},
            r"tensor '.*down_proj.weight' has shape \(24, 64\), but .* \(24, 48\)",
        ),
        ({"num_hidden_layers": 3}, "tensor 'model.layers.2.*' is missing"),
        ({"num_hidden_layers": 1}, "tensor 'model.layers.1.*' has no place"),
        ({"tie_word_embeddings": False}, "tensor 'lm_head.weight' is missing"),
        ({"model_type": "qwen2", "use_sliding_window": True}, "field 'use_sliding_window' is True"),
        ({"model_type": "qwen2"}, "tensor 'model.layers.0.self_attn.k_proj.bias' is missing"),
    ],
    ids=str,
)
def test_a_config_that_does_not_fit_is_named(fields, message, llama_folder):
    change_config(llama_folder, **fields)
    with pytest.raises(InputError, match=message):
        import_model(llama_folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_heads": None}, "field 'model_args.n_heads' is missing"),
        ({"prefix_vocab_size": 10}, "field 'model_args.prefix_vocab_size' is 10"),
    ],
    ids=str,
)
def test_an_slm_config_that_does_not_fit_is_named(arguments, message, tmp_path):
    save_slm(tmp_path / "slm")
    content = json.loads((tmp_path / "slm" / "config.json").read_text())
    content["model_args"] |= arguments
    (tmp_path / "slm" / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        import_model(tmp_path / "slm")


def test_files_that_are_missing_or_broken_are_named(llama_folder, tmp_path):
    weights = llama_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match=r"model.safetensors: not a safetensors file"):
        import_model(llama_folder)
    weights.unlink()
    with pytest.raises(InputError, match=r"model.safetensors: no such file"):
        import_model(llama_folder)
    (llama_folder / "pytorch_model.bin").touch()
    with pytest.raises(InputError, match=r"pytorch_model.bin: is a pickle"):
        import_model(llama_folder)
    save_slm(tmp_path / "slm", shards=3)
    (tmp_path / "slm" / "model-00001.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-00001.safetensors: no such file"):
        import_model(tmp_path / "slm")
    index = {"weight_map": {"norm.weight": "../elsewhere.safetensors"}}
    (tmp_path / "slm" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="no file of this folder"):
        import_model(tmp_path / "slm")


def test_what_is_no_llama_is_not_exported_as_one(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    reference("pythia").save_pretrained(tmp_path / "pythia")
    model, _, _ = import_model(tmp_path / "pythia")
    with pytest.raises(InputError, match=r"model.block is 'parallel', but every Llama has 'sequential'"):
        save_llama(model, tmp_path / "llama", context=64, eos=0)
    assert LLAMA["hidden_size"] == model.config.dim
