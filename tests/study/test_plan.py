import numpy as np
import pytest
import scipy.optimize

from slm_jax.errors import InputError
from slm_jax.files import write_json
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.study import default_study, format_plan, parse_study, plan_budget, plan_grid


def study(**grid):
    config = default_study()
    config.context, config.batch_size = 256, 4
    config.grid.update(grid)
    return parse_study(config)


def test_every_run_spends_its_budget_in_whole_updates():
    runs = plan_grid(
        study(budgets=(3e11, 1e12), sizes=("30k", "90k", "170k")), vocab_size=202, stream_tokens=10**7
    )
    assert len(runs) == 6
    for run in runs:
        params = count_parameters(TransformerConfig(vocab_size=202, **SIZES[run.size]))
        assert run.params == params
        assert run.tokens == run.steps * 4 * 256
        assert run.flops == 6 * params * run.tokens
        assert run.flops == pytest.approx(run.budget, rel=0.05)
    assert len({run.name for run in runs}) == 6


def test_runs_with_too_few_updates_or_too_many_epochs_are_left_out():
    config = study(budgets=(1e11,), sizes=("30k", "90k", "830k"), min_steps=100, max_epochs=4.0)
    runs = plan_grid(config, vocab_size=202, stream_tokens=200_000)
    assert [run.size for run in runs] == ["30k", "90k"]  # 830k would get 20 updates
    with pytest.raises(InputError, match="0 runs fit"):
        plan_grid(config, vocab_size=202, stream_tokens=40_000)  # 12 and 4.5 epochs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": ("30k", "30k")}, "none twice"),
        ({"sizes": ("30k", "huge")}, "no size is called 'huge'"),
        ({"budgets": (-1.0,)}, "positive numbers of FLOPs"),
        ({"budgets": ()}, "at least one"),
    ],
)
def test_a_wrong_grid_is_named(change, message):
    with pytest.raises(InputError, match=message):
        study(**change)


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


def test_names_tell_budgets_apart():
    config = study(budgets=(1e12, 1.2e12, 1.5e12), sizes=("30k", "90k"))
    runs = plan_grid(config, vocab_size=202, stream_tokens=10**8)
    assert len({run.name for run in runs}) == 6
    assert "30k-1.2e12" in {run.name for run in runs}


@pytest.mark.parametrize(
    ("field", "value"), [("batch_size", 0), ("resamples", -1), ("context", -5), ("log_every", 0)]
)
def test_a_number_out_of_range_is_named(field, value):
    config = default_study()
    config[field] = value
    with pytest.raises(InputError, match=rf"config\.{field} is {value}"):
        parse_study(config)
