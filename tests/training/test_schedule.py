import math

import numpy as np
import pytest

from slm_jax.training import OptimizerConfig
from slm_jax.training.schedule import learning_rate


def rate(config, steps):
    return np.asarray(learning_rate(config, steps)(np.arange(steps)))


def test_the_studys_schedule():
    """Half a cosine from 5e-4 to 5e-5 after max(100, 1 %) updates of warm-up (Cuervo & Marxer 2024)."""
    rates = rate(OptimizerConfig(), 20_000)
    assert rates.argmax() == 200
    assert rates.max() == pytest.approx(5e-4)
    middle = 200 + (20_000 - 200) // 2
    assert rates[middle] == pytest.approx((5e-4 + 5e-5) / 2, rel=1e-3)
    quarter = 200 + (20_000 - 200) // 4
    assert rates[quarter] == pytest.approx(5e-5 + 4.5e-4 * (1 + math.cos(math.pi / 4)) / 2, rel=1e-3)
    assert rates[-1] == pytest.approx(5e-5, rel=1e-3)
    np.testing.assert_allclose(np.diff(rates[:200]), np.diff(rates[:200])[0], rtol=1e-3)


def test_the_warm_up_takes_at_most_half_of_a_short_run():
    rates = rate(OptimizerConfig(min_warmup_steps=100), 20)
    assert rates.argmax() == 10
    assert (rates > 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_runs_of_a_few_updates_have_a_rate(steps):
    assert np.isfinite(rate(OptimizerConfig(), steps)).all()
