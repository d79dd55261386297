"""The curves of runs: what compute each logged loss took."""

import numpy as np

from slm_jax.files import write_json, write_jsonl
from slm_jax.study.results import read_curves


def test_a_curve_ends_at_the_compute_of_its_run(tmp_path):
    """Of experts a token sees a share of the parameters, so that N counts more than C / (6 D)."""
    run = tmp_path / "speech-30k-1e12"
    write_json(run / "summary.json", {"params": 1000, "tokens": 400, "flops": 6.0 * 300 * 400})
    write_jsonl(
        run / "metrics.jsonl",
        [{"step": step, "tokens": 200 * step, "loss": 4.0 - step} for step in (1, 2)],
    )
    flops_S, loss_S, params = read_curves([run])["speech-30k-1e12"]
    np.testing.assert_allclose(flops_S, [360_000, 720_000])
    np.testing.assert_array_equal(loss_S, [3.0, 2.0])
    assert params == 1000
