import ml_collections
import pytest

from slm_jax.errors import InputError
from slm_jax.training import TrainConfig, default_config, parse_config


def test_defaults_come_back_as_they_are():
    config = default_config()
    config.data.path, config.tokens = "units", 10
    parsed = parse_config(config)
    assert isinstance(parsed, TrainConfig)
    assert parsed.optimizer.peak_rate == 5e-4  # the study's recipe
    assert parsed.optimizer.b2 == 0.95
    assert parsed.context == 2050


def test_steps_round_tokens_up_to_whole_updates():
    config = parse_config({"tokens": 1001, "batch_size": 2, "context": 50, "data": {"path": "x"}})
    assert config.steps == 11


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokens": 10}, r"config\.data\.path is empty"),
        ({"data": {"path": "x"}}, r"config\.tokens is 0"),
        ({"batchsize": 4}, r"config\.batchsize: there is no such field; did you mean batch_size\?"),
        ({"model": {"width": 4}}, r"config\.model\.width: there is no such field"),
        ({"model": 3}, r"config\.model is 3: expected fields"),
        ({"tokens": 1.5}, r"config\.tokens is 1\.5: expected a whole number"),
        ({"tokens": True}, r"config\.tokens is True: expected a whole number"),
        ({"optimizer": {"clip": "no"}}, r"config\.optimizer\.clip is 'no': expected a number"),
        ({"optimizer": {"name": "lion"}}, r"config\.optimizer\.name is 'lion': choose one of adamw, muon"),
        ({"optimizer": {"schedule": "step"}}, r"optimizer\.schedule is 'step': choose one of cosine, wsd"),
        ({"optimizer": {"decay_fraction": 0}}, r"optimizer\.decay_fraction is 0\.0: set it above 0"),
        ({"optimizer": {"warmup_fraction": 2}}, r"optimizer\.warmup_fraction is 2\.0: set it between"),
        ({"optimizer": {"min_warmup_steps": -1}}, r"optimizer\.min_warmup_steps is -1: set it to 0 or more"),
        ({"optimizer": {"peak_rate": -1e-3}}, r"optimizer\.peak_rate is -0\.001: set it above 0"),
        ({"optimizer": {"clip": 0}}, r"optimizer\.clip is 0\.0: set it above 0"),
        ({"optimizer": {"final_rate": float("nan")}}, r"optimizer\.final_rate is nan: set it to 0 or more"),
        ({"optimizer": {"weight_decay": -0.1}}, r"optimizer\.weight_decay is -0\.1: set it to 0 or more"),
        ({"optimizer": {"b2": 1}}, r"optimizer\.b2 is 1\.0: set it to 0 or more and below 1"),
        (
            {"tokens": 9, "context": 33, "model": {"positions": "learned", "max_positions": 32}},
            r"model\.max_positions is 32, fewer than config\.context 33",
        ),
        ({"data": {"packing": "best"}}, r"config\.data\.packing is 'best': choose one of stream, documents"),
        (
            {"data": {"path": "x", "also": ("y",), "weights": (1.0,)}},
            r"data\.weights has 1 number\(s\) for 2",
        ),
        (
            {"data": {"path": "x", "also": ("y",), "weights": (1, 0)}},
            r"data\.weights holds 0\.0: give positive",
        ),
        ({"tokens": 9, "batch_size": 8, "micro_batch": 3}, r"micro_batch is 3: .*config\.batch_size 8"),
        ({"tokens": 9, "micro_batch": -2}, r"config\.micro_batch is -2"),
        ({"tokens": 9, "z_loss": -1}, r"config\.z_loss is -1\.0: set it to 0 or more"),
        ({"tokens": 9, "z_loss": float("nan")}, r"config\.z_loss is nan: set it to 0 or more"),
        ({"tokens": 9, "trunk": "runs/a"}, r"config\.trunk is set with the schedule 'cosine'.*wsd"),
        ({"tokens": 9, "branch_tokens": (5,)}, r"config\.branch_tokens is set with the schedule 'cosine'"),
        (
            {"tokens": 9, "branch_tokens": (0,), "optimizer": {"schedule": "wsd"}},
            r"config\.branch_tokens is \(0,\): give the tokens of each branch",
        ),
    ],
)
def test_a_wrong_field_is_named(fields, message):
    with pytest.raises(InputError, match=message):
        parse_config(ml_collections.ConfigDict(fields))


def test_a_whole_number_may_be_written_with_an_exponent():
    assert parse_config({"tokens": 1e9, "data": {"path": "x"}}).tokens == 10**9


def test_whole_numbers_are_numbers():
    assert parse_config({"tokens": 1, "data": {"path": "x"}, "optimizer": {"clip": 2}}).optimizer.clip == 2.0
