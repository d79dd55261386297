import os

import pytest

from slm_jax.cores import available_cores, worker_count
from slm_jax.corpora import Utterance, speak
from slm_jax.errors import InputError
from slm_jax.workers import parallel_map


def test_cores_are_counted_where_the_system_has_no_affinity(monkeypatch):
    assert 1 <= available_cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert available_cores() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1


def test_workers_are_one_a_core_unless_said():
    assert worker_count(None) == available_cores()
    assert worker_count(3) == 3


@pytest.mark.parametrize("workers", [0, -2])
def test_fewer_than_one_worker_is_refused_naming_the_number(workers, tmp_path):
    with pytest.raises(InputError, match=f"workers is {workers}: give 1 or more"):
        list(parallel_map(abs, [1], workers=workers))
    with pytest.raises(InputError, match=f"workers is {workers}"):
        speak([Utterance("a", "Hello.", "us_male")], tmp_path / "speech", workers=workers)
    assert not (tmp_path / "speech").exists()
