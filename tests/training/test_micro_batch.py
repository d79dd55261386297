"""The micro-batch is the largest that fits into memory."""

import dataclasses
import types

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

from slm_jax.errors import InputError
from slm_jax.model import TransformerConfig, make_mesh
from slm_jax.training import OptimizerConfig, micro_batch
from slm_jax.training.step import program

MODEL = TransformerConfig(vocab_size=20, layers=1, dim=16, heads=2, mlp_multiple=16)


@pytest.fixture
def limit(monkeypatch):
    def set_limit(limit):
        monkeypatch.setattr(micro_batch, "memory_limit", lambda: limit)

    return set_limit


class Compilations:
    """An update that takes a fixed 100 MB and 10 MB a window."""

    def __init__(self):
        self.sizes = []

    def __call__(self, size):
        self.sizes.append(size)
        memory = types.SimpleNamespace(
            argument_size_in_bytes=100e6,
            output_size_in_bytes=90e6,
            alias_size_in_bytes=90e6,  # the state takes the place of the one before
            temp_size_in_bytes=10e6 * size,
        )
        return types.SimpleNamespace(memory_analysis=lambda: memory)


@pytest.mark.parametrize(
    ("memory", "multiple", "expected"),
    [(1e9, 1, 48), (400e6, 1, 24), (339e6, 1, 16), (111e6, 1, 1), (339e6, 8, 16)],
)
def test_the_largest_divisor_that_fits_is_taken(limit, memory, multiple, expected):
    limit(memory)
    compiled = Compilations()
    assert micro_batch.largest_that_fits(48, multiple, compiled) == expected
    assert len(compiled.sizes) <= 4  # of ten divisors: every one is a compilation


def test_processes_go_by_the_one_that_needs_most(limit, monkeypatch):
    limit(400e6)
    other = {"more": np.float32(100)}  # MB
    monkeypatch.setattr(
        multihost_utils, "process_allgather", lambda own: np.array([own, own + other["more"]])
    )
    assert micro_batch.largest_that_fits(48, 1, Compilations()) == 16
    other["more"] = np.float32(-100)
    assert micro_batch.largest_that_fits(48, 1, Compilations()) == 24


def test_what_never_fits_is_an_error_that_says_what_to_do(limit):
    limit(105e6)
    with pytest.raises(InputError, match=r"even 4 window\(s\) a pass .* 105 MB of memory: set .*remat"):
        micro_batch.largest_that_fits(48, 4, Compilations())


def test_without_a_known_limit_the_batch_is_one_pass(limit):
    limit(None)
    compiled = Compilations()
    assert micro_batch.largest_that_fits(48, 1, compiled) == 48
    assert not compiled.sizes


def test_a_compiler_that_runs_out_of_memory_says_that_it_does_not_fit(limit):
    limit(1e9)
    fits = Compilations()

    def compiled(size):
        if size > 12:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm.")
        return fits(size)

    assert micro_batch.largest_that_fits(48, 1, compiled) == 12


def test_this_machine_has_a_limit():
    assert micro_batch.memory_limit() > 1e6


def test_an_update_that_was_compiled_to_ask_whether_it_fits_is_not_compiled_again(limit, caplog):
    limit(1e9)
    mesh = make_mesh(devices=jax.devices()[:1])
    model = dataclasses.replace(MODEL, vocab_size=21)
    asks, plain = (program(model, OptimizerConfig(), mesh, micro_batch=size) for size in (-1, 0))
    tokens_BxT = jax.device_put(np.arange(4 * 9, dtype=np.int32).reshape(4, 9) % 19, asks.batch_sharding)
    with jax.log_compiles():
        state, metrics = asks.update(asks.initialize(0), tokens_BxT, 1e-3)
        _, after = asks.update(state, tokens_BxT, 1e-3)
    compiled = [line for line in caplog.messages if "Finished XLA compilation of jit(update)" in line]
    assert len(compiled) == 2  # two windows a pass and four
    state, expected = plain.update(plain.initialize(0), tokens_BxT, 1e-3)
    _, expected_after = plain.update(state, tokens_BxT, 1e-3)
    assert (metrics.loss, after.loss) == (expected.loss, expected_after.loss)


def test_an_update_takes_as_many_passes_as_memory_asks_for(limit):
    compiled = program(MODEL, OptimizerConfig(), make_mesh(devices=jax.devices()[:1]), micro_batch=-1)
    shape = (32, 129)
    whole = micro_batch.update_bytes(compiled.compile_update(shape, passes=1).memory_analysis())
    limit(0.7 * whole)
    assert compiled.passes(shape) > 1
