"""From a trained run and a pairs dataset to a result file, a table and a comparison."""

import jax
import numpy as np
import pytest
from mean_lm import K

from slm_jax.data import PairsDataset, UnitDataset, write_dataset
from slm_jax.errors import InputError
from slm_jax.evaluation import compare, evaluate, format_table, open_run, write_result
from slm_jax.files import read_json
from slm_jax.tokenizer import MFCC, Tokenizer
from slm_jax.training import heldout_loss, parse_config, train

CONTEXT = 32
RULES = ("agreement", "word_order")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a few updates on records that count upwards, and pairs of counting up against down."""
    folder = tmp_path_factory.mktemp("evaluation")
    Tokenizer(MFCC(), np.random.default_rng(0).normal(size=(K, 26))).save(folder / "tokenizer")
    rng = np.random.default_rng(1)
    splits = {split: [record(f"{split}{i}", rng) for i in range(60)] for split in ("train", "validation")}
    write(folder / "units", splits, "units", folder / "tokenizer")
    write(folder / "pairs", {"test": pairs(rng)}, "pairs", folder / "tokenizer")
    config = {
        "name": "tiny",
        "tokens": 60 * 8 * CONTEXT,
        "context": CONTEXT,
        "batch_size": 8,
        "data": {"path": str(folder / "units")},
        "model": {"layers": 1, "dim": 16, "heads": 2, "mlp_multiple": 16},
        "optimizer": {"peak_rate": 1e-2, "min_warmup_steps": 5},
    }
    train(parse_config(config), folder / "run")
    return folder


def record(name: str, rng, down: bool = False, length: int | None = None) -> dict:
    units = (rng.integers(K) + np.arange(length or rng.integers(5, 30)) * (-1 if down else 1)) % K
    return {"id": name, "units": units.astype(np.uint16), "source": "s", "speaker": "s", "seconds": 1.0}


def pairs(rng) -> list[dict]:
    """The good candidate counts upwards; in a group named tie both are the same."""
    rows = []
    for phenomenon in RULES:
        for group in (*(f"{phenomenon} {i}" for i in range(5)), f"{phenomenon} tie"):
            for voice in ("v1", "v2"):
                fields = {"group": group, "phenomenon": phenomenon, "voice": voice}
                name = f"{group} {voice}"
                good = record(f"{name} good", rng)
                bad = record(f"{name} bad", rng, down=True)
                if "tie" in group:
                    bad["units"] = good["units"]
                rows += [good | fields | {"correct": True}, bad | fields | {"correct": False}]
    return rows


def write(path, splits, kind, tokenizer_dir):
    write_dataset(path, splits, name="made_up", kind=kind, tokenizer_dir=tokenizer_dir)


@pytest.fixture(scope="module")
def result(folder) -> dict:
    return evaluate(folder / "run", folder / "pairs", task="counting", items=True)


def test_a_learned_rule_is_scored_right_and_equal_candidates_tie(result):
    for numbers in (*result["accuracy"]["phenomena"].values(), result["accuracy"]["macro"]):
        assert numbers["value"] == pytest.approx((5 + 0.5) / 6)
    assert {item["points"] for item in result["items"] if "tie" in item["group"]} == {0.5}
    assert (result["pairs"], result["questions"]) == (12, 24)


def test_items_hold_what_the_points_come_from(folder, result):
    lengths = {c.id: len(c.units) for c in PairsDataset(folder / "pairs").candidates()}
    for item in result["items"]:
        assert item["good"]["units"] == lengths[item["good"]["id"]]
        if "tie" not in item["group"]:
            good, bad = item["good"], item["bad"][0]
            assert (good["loglik"] / good["units"] > bad["loglik"] / bad["units"]) == (item["points"] == 1)


def test_the_result_says_where_it_comes_from(folder, result):
    dataset = PairsDataset(folder / "pairs")
    assert result["data"]["fingerprint"] == dataset.fingerprint
    assert result["tokenizer"]["fingerprint"] == dataset.tokenizer_fingerprint
    assert result["model"] == {"run": str(folder / "run"), "name": "tiny", "checkpoint_step": 60}
    assert result["settings"]["normalization"] == "mean"
    assert result["settings"]["devices"] == f"1 x {jax.devices()[0].device_kind}"
    write_result(result, folder / "result.json")
    assert read_json(folder / "result.json") == result


def test_an_open_run_gives_the_same_result(folder, result):
    again = evaluate(open_run(folder / "run"), folder / "pairs", task="counting")
    assert again == {key: value for key, value in result.items() if key != "items"}


def test_sum_normalization_compares_whole_log_likelihoods(folder):
    result = evaluate(folder / "run", folder / "pairs", task="t", normalization="sum", items=True)
    for item in result["items"]:
        expected = np.sign(item["good"]["loglik"] - item["bad"][0]["loglik"]) / 2 + 0.5
        assert item["points"] == expected
    with pytest.raises(InputError, match="normalization is 'max'"):
        evaluate(folder / "run", folder / "pairs", task="t", normalization="max")


def test_the_table_has_every_number(result):
    lines = format_table(result).splitlines()
    assert lines[0] == "counting: tiny at step 60"
    assert len({len(line) for line in lines[2:]}) == 1
    row = next(line for line in lines if line.startswith("word_order"))
    numbers = result["accuracy"]["phenomena"]["word_order"]
    assert row.split()[1:4] == ["6", "12", f"{100 * numbers['value']:.1f}"]
    assert f"{100 * numbers['low']:.1f} to" in row


def test_a_result_compared_with_itself_and_with_another(folder, result):
    assert compare(result, result)["macro"] == {"value": 0, "low": 0, "high": 0}
    worse = result | {"items": [item | {"points": 0.0} for item in result["items"]]}
    assert compare(result, worse)["macro"]["value"] == pytest.approx(result["accuracy"]["macro"]["value"])
    with pytest.raises(InputError, match="has no items"):
        compare(result, {key: value for key, value in result.items() if key != "items"})


def test_heldout_loss_of_the_run(folder):
    run, dataset = open_run(folder / "run"), UnitDataset(folder / "units")
    loss = heldout_loss(run.model, dataset, "validation", context=run.context)
    assert loss.tokens == sum(dataset.lengths("validation") + 1)
    assert 0 < loss.nats_per_token < 0.8 * np.log(dataset.vocab_size)


def test_another_tokenizer_is_refused_naming_both(folder, tmp_path):
    Tokenizer(MFCC(), np.random.default_rng(9).normal(size=(K, 26))).save(tmp_path / "tokenizer")
    write(tmp_path / "pairs", {"test": pairs(np.random.default_rng(2))}, "pairs", tmp_path / "tokenizer")
    with pytest.raises(InputError) as error:
        evaluate(folder / "run", tmp_path / "pairs", task="t")
    theirs = PairsDataset(tmp_path / "pairs").tokenizer_fingerprint
    ours = PairsDataset(folder / "pairs").tokenizer_fingerprint
    for part in (tmp_path / "pairs", folder / "run", folder / "units", theirs, ours):
        assert str(part) in str(error.value)


def test_a_candidate_longer_than_the_context_is_named(folder, tmp_path):
    rows = pairs(np.random.default_rng(3))
    rows[0]["units"] = np.zeros(CONTEXT + 1, np.uint16)
    write(tmp_path / "pairs", {"test": rows}, "pairs", folder / "tokenizer")
    message = f"{rows[0]['id']} has {CONTEXT + 1} units but the model's context is {CONTEXT}"
    with pytest.raises(InputError, match=message):
        evaluate(folder / "run", tmp_path / "pairs", task="t")


def test_a_dataset_without_pairs_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(PairsDataset, "candidates", lambda self: [])
    with pytest.raises(InputError, match="holds no pairs"):
        evaluate(open_run(folder / "run"), folder / "pairs", task="t")
