"""Runs that repeat each other with another seed, and tables with arms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law_tables import isoflop_grid, law_loss, noisy_loss, write_table

from slm_jax.scaling import fit, merge_tables, read_runs
from slm_jax.scaling.figures import write_figures
from slm_jax.scaling.oddities import oddities
from slm_jax.scaling.repeats import average_curves, average_repeats, cells

PARAMS, TOKENS = isoflop_grid(5, 4)


def columns(loss_SxR, **more):
    """Every size and budget with each of the seeds."""
    seeds = len(loss_SxR)
    found = {"model": [f"{i}-s{seed}" for seed in range(seeds) for i in range(len(PARAMS))]}
    found |= {"params": np.tile(PARAMS, seeds), "tokens": np.tile(TOKENS, seeds)}
    found |= {"seed": np.repeat(np.arange(seeds), len(PARAMS)), "loss": np.concatenate(loss_SxR)}
    return found | {"pairs": 1.2 - 0.1 * found["loss"]} | more


def table(tmp_path, loss_SxR, **more):
    return read_runs(write_table(tmp_path / "t.csv", columns(loss_SxR, **more)))


def numbers(found) -> list[float]:
    """All numbers of a part of laws.json, in order."""
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return [number for part in found for number in numbers(part)]
    return [] if isinstance(found, str | bool) or found is None else [float(found)]


def test_copies_of_every_run_change_no_law_and_no_interval(tmp_path, fewer_starts):
    loss = noisy_loss(PARAMS, TOKENS, 0.003)
    once = fit(table(tmp_path, [loss]), resamples=40)["groups"]["all"]
    twice = fit(table(tmp_path, [loss, loss]), resamples=40)["groups"]["all"]
    assert (once["runs"], once["repeats"], twice["runs"], twice["repeats"]) == (20, 0, 40, 20)
    assert len(twice["frontier_runs"]) == 2 * len(once["frontier_runs"])
    for part in ("loss_law", "held_out", "isoflop", "compute_law", "tasks", "allocation"):
        np.testing.assert_allclose(numbers(twice[part]), numbers(once[part]), rtol=1e-5, atol=1e-8)


def test_parabolas_are_those_through_all_points(tmp_path, fewer_starts):
    seeds = [noisy_loss(PARAMS, TOKENS, 0.01, seed) for seed in range(3)]
    isoflop = fit(table(tmp_path, seeds), resamples=20)["groups"]["all"]["isoflop"]
    for number, budget in enumerate(isoflop["budgets"]):
        rows = slice(5 * number, 5 * number + 5)
        x = np.tile(np.log(PARAMS[rows]), 3) - budget["parabola"]["center"]
        expected = np.polyfit(x, np.log(np.concatenate([loss[rows] for loss in seeds])), 2)
        np.testing.assert_allclose(budget["parabola"]["coefficients"], expected, rtol=1e-6)


def test_a_lucky_seed_is_on_no_frontier_of_its_own(tmp_path, fewer_starts):
    loss = law_loss(PARAMS, TOKENS)
    lucky = loss.copy()
    worst = int(np.argmax(loss[:5]))  # of the least budget: with luck the best, on average not
    lucky[worst] = loss[:5].min() - 1e-3
    group = fit(table(tmp_path, [loss, lucky]), resamples=20)["groups"]["all"]
    alone = fit(table(tmp_path, [loss]), resamples=20)["groups"]["all"]
    assert f"{worst}-s1" not in group["frontier_runs"]
    assert {name.split("-")[0] for name in group["frontier_runs"]} == {
        name.split("-")[0] for name in alone["frontier_runs"]
    }


def test_runs_that_differ_in_more_than_the_seed_stay_apart(tmp_path):
    alike = {"params": [1e6] * 6, "tokens": [1e8] * 6, "loss": [3.0, 3.1, 3.2, 3.3, 3.4, 3.5]}
    alike |= {"seed": ["0", "1", "", "", "0", "1"], "unique_tokens": ["1e8", "1e8", "", "", "5e7", "5e7"]}
    runs = read_runs(write_table(tmp_path / "t.csv", alike))
    assert cells(runs).tolist() == [0, 0, 1, 2, 3, 3]
    averaged = average_repeats(runs)
    np.testing.assert_allclose(averaged.loss_R, [np.sqrt(9.3), 3.2, 3.3, np.sqrt(3.4 * 3.5)])
    assert averaged.model == ("run 1", "run 3", "run 4", "run 5")


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)), st.lists(st.booleans(), min_size=12, max_size=12))
def test_means_do_not_depend_on_the_order_of_rows_and_skip_empty_cells(tmp_path_factory, order, measured):
    rng = np.random.default_rng(0)
    known = np.array(measured)
    rows = {"params": np.repeat([1e6, 2e6, 4e6], 4), "tokens": np.full(12, 1e8), "seed": np.tile(range(4), 3)}
    loss, pairs = rng.uniform(2, 4, 12), rng.uniform(0.5, 0.9, 12)
    rows |= {"loss": np.where(known, loss, np.nan), "pairs": pairs}
    text = {name: ["" if np.isnan(value) else value for value in values] for name, values in rows.items()}
    text = {name: [values[i] for i in order] for name, values in text.items()}
    runs = average_repeats(read_runs(write_table(tmp_path_factory.mktemp("any") / "t.csv", text)))
    assert sorted(runs.params_R) == [1e6, 2e6, 4e6]
    for i, size in enumerate(runs.params_R):
        own = rows["params"] == size
        expected = np.exp(np.log(loss[own & known]).mean()) if (own & known).any() else np.nan
        np.testing.assert_allclose(runs.loss_R[i], expected)
        np.testing.assert_allclose(runs.tasks["pairs"].accuracy_R[i], pairs[own].mean())


def test_curves_of_repeats_are_averaged(tmp_path):
    runs = table(tmp_path, [law_loss(PARAMS, TOKENS)] * 2)
    flops = np.array([1e9, 1e10, 1e11])
    curves = {f"0-s{seed}": (flops, np.array([5.0, 4.0, 3.0]) + seed, 3e4) for seed in range(2)}
    curves["3-s1"] = (flops, np.array([4.0, 3.0, 2.0]), 4e5)
    found = average_curves(curves, runs)
    assert list(found) == ["0-s0", "3-s1"]
    np.testing.assert_allclose(found["0-s0"][1], [5.5, 4.5, 3.5])
    np.testing.assert_allclose(found["3-s1"][1], [4.0, 3.0, 2.0])


def test_seeds_explain_equal_names_and_equal_seeds_do_not(tmp_path):
    rows = {"model": ["a", "a"], "params": [1e6] * 2, "tokens": [1e8] * 2, "loss": [3.0, 3.1]}
    assert oddities(read_runs(write_table(tmp_path / "t.csv", rows | {"seed": [0, 1]}))) == []
    (warning,) = oddities(read_runs(write_table(tmp_path / "t.csv", rows | {"seed": [0, 0]})))
    assert "a stands in the table more than once" in warning


def test_groups_are_arms_and_rows_without_one_go_by_modality(tmp_path):
    arms = {"params": [1e6, 2e6] * 2, "tokens": [1e8] * 4, "loss": [3.0, 2.9, 2.8, 2.7]}
    arms |= {"arm": ["units", "units", "pieces", "pieces"], "modality": ["speech"] * 4, "seed": [0, 1, 0, 1]}
    arms |= {"tokenizer": ["k200", "k200", "uni", "uni"], "corpus": ["stories"] * 4}
    arms |= {"loss_per_second": [0.4, 0.5, 0.6, 0.7], "pairs": [0.6, 0.7, 0.6, 0.7]}
    runs = read_runs(write_table(tmp_path / "arms.csv", arms))
    assert list(runs.groups()) == ["units", "pieces"] and set(runs.tasks) == {"pairs"}
    others = {"params": [1e6, 2e6], "tokens": [1e8] * 2, "loss": [3.5, 3.4], "modality": ["text"] * 2}
    merge_tables([tmp_path / "arms.csv", write_table(tmp_path / "others.csv", others)], tmp_path / "both.csv")
    both = read_runs(tmp_path / "both.csv")
    assert {name: len(group) for name, group in both.groups().items()} == {"units": 2, "pieces": 2, "text": 2}
    assert both.seed == ("0", "1", "0", "1", "", "") and both.arm[-1] == ""


def test_an_arm_named_as_a_modality_of_another_table_stays_a_group_of_its_own(tmp_path):
    rows = {"params": [1e6, 2e6] * 2, "tokens": [1e8] * 4, "loss": [3.0, 2.9, 2.8, 2.7]}
    rows |= {
        "arm": ["speech", "speech", "", ""],
        "modality": ["speech"] * 4,
        "tokenizer": ["a", "a", "b", "b"],
    }
    runs = read_runs(write_table(tmp_path / "t.csv", rows))
    assert {name: len(group) for name, group in runs.groups().items()} == {"speech a": 2, "speech b": 2}


@pytest.mark.slow
def test_figures_of_repeats(tmp_path, fewer_starts):
    seeds = [noisy_loss(PARAMS, TOKENS, 0.01, seed) for seed in range(2)]
    runs = table(tmp_path, seeds)
    written = write_figures(runs, fit(runs, resamples=20), tmp_path / "figures")
    assert {"loss_compute", "isoflop", "loss_law", "loss_accuracy_pairs", "accuracy_compute_pairs"} <= set(
        written
    )
    assert "single seed" in (tmp_path / "figures" / "isoflop.svg").read_text()
