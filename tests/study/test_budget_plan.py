"""What a budget is best spent on, by a law (slm plan --budget)."""

import numpy as np
import pytest
import scipy.optimize

from slm_jax.errors import InputError
from slm_jax.files import write_json
from slm_jax.study import format_plan, plan_budget


def test_a_budget_is_spent_where_the_published_law_is_lowest():
    """Against a numerical minimum of L(N, D) along 6 N D = C."""
    for row in plan_budget(1e19)["rows"]:

        def loss(log_params, flops=row["flops"]):
            params = np.exp(log_params)
            return 1.73 + 13.9 / params**0.25 + 39.8 / (flops / 6 / params) ** 0.24

        found = scipy.optimize.minimize_scalar(
            loss, bounds=(5, 40), method="bounded", options={"xatol": 1e-10}
        )
        assert row["params"] == pytest.approx(np.exp(found.x), rel=1e-3)
        assert row["loss"] == pytest.approx(found.fun, rel=1e-9)
        assert 6 * row["params"] * row["tokens"] == pytest.approx(row["flops"])
    assert "1.0e+19" in format_plan(plan_budget(1e19))


def test_a_law_of_runs_on_a_known_corpus_tells_passes(tmp_path):
    symbols = {"E": 1.7, "A": 14, "B": 40, "alpha": 0.25, "beta": 0.24}
    group = {"loss_law": {name: {"value": value} for name, value in symbols.items()}}
    group |= {"flops": {"least": 1e10, "most": 1e12}, "unique_tokens": 2e6}
    write_json(tmp_path / "laws.json", {"groups": {"speech": group}})
    plan = plan_budget(1e12, tmp_path / "laws.json")
    for row in plan["rows"]:
        assert row["passes"] == pytest.approx(row["tokens"] / 2e6)
        assert f" {row['passes']:.3g} " in format_plan(plan)
    group["unique_tokens"] = None
    write_json(tmp_path / "laws.json", {"groups": {"speech": group}})
    for laws in (tmp_path / "laws.json", None):
        assert "asses" not in format_plan(plan_budget(1e12, laws))


def test_laws_without_a_loss_law_are_refused(tmp_path):
    write_json(tmp_path / "laws.json", {"groups": {"speech": {"loss_law": None}}})
    with pytest.raises(InputError, match="holds no loss law"):
        plan_budget(1e17, tmp_path / "laws.json")


@pytest.mark.parametrize("content", [[], {"groups": {"a": {"loss_law": 3}}}, {"groups": {"a": 1}}])
def test_a_file_of_another_shape_is_no_law(tmp_path, content):
    write_json(tmp_path / "laws.json", content)
    with pytest.raises(InputError, match="holds no loss law"):
        plan_budget(1e17, tmp_path / "laws.json")


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_is_a_positive_number(budget):
    with pytest.raises(InputError, match="--budget"):
        plan_budget(budget)
