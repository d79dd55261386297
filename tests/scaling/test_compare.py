import numpy as np
import pytest
from law_tables import law_loss, noisy_loss, write_table

from slm_jax.scaling import fit, read_runs

FLOPS = np.geomspace(1e15, 1e19, 12)


def groups_of(tmp_path, by: str = "modality", noise=0.0, **accuracies):
    """The comparison of two groups whose accuracies are given, at sizes and tokens of the same budgets."""
    rng = np.random.default_rng(0)
    columns = {
        by: np.repeat(list(accuracies), 12),
        "params": np.full(24, 1e7),
        "tokens": np.tile(FLOPS / 6e7, 2),
        "pairs": np.concatenate(list(accuracies.values())) * np.exp(rng.normal(0, noise, 24)),
    }
    return fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=300)


def power(gamma, at_least=0.5):
    return at_least * (FLOPS / 1e15) ** gamma


@pytest.mark.parametrize("by", ["modality", "tokenizer", "corpus"])
def test_decades_that_a_decade_is_worth(tmp_path, by):
    (row,) = groups_of(tmp_path, by, noise=0.004, fast=power(0.06), slow=power(0.02))["comparisons"]
    assert (row["faster"], row["slower"], row["task"]) == ("fast", "slow", "pairs")
    assert row["gamma_ratio"]["value"] == pytest.approx(3, abs=0.2)
    assert 2 < row["gamma_ratio"]["low"] < row["gamma_ratio"]["value"] < row["gamma_ratio"]["high"] < 4
    assert row["verdict"] == "supported"
    assert row["gammas"]["fast"]["value"] == pytest.approx(0.06, abs=0.005)


def test_compute_to_reach_the_others_accuracy(tmp_path):
    (row,) = groups_of(tmp_path, fast=power(0.06, 0.4), slow=power(0.02))["comparisons"]
    best_slow, best_fast = 0.5 * 1e4**0.02, 0.4 * 1e4**0.06
    for level, best_of, accuracy in zip(row["levels"], ("slow", "fast"), (best_slow, best_fast), strict=True):
        assert level["best_of"] == best_of and level["accuracy"] == pytest.approx(accuracy, rel=1e-4)
        slow = 15 + np.log10(accuracy / 0.5) / 0.02
        fast = 15 + np.log10(accuracy / 0.4) / 0.06
        assert level["log10_flops"]["slow"]["value"] == pytest.approx(slow, abs=0.02)
        assert level["log10_flops"]["fast"]["value"] == pytest.approx(fast, abs=0.02)
        assert level["decades"]["value"] == pytest.approx(slow - fast, abs=0.03)
        assert level["saturated"] == []
    assert row["levels"][0]["extrapolated"] == [] and row["levels"][1]["extrapolated"] == ["slow"]


def test_a_group_that_saturates_below_the_level_is_named(tmp_path):
    slow = np.minimum(power(0.05), 0.56)
    (row,) = groups_of(tmp_path, noise=0.001, fast=power(0.06), slow=slow)["comparisons"]
    assert row["levels"][1]["saturated"] == ["slow"]


def test_a_group_that_may_not_grow_at_all_has_no_interval(tmp_path):
    rng = np.random.default_rng(2)
    flat = 0.5 * np.exp(rng.normal(0, 0.03, 12))
    columns = {
        "modality": np.repeat(["fast", "slow"], 12),
        "params": np.full(24, 1e7),
        "tokens": np.tile(FLOPS / 6e7, 2),
        "loss": np.tile(4 * (FLOPS / 1e15) ** -0.02, 2),
        "pairs": np.concatenate([power(0.06), flat + 1e-4 * np.arange(12)]),
    }
    laws = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=200)
    for row in laws["comparisons"]:
        assert row["gamma_ratio"]["low"] is None and row["verdict"] == "cannot tell"


def test_exponents_of_two_losses_are_compared(tmp_path):
    params, flops = np.meshgrid(np.geomspace(1e6, 1e8, 4), np.geomspace(1e16, 1e19, 4))
    params, tokens = params.ravel(), (flops / (6 * params)).ravel()
    slower = 2.0 + 13.9 / params**0.25 + 39.8 / tokens**0.24 * tokens**-0.2
    columns = {
        "corpus": np.repeat(["one", "other"], 16),
        "params": np.tile(params, 2),
        "tokens": np.tile(tokens, 2),
        "loss": np.concatenate(
            [
                noisy_loss(params, tokens, 0.0003),
                slower * noisy_loss(params, tokens, 0.0003, 1) / law_loss(params, tokens),
            ]
        ),
    }
    laws = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=100)
    rows = {row["quantity"]: row for row in laws["loss_comparisons"]}
    assert set(rows) == {"alpha", "beta", "reducible_exponent"}
    assert rows["beta"]["groups"] == ["one", "other"]
    assert rows["beta"]["difference"]["value"] == pytest.approx(-0.2, abs=0.05)
    assert rows["beta"]["difference"]["high"] < 0
    assert rows["beta"]["verdict"] == "supported"
    assert rows["alpha"]["difference"]["low"] < 0 < rows["alpha"]["difference"]["high"]
    assert rows["alpha"]["verdict"] == "cannot tell"
