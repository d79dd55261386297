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
    ],
)
def test_a_wrong_field_is_named(fields, message):
    with pytest.raises(InputError, match=message):
        parse_config(ml_collections.ConfigDict(fields))


def test_a_whole_number_may_be_written_with_an_exponent():
    assert parse_config({"tokens": 1e9, "data": {"path": "x"}}).tokens == 10**9


def test_whole_numbers_are_numbers():
    assert parse_config({"tokens": 1, "data": {"path": "x"}, "optimizer": {"clip": 2}}).optimizer.clip == 2.0
