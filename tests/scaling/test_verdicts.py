import pytest

from slm_jax.scaling.verdicts import CANNOT_TELL, NOT_SUPPORTED, SUPPORTED, claims, judge


def found(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


@pytest.mark.parametrize(
    ("estimate", "threshold", "verdict"),
    [
        (found(2, 1.1, 3), {"above": 1.0}, SUPPORTED),
        (found(2, 0.9, 3), {"above": 1.0}, CANNOT_TELL),
        (found(0.5, 0.2, 0.9), {"above": 1.0}, NOT_SUPPORTED),
        (found(-2, -3, -1), {"below": 0.0}, SUPPORTED),
        (found(-2, -3, 1), {"below": 0.0}, CANNOT_TELL),
        (found(2, 1, 3), {"below": 0.0}, NOT_SUPPORTED),
        (found(2), {"above": 1.0}, CANNOT_TELL),
        (None, {"above": 1.0}, CANNOT_TELL),
    ],
)
def test_the_whole_interval_decides(estimate, threshold, verdict):
    assert judge(estimate, **threshold) == verdict


def group(task):
    absent = {"loss_law": "the table has no losses", "compute_law": "the table has no losses"}
    return {"compute_law": None, "frontier": None, "tasks": {"pairs": task}, "absent": absent}


def test_an_envelope_of_accuracy_is_no_evidence_that_accuracy_grows():
    compute = {"exponent": found(0.03, 0.02, 0.04), "all_runs": found(0.01, -0.01, 0.03)}
    _, _, predicts, grows = claims(group({"correlation": None, "compute": compute}))
    assert grows["claim"].endswith("over all runs") and grows["verdict"] == CANNOT_TELL
    assert "gamma = 0.01" in grows["because"]
    assert predicts["verdict"] == CANNOT_TELL and "different loss" in predicts["because"]
    del compute["all_runs"]
    assert claims(group({"correlation": None, "compute": compute}))[3]["verdict"] == SUPPORTED


def test_what_is_missing_says_why():
    falls, larger, predicts, _ = claims(
        group(None) | {"absent": {"compute_law": "A", "loss_law": "B", "pairs": "C"}}
    )
    assert [claim["because"] for claim in (falls, larger, predicts)] == ["A", "B", "C"]
