"""`slm import`: a published model is evaluated and exported like any run."""

import json

import numpy as np
import pytest

from slm_jax.data import write_dataset


def test_an_imported_model_is_evaluated_as_a_run(slm, tokenizer, tmp_path, capsys):
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=20, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "published")
    rng = np.random.default_rng(0)
    rows = [
        {
            "id": f"{pair}-{correct}", "units": rng.integers(12, size=9).astype(np.uint16), "source": "test",
            "speaker": "a", "seconds": 1.0, "group": str(pair), "phenomenon": "order", "voice": "a",
            "correct": correct,
        }
        for pair in range(6)
        for correct in (True, False)
    ]  # fmt: skip
    write_dataset(tmp_path / "pairs", {"test": rows}, name="pairs", kind="pairs", tokenizer_dir=tokenizer)
    bring = ["import", "--model", tmp_path / "published", "--tokenizer", tokenizer, "--eos", 12, "--pad", 13]
    assert slm(*bring, "--out", tmp_path / "run") == 0
    assert "6 tokens of no unit" in capsys.readouterr().out
    score = ["evaluate", "--checkpoint", tmp_path / "run", "--data", tmp_path / "pairs"]
    assert slm(*score, "--out", tmp_path / "scores.json") == 0
    assert 0 <= json.loads((tmp_path / "scores.json").read_text())["accuracy"]["macro"]["value"] <= 1
