import json

import numpy as np
import pytest
from law_tables import isoflop_grid, law_loss, noisy_loss, write_table

from slm_jax.errors import InputError
from slm_jax.scaling import allocate, fit, format_summary, predict, read_runs, write_figures
from slm_jax.scaling.envelope import envelope, fit_envelope
from slm_jax.scaling.figures.loss import draw_loss_compute
from slm_jax.scaling.figures.style import SizeColours
from slm_jax.scaling.forms import DATA_CONSTRAINED
from slm_jax.scaling.isoflop import fit_isoflop, shared_budgets
from slm_jax.scaling.verdicts import judge

pytestmark = pytest.mark.usefixtures("fewer_starts")


def study(tmp_path, sizes=4, budgets=4, tasks=True, **more):
    params, tokens = isoflop_grid(sizes, budgets)
    loss = noisy_loss(params, tokens, 0.01, seed=2)
    columns = {
        "model": [f"run-{i}" for i in range(len(params))],
        "params": params,
        "tokens": tokens,
        "loss": loss,
    }
    if tasks:
        accuracy = 1.0 - 0.1 * loss
        columns |= {"pairs": accuracy, "pairs_low": accuracy - 0.02, "pairs_high": accuracy + 0.02}
    return read_runs(write_table(tmp_path / "results.csv", {**columns, **more}))


def verdicts(group):
    return {claim["claim"]: claim["verdict"] for claim in group["claims"]}


def test_a_small_study(tmp_path):
    runs = study(tmp_path)
    laws = fit(runs, resamples=100)
    json.dumps(laws, allow_nan=False)
    group = laws["groups"]["all"]
    assert set(verdicts(group).values()) == {"supported"}
    assert group["frontier"]["a"]["low"] <= 0.24 / 0.49 <= group["frontier"]["a"]["high"]
    assert len(group["isoflop"]["budgets"]) == 4
    assert group["next_decade"]["flops"] == pytest.approx(1e14)
    assert group["next_decade"]["accuracy"]["pairs"]["value"] > runs.tasks["pairs"].accuracy_R.max()
    text = format_summary(laws)
    assert "[supported] Loss predicts accuracy (pairs): r = -1" in text and "alpha" in text
    for part in (
        "tokens per parameter",
        "more compute for the same loss at 0.5 times",
        "the law misses the 4",
    ):
        assert part in text
    assert "Kaplan law" in text and "loss at ten times the compute:" in text
    assert fit(runs, resamples=100) == laws
    assert fit(runs, resamples=100, seed=1)["groups"]["all"]["frontier"]["a"] != group["frontier"]["a"]


def test_repeated_data_get_their_own_law(tmp_path):
    size, flops = (
        part.ravel() for part in np.meshgrid(2.0 ** np.arange(-3, 4, 2), np.geomspace(1e17, 1e20, 8))
    )
    params = 0.1 * np.sqrt(flops / 6) * size
    columns = {
        "params": params,
        "tokens": flops / (6 * params),
        "unique_tokens": np.resize([3e7, 3e8, 3e8], 32),
    }
    truth = (1.87, 521, 1488, 0.35, 0.36, 5.3, 15.4)
    noise = np.exp(0.003 * np.random.default_rng(5).standard_normal(32))
    columns["loss"] = DATA_CONSTRAINED.loss(truth, *columns.values()) * noise
    laws = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=100)
    group = laws["groups"]["all"]
    law = group["other_forms"]["data_constrained"]
    assert law["bic"] < group["loss_law"]["bic"] - 20
    assert law["R_D"]["value"] == pytest.approx(15.4, rel=0.15)
    assert [("epochs" in row) for row in group["allocation"]] == [False, False, True, True]
    few = allocate(laws, 1e20, unique_tokens=3e8)
    assert few["epochs"]["value"] > allocate(laws, 1e20, unique_tokens=3e9)["epochs"]["value"] > 1
    seen_again = predict(laws, 1e9, 1e10, unique_tokens=1e8)["loss"]
    assert seen_again["low"] > predict(laws, 1e9, 1e10, unique_tokens=1e10)["loss"]["high"]
    assert "epochs" in format_summary(laws) and "Data-constrained law" in format_summary(laws)


def test_the_next_run_has_the_data_it_needs(tmp_path):
    _, tokens = isoflop_grid()
    group = fit(study(tmp_path, unique_tokens=tokens), resamples=30)["groups"]["all"]
    assert group["unique_tokens"] is None  # there may be more than any run has seen
    assert all(run["epochs"] is None for row in group["next_run"] for run in row["candidates"])
    laws = fit(study(tmp_path, unique_tokens=np.minimum(tokens, 1e6)), resamples=30, max_epochs=3.0)
    group = laws["groups"]["all"]
    assert laws["max_epochs"] == 3.0 and group["unique_tokens"] == 1e6
    for row in group["next_run"]:
        for run in row["candidates"]:
            assert run["tokens"] <= 3e6 * (1 + 1e-9)
            assert run["epochs"] == pytest.approx(run["tokens"] / 1e6)
    best = next(row["best"] for row in group["next_run"] if row["target"] == "loss")
    assert f"FLOPs, {best['epochs']:.3g} passes)" in format_summary(laws)


def test_points_of_one_run_are_resampled_together(tmp_path):
    runs = study(tmp_path, run=[f"run-{i // 2}" for i in range(16)])
    laws = fit(runs, resamples=30)
    assert laws["groups"]["all"]["loss_law"]["bootstrap"] == "runs"
    assert runs.groups()["all"].run[:3] == ("run-0", "run-0", "run-1")


def test_two_sizes_say_what_cannot_be_told(tmp_path):
    laws = fit(study(tmp_path, sizes=2), resamples=100)
    group = laws["groups"]["all"]
    assert group["loss_law"] is group["frontier"] is group["isoflop"] is None
    assert verdicts(group)["Larger budgets prefer larger models"] == "cannot tell"
    assert verdicts(group)["Loss falls as a power law of compute along the frontier"] == "supported"
    assert "3 model sizes" in group["absent"]["loss_law"] and "3 model sizes" in format_summary(laws)


def test_no_tasks_and_no_shared_budget(tmp_path):
    rng = np.random.default_rng(0)
    params, tokens = 10 ** rng.uniform(4.5, 6, 9), np.geomspace(1e5, 1e8, 9)
    columns = {"params": params, "tokens": tokens, "loss": law_loss(params, tokens)}
    runs = read_runs(write_table(tmp_path / "t.csv", columns))
    laws = fit(runs, resamples=50)
    group = laws["groups"]["all"]
    assert group["tasks"] == {} and group["isoflop"] is None
    assert "no compute budget is shared" in format_summary(laws)
    assert any("Only 9 runs" in warning for warning in group["warnings"])


def test_two_runs_and_flat_accuracy_do_not_break(tmp_path):
    columns = {"params": [1e5, 1e6], "tokens": [1e7, 1e8], "loss": [4.0, 3.0], "pairs": [0.5, 0.5]}
    laws = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=50)
    assert set(verdicts(laws["groups"]["all"]).values()) == {"cannot tell"}
    assert "cannot tell" in format_summary(laws)


def test_groups_are_compared_by_gamma(tmp_path):
    params, tokens = isoflop_grid(1, 8)
    flops = 6 * params * tokens
    columns = {
        "modality": ["text"] * 8 + ["speech"] * 8,
        "params": np.tile(params, 2),
        "tokens": np.tile(tokens, 2),
        "loss": np.tile(law_loss(params, tokens), 2),
        "pairs": np.concatenate([0.5 * (flops / 1e11) ** 0.06, 0.5 * (flops / 1e11) ** 0.02]),
    }
    laws = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=100)
    (row,) = laws["comparisons"]
    assert (row["faster"], row["slower"], row["verdict"]) == ("text", "speech", "supported")
    assert row["gamma_ratio"]["value"] == pytest.approx(3)


def test_warns_of_repeated_data_and_collinear_runs(tmp_path):
    params = np.geomspace(1e5, 1e7, 12)
    columns = {"params": params, "tokens": 20 * params, "unique_tokens": params}
    columns["loss"] = law_loss(params, 20 * params)
    laws = fit(read_runs(write_table(tmp_path / "t.csv", columns)), resamples=50)
    warnings = " ".join(laws["groups"]["all"]["warnings"])
    assert "change together" in warnings and "more than 4 times" in warnings
    assert verdicts(laws["groups"]["all"])["Larger budgets prefer larger models"] == "cannot tell"


def test_isoflop_minimum_of_an_exact_parabola():
    params, flops = np.meshgrid(np.geomspace(1e5, 1e7, 5), [1e13, 1e15, 1e17])
    params, flops = params.ravel(), flops.ravel()
    best = 4e5 * (flops / 1e13) ** 0.5
    loss = np.exp(1 + 0.03 * np.log(params / best) ** 2)
    best_at = {1e13: 4e5, 1e15: 4e6}
    found = fit_isoflop(params, flops, loss, np.ones((30, 15)))
    assert [budget["inside"] for budget in found["budgets"]] == [True, True, False]
    for budget in found["budgets"][:2]:
        expected = best_at[round(budget["flops"], -12)]
        assert budget["params"]["value"] == pytest.approx(expected, rel=1e-6)
        assert budget["loss"]["value"] == pytest.approx(np.e)
    assert found["exponent"]["value"] == pytest.approx(0.5)


def test_budgets_do_not_chain():
    flops = 1e15 * 1.03 ** np.arange(12)
    budgets = [flops[rows] for rows in shared_budgets(np.arange(1.0, 13), flops)]
    assert [len(budget) for budget in budgets] == [4, 4, 4]  # 1.03^3 < 1.1 < 1.03^4


def test_envelope_takes_the_lowest_curve():
    flops = np.geomspace(1e10, 1e14, 50)
    curves = {"small": (flops, 5 - 0.1 * np.log(flops), 1e5), "large": (flops, 8 - 0.2 * np.log(flops), 1e6)}
    found = envelope(curves)
    crossing = np.exp(30)  # where 5 - 0.1 log C = 8 - 0.2 log C
    np.testing.assert_array_equal(found["params_P"], np.where(found["flops_P"] < crossing, 1e5, 1e6))
    assert fit_envelope(curves, 50, np.random.default_rng(0))["value"] > 0
    assert fit_envelope({"small": curves["small"]}, 50, np.random.default_rng(0)) is None


def test_verdicts():
    interval = {"value": 0.1, "low": 0.05, "high": 0.2}
    assert judge(interval, above=0) == "supported" and judge(interval, below=0) == "not supported"
    assert judge({**interval, "low": -0.1}, above=0) == "cannot tell"
    assert judge({"value": 0.1, "low": None, "high": None}, above=0) == judge(None, above=0) == "cannot tell"


def test_figures_are_written_and_repeatable(tmp_path):
    runs = study(tmp_path)
    laws = json.loads(json.dumps(fit(runs, resamples=50)))
    flops = np.geomspace(1e10, 1e12, 20)
    curves = {f"run-{i}": (flops * (i + 1), 6 - 0.1 * np.log(flops / 1e10), 1e5 * (i + 1)) for i in range(2)}
    written = write_figures(runs, laws, tmp_path / "one", curves)
    assert list(written) == [
        "loss_compute",
        "isoflop",
        "loss_law",
        "loss_accuracy_pairs",
        "accuracy_compute_pairs",
    ]
    for path in written.values():
        assert path.read_bytes().startswith(b"\x89PNG") and "<svg" in path.with_suffix(".svg").read_text()
    again = write_figures(runs, laws, tmp_path / "two", curves)
    for name, path in written.items():
        assert path.with_suffix(".svg").read_bytes() == again[name].with_suffix(".svg").read_bytes()


def test_figures_of_an_earlier_fit_do_not_stay(tmp_path):
    runs, folder = study(tmp_path), tmp_path / "figures"
    write_figures(runs, fit(runs, resamples=50), folder)
    for name in ("mine.png", "loss_accuracy_mine.svg"):
        (folder / name).touch()
    runs = study(tmp_path, sizes=2, tasks=False)
    write_figures(runs, fit(runs, resamples=50), folder)
    assert {path.name for path in folder.iterdir()} == {
        "figures.json",
        "loss_compute.pdf",
        "loss_compute.png",
        "loss_compute.svg",
        "mine.png",
        "loss_accuracy_mine.svg",
    }


def test_the_axis_says_whose_loss_it_shows(tmp_path):
    runs = study(tmp_path)
    group, colours = fit(runs, resamples=50)["groups"]["all"], SizeColours(runs.params_R)
    curves = {"run-0": (np.geomspace(1e10, 1e12, 20), np.linspace(5, 4, 20), 1e5)}
    for given, label in ((curves, "Loss (nats per token)"), ({}, "Held-out loss (nats per token)")):
        figure = draw_loss_compute(runs, group, colours, given)
        assert figure.axes[0].get_ylabel() == label
        words = {text.get_text() for text in figure.legends[0].get_texts()}
        assert "held-out loss" in words and ("training loss" in words) == bool(given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resamples": 0}, "resamples is 0"),
        ({"resamples": -5}, "resamples is -5"),
        ({"seed": -1}, "seed is -1"),
        ({"max_epochs": -1.0}, "max_epochs is -1.0"),
    ],
)
def test_arguments_out_of_range_are_named(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        fit(study(tmp_path), **arguments)


def test_figures_of_two_sizes(tmp_path):
    runs = study(tmp_path, sizes=2, tasks=False)
    assert list(write_figures(runs, fit(runs, resamples=50), tmp_path / "f")) == ["loss_compute"]
