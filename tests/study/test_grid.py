"""The runs of a grid: whole updates of a budget, each with a name, and trunks that training agrees to."""

import dataclasses
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slm_jax.errors import InputError
from slm_jax.model import SIZES, TransformerConfig, count_parameters
from slm_jax.scaling import PUBLISHED_SPEECH_LAW, optimum
from slm_jax.study import ArmData, default_study, parse_study, plan_grid
from slm_jax.study.grid import budget_name
from slm_jax.training import decay_start

TOKENS_PER_STEP = 4 * 256


def study(arms=("speech",), **grid):
    config = default_study()
    config.corpora.stories = {"kind": "grammar"}
    config.tokens.letters = {"kind": "text", "model": "characters"}
    for arm in arms:
        config.arms[arm] = {"corpus": "stories", "tokens": "letters"}
    config.context, config.batch_size = 256, 4
    config.grid.update(grid)
    return config


def plan(config, *, vocab_size=202, stream_tokens=1e9):
    config = parse_study(config)
    return plan_grid(config, dict.fromkeys(config.arms, ArmData(vocab_size, stream_tokens)))


@st.composite
def grids(draw):
    config = study(draw(st.sampled_from([("one",), ("one", "two")])))
    budgets = draw(st.lists(st.floats(1e9, 1e13), min_size=1, max_size=4, unique_by=lambda b: f"{b:g}"))
    config.grid.budgets = tuple(budgets)
    config.grid.sizes = tuple(draw(st.lists(st.sampled_from(["12k", "30k", "90k"]), min_size=1, unique=True)))
    config.grid.seeds = tuple(draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True)))
    config.grid.min_steps = draw(st.integers(1, 200))
    config.grid.max_epochs = draw(st.floats(0.5, 20.0))
    config.grid.branches = draw(st.booleans())
    config.optimizer.schedule = "wsd"
    config.optimizer.decay_fraction = draw(st.floats(0.05, 0.95))
    return config


def planned(config):
    try:
        return plan(config)
    except InputError as error:
        assume("too few for a study" not in str(error))
        raise


@settings(max_examples=60, deadline=None)
@given(grids())
def test_every_run_spends_its_budget_in_whole_updates(config):
    runs = planned(config)
    for run in runs:
        params = count_parameters(TransformerConfig(vocab_size=202, **SIZES[run.size]))
        assert run.params == params
        assert run.tokens == run.steps * TOKENS_PER_STEP
        assert run.flops == pytest.approx(6 * params * run.tokens)
        # Rounding moves a run by half an update at most.
        assert abs(run.flops - run.budget) <= 3 * params * TOKENS_PER_STEP * (1 + 1e-9)
        assert run.steps >= config.grid.min_steps
        assert run.tokens <= config.grid.max_epochs * 1e9
    assert len({run.name for run in runs}) == len(runs)
    assert len({(run.arm, run.size, run.seed, run.budget) for run in runs}) == len(runs)


@settings(max_examples=60, deadline=None)
@given(grids())
def test_branches_leave_their_trunk_where_training_has_its_decay_begin(config):
    runs, optimizer = planned(config), parse_study(config).optimizer
    named = {run.name: run for run in runs}
    for run in runs:
        if not run.trunk:
            assert run.shared_steps == 0 and run.own_flops == run.flops
            continue
        trunk = named[run.trunk]
        assert config.grid.branches and not trunk.trunk
        assert (run.arm, run.size, run.seed) == (trunk.arm, trunk.size, trunk.seed)
        assert trunk.steps >= run.steps
        assert run.shared_steps == decay_start(optimizer, run.steps) <= decay_start(optimizer, trunk.steps)
        assert 0 < run.shared_steps <= run.steps
    # Each trunk's updates up to the last branch and all decays, each once.
    own = sum(run.own_flops for run in runs)
    made_once = math.fsum(
        6 * run.params * TOKENS_PER_STEP * (run.steps - (run.shared_steps if run.trunk else 0))
        for run in runs
    )
    assert own == pytest.approx(made_once)
    assert own <= sum(run.flops for run in runs) * (1 + 1e-9)
    alone = dataclasses.replace  # the same grid without branches is the same runs
    config.grid.branches = False
    assert [alone(run, trunk="", shared_steps=0) for run in runs] == plan(config)


def test_runs_with_too_few_updates_or_too_many_epochs_are_left_out():
    config = study(budgets=(1e11,), sizes=("30k", "90k", "830k"), min_steps=100, max_epochs=4.0)
    runs = plan(config, stream_tokens=200_000)
    assert [run.size for run in runs] == ["30k", "90k"]  # 830k would get 20 updates
    with pytest.raises(InputError, match="0 runs of the arm 'speech' fit"):
        plan(config, stream_tokens=40_000)  # 12 and 4.5 epochs


def test_without_sizes_those_near_the_published_optimum_are_taken():
    config = study(budgets=(1e13, 1e15), sizes=(), span=3.0, min_steps=1, max_epochs=1e9)
    for run in plan(config):
        best, _, _ = optimum(PUBLISHED_SPEECH_LAW, run.budget)
        assert 1 / 3 <= run.params / best <= 3


def test_an_arm_may_have_a_grid_of_its_own():
    config = study(("one", "two"), budgets=(1e11, 3e11), sizes=("30k",), seeds=(0, 1))
    config.arms.two.update(
        {"budgets": (1e10, 1e11), "sizes": ("12k",), "seeds": (3,), "context": 64, "batch_size": 2}
    )
    one, two = ([run for run in plan(config, stream_tokens=1e9) if run.arm == arm] for arm in ("one", "two"))
    assert {run.name for run in one} == {
        "one-30k-1e11", "one-30k-1e11-s1", "one-30k-3e11", "one-30k-3e11-s1"
    }  # fmt: skip
    assert [(run.name, run.tokens // run.steps) for run in two] == [
        ("two-12k-1e10-s3", 128),
        ("two-12k-1e11-s3", 128),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": ("30k", "30k")}, "none twice"),
        ({"sizes": ("30k", "huge")}, "no size is called 'huge'"),
        ({"budgets": (-1.0,)}, "positive numbers of FLOPs"),
        ({"budgets": (1e10, float("inf"))}, "positive numbers of FLOPs"),
        ({"budgets": ()}, "at least one"),
        ({"seeds": ()}, "at least one"),
        ({"span": 0.0}, r"grid\.span is 0\.0"),
        ({"branches": True}, "needs config.optimizer.schedule='wsd'"),
        ({"budgets": (1e12, 1.0000001e12)}, "same name"),
        ({"seeds": (0, -1)}, "seeds"),
        ({"min_steps": 0}, r"grid\.min_steps is 0"),
        ({"max_epochs": 0.0}, r"grid\.max_epochs is 0\.0"),
    ],
)
def test_a_wrong_grid_is_named(change, message):
    with pytest.raises(InputError, match=message):
        parse_study(study(**change))


def test_names_tell_budgets_apart():
    runs = plan(study(budgets=(1e12, 1.2e12, 1.5e12), sizes=("30k", "90k")))
    assert len({run.name for run in runs}) == 6
    assert "speech-30k-1.2e12" in {run.name for run in runs}
    assert [budget_name(budget) for budget in (4e9, 1.5e9, 1e10, 1e12)] == ["4e9", "1.5e9", "1e10", "1e12"]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"budgets": (1e12, -1.0)}, r"config\.arms\.speech\.budgets is .*positive"),
        ({"seeds": (1, 1)}, r"config\.arms\.speech\.seeds is .*none twice"),
        ({"context": -5}, r"config\.arms\.speech\.context is -5"),
        ({"batch_size": -1}, r"config\.arms\.speech\.batch_size is -1"),
    ],
)
def test_what_is_wrong_with_an_arm_s_own_grid_is_named(own, message):
    config = study()
    config.arms.speech = {"corpus": "stories", "tokens": "letters", **own}
    with pytest.raises(InputError, match=message):
        parse_study(config)


def test_any_arm_s_batch_splits_over_the_devices_of_all():
    config = study()
    config.batch_size = 12
    config.arms.small = {"corpus": "stories", "tokens": "letters", "batch_size": 8}
    assert parse_study(config).batch_divisor == 4
