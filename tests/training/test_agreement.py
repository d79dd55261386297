"""What several processes find alike. In two real ones: test_two_processes.py."""

import json

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from slm_jax.errors import InputError
from slm_jax.training.agreement import as_the_first_sees, largest


@pytest.fixture
def second_of_two(monkeypatch):
    """This process is the second, and the first has the answer that is set."""

    def hears(answer: dict) -> None:
        content = np.frombuffer(json.dumps(answer).encode(), np.uint8)
        sent = iter([np.int32(content.size), content])

        def broadcast(own):
            of_first = next(sent)
            assert own.shape == of_first.shape and own.dtype == of_first.dtype
            return of_first

        monkeypatch.setattr(jax, "process_index", lambda: 1)
        monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", broadcast)

    return hears


@pytest.mark.parametrize("seen", [None, [30, 20], {"loss": 0.1, "name": "ü"}])
def test_the_first_process_alone_looks(second_of_two, seen):
    assert as_the_first_sees(lambda: seen) == seen
    second_of_two({"seen": seen})
    assert as_the_first_sees(lambda: pytest.fail("looks")) == seen


def test_the_largest_is_over_all_processes(monkeypatch):
    assert largest(-3.5) == -3.5
    monkeypatch.setattr(multihost_utils, "process_allgather", lambda own: np.array([own, np.float32(7.0)]))
    assert (largest(2.0), largest(np.inf)) == (7.0, np.inf)


def test_what_the_first_refuses_all_refuse(second_of_two):
    def refuse():
        raise InputError("a/summary.json: not valid JSON")

    with pytest.raises(InputError, match=r"a/summary\.json: not valid"):
        as_the_first_sees(refuse)
    second_of_two({"refused": "a/summary.json: not valid JSON"})
    with pytest.raises(InputError, match=r"a/summary\.json: not valid"):
        as_the_first_sees(lambda: pytest.fail("looks"))
