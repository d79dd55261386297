"""Numbers as the terminal and the figures write them."""

import pytest

from slm_jax.scaling import format_estimate, format_size


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (0.58, 0.63, 0.681, "0.63 [0.58, 0.68]"),
        (-0.98, -0.9571, -0.931, "-0.957 [-0.980, -0.931]"),
        (-1.0, -0.04, 0.9, "0.0 [-1.0, 0.9]"),
        (1234.0, 1300.0, 1402.0, "1300 [1234, 1402]"),
        (0.02, 40.0, 3e4, "40 [0.02, 3e+04]"),
        (0.5, 0.5, 0.5, "0.5 [0.5, 0.5]"),
        (None, 0.123456, None, "0.123 [no interval]"),
    ],
)
def test_an_estimate_shows_two_digits_of_its_intervals_width(low, value, high, expected):
    assert format_estimate({"low": low, "value": value, "high": high}) == expected


@pytest.mark.parametrize(
    ("low", "value", "high", "beside", "expected"),
    [
        (0.973, 1.83, 2.953, 1.0, "1.83 [0.97, 2.95]"),
        (0.04, 0.71, 1.44, 0.0, "0.71 [0.04, 1.44]"),
        (0.2, 0.9, 0.96, 1.0, "0.90 [0.20, 0.96]"),
        (0.0, 0.5, 1.0, 0.0, "0.5 [0.0, 1.0]"),
        (-1e-12, 0.5, 1.0, 0.0, "0.5000 [0.0000, 1.0000]"),
    ],
)
def test_an_end_is_not_rounded_to_the_number_it_is_judged_by(low, value, high, beside, expected):
    assert format_estimate({"low": low, "value": value, "high": high}, beside=beside) == expected


def test_no_estimate_and_sizes():
    assert format_estimate(None) == "none"
    found = {"low": 31_512, "value": 172_000, "high": None}
    assert format_estimate({**found, "high": 2_070_000}, format_size) == "172K [31.5K, 2.07M]"
    assert [format_size(n) for n in (36, 999_600, 1.2e9)] == ["36", "1M", "1.2B"]
