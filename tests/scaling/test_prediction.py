"""The chain from (N, D) to loss to accuracy, on a table whose every link is known."""

import numpy as np
import pytest
from law_tables import LAW, isoflop_grid, law_loss, thin_grids, write_table
from scipy import optimize

from slm_jax.errors import InputError
from slm_jax.scaling import fit, predict, read_runs
from slm_jax.scaling.bootstrap import resample_counts
from slm_jax.scaling.downstream import fit_task

MIDDLE, STEEPNESS = 3.2, 4.0


def sigmoid(loss, chance=0.5):
    return chance + (1 - chance) / (1 + (loss / MIDDLE) ** STEEPNESS)


@pytest.fixture(scope="module")
def laws(tmp_path_factory):
    params, tokens = isoflop_grid()
    rng = np.random.default_rng(1)
    loss = law_loss(params, tokens) * np.exp(0.004 * rng.standard_normal(16))
    accuracy = sigmoid(loss) + 0.004 * rng.standard_normal(16)
    columns = {"params": params, "tokens": tokens, "loss": loss, "pairs": accuracy}
    runs = read_runs(write_table(tmp_path_factory.mktemp("t") / "t.csv", columns))
    with pytest.MonkeyPatch.context() as patch:
        thin_grids(patch)
        return fit(runs, resamples=200)


def test_the_chain_holds_the_truth(laws):
    found = predict(laws, 2e6, 2e7)
    truth = law_loss(2e6, 2e7)
    assert found["loss"]["low"] <= truth <= found["loss"]["high"]
    assert found["loss"]["value"] == pytest.approx(truth, rel=0.02)
    by_sigmoid = found["accuracy"]["pairs"]["sigmoid"]
    assert by_sigmoid["low"] <= sigmoid(truth) <= by_sigmoid["high"]
    assert found["extrapolated"] and found["warnings"]
    assert not predict(laws, 1e5, 1e7)["extrapolated"]
    assert 0.5 < predict(laws, 10, 10)["accuracy"]["pairs"]["sigmoid"]["value"] < 0.51
    assert predict(laws, 10, 10)["accuracy"]["pairs"]["line"]["value"] == 0


def test_the_next_decade_is_told_by_the_same_chain(laws):
    decade = laws["groups"]["all"]["next_decade"]
    best = decade["by_loss_law"]
    told = predict(laws, best["params"]["value"], best["tokens"]["value"])
    assert told["loss"]["value"] == pytest.approx(best["loss"]["value"])
    found = decade["accuracy_by_loss"]["pairs"]["sigmoid"]["value"]
    assert found == pytest.approx(told["accuracy"]["pairs"]["sigmoid"]["value"])


def test_a_prediction_needs_numbers_and_laws(laws):
    with pytest.raises(InputError, match="params is 0: give a positive number"):
        predict(laws, 0, 1e9)
    with pytest.raises(InputError, match="no data_constrained law"):
        predict(laws, 1e6, 1e9, unique_tokens=1e8)


def test_a_run_far_beyond_its_largest_budget_is_held_out(laws):
    found = laws["groups"]["all"]["held_out"]
    assert found["runs"] == 4 and found["fitted_to"] == pytest.approx(10 ** (11 + 4 / 3))
    assert abs(found["error"]["value"]) < 0.02 and found["worst"] < 0.04
    assert found["error"]["low"] <= found["error"]["value"] <= found["error"]["high"]


def test_the_sigmoid_is_scipys_least_absolute_fit(tmp_path):
    rng = np.random.default_rng(2)
    loss = np.linspace(2.2, 5, 24)
    accuracy = sigmoid(loss, 0.25) + 0.01 * rng.standard_normal(24)
    columns = {"params": loss * 1e6, "tokens": loss * 1e8, "loss": loss, "cloze": accuracy}
    runs = read_runs(write_table(tmp_path / "t.csv", columns))
    found, samples = fit_task(runs, "cloze", resample_counts(24, 100, rng), rng, chance=0.25)
    curve = found["sigmoid"]

    def misses(theta):
        return np.abs(0.25 + 0.75 / (1 + (loss / theta[0]) ** theta[1]) - accuracy).sum()

    expected = optimize.minimize(
        misses, [3.0, 3.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    at = [curve["middle"]["value"], curve["steepness"]["value"]]
    assert misses(at) == pytest.approx(expected.fun, rel=0.02)
    assert curve["middle"]["low"] <= MIDDLE <= curve["middle"]["high"]
    assert curve["chance"] == 0.25 and len(samples["sigmoid"]) == len(samples["line"]) == 100


@pytest.mark.parametrize(
    ("chance", "message"), [({"pair": 0.5}, "no such task"), ({"pairs": 1.0}, "chance of 'pairs' is 1.0")]
)
def test_chance_is_checked(tmp_path, chance, message):
    params, tokens = isoflop_grid(2, 2)
    columns = {
        "params": params,
        "tokens": tokens,
        "loss": law_loss(params, tokens),
        "pairs": [0.5, 0.6, 0.7, 0.8],
    }
    with pytest.raises(InputError, match=message):
        fit(read_runs(write_table(tmp_path / "t.csv", columns)), chance=chance)


def test_the_law_itself_was_found(laws):
    found = laws["groups"]["all"]["loss_law"]
    for name in ("E", "alpha", "beta"):
        assert found[name]["value"] == pytest.approx(LAW[name], rel=0.25)
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
    assert len(found["residuals"]) == 16 and found["bootstrap"] == "residuals"
    assert len(laws["samples"]["all"]["plain"]) == 200
