import numpy as np
import pytest
from law_tables import isoflop_grid, write_table

from slm_jax.scaling import fit, read_runs
from slm_jax.scaling.forms import PLAIN

pytestmark = pytest.mark.usefixtures("fewer_starts")


@pytest.mark.parametrize(("apart", "verdict"), [(0.0, "supported"), (0.6, "not supported")])
def test_one_floor_or_two(tmp_path, apart, verdict):
    params, tokens = isoflop_grid(5, 5)
    rng = np.random.default_rng(3)
    laws = [(1.7, 14, 40, 0.25, 0.24), (1.7 + apart, 20, 30, 0.3, 0.22)]
    loss = [PLAIN.loss(law, params, tokens) * np.exp(0.002 * rng.standard_normal(25)) for law in laws]
    columns = {
        "tokenizer": np.repeat(["coarse", "fine"], 25),
        "modality": np.repeat("speech", 50),
        "params": np.tile(params, 2),
        "tokens": np.tile(tokens, 2),
        "loss": np.concatenate(loss),
    }
    (row,) = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=100)["shared_floor"]
    assert row["groups"] == ["speech coarse", "speech fine"] and row["verdict"] == verdict
    assert row["difference"]["low"] <= -apart <= row["difference"]["high"]
    if not apart:
        assert row["E"]["low"] <= 1.7 <= row["E"]["high"]
        alone = row["difference"]["high"] - row["difference"]["low"]
        assert row["E"]["high"] - row["E"]["low"] < alone  # what sharing is good for
