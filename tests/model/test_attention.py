import functools
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding

from slm_jax.model import make_mesh
from slm_jax.model.attention import BACKENDS, causal_attention, cudnn, default_backend, splash
from slm_jax.model.attention.over_mesh import SEQUENCES
from slm_jax.model.sharding import partition_spec

RUNNABLE = {
    "blockwise": BACKENDS["blockwise"],
    "cudnn": functools.partial(cudnn, implementation="xla"),
    "reference": BACKENDS["reference"],
    "splash": functools.partial(splash, interpret=True),
}


def arrays(batch, queries, keys, heads, key_heads, size=8):
    rng = np.random.default_rng(0)
    shapes = (batch, queries, heads, size), (batch, keys, key_heads, size), (batch, keys, key_heads, size)
    return tuple(jnp.asarray(2 * rng.normal(size=shape), jnp.float32) for shape in shapes)


def documents(batch, length, first=1):
    """Segments that grow along each row."""
    opens_BxL = np.random.default_rng(1).random((batch, length)) < 8 / length
    return jnp.asarray(first + np.cumsum(opens_BxL, axis=1), jnp.int32)


def plain(query, key, value, segment=None):
    """The definition, one query at a time, in float64."""
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    out = np.zeros(query.shape)
    before, sharing = key.shape[1] - query.shape[1], query.shape[2] // key.shape[2]
    for b, i, h in np.ndindex(query.shape[:3]):
        seen = np.arange(key.shape[1]) <= before + i
        if segment is not None:
            row = np.asarray(segment[b])
            seen &= (row == row[before + i]) | (row == 0)
        scores = key[b, seen, h // sharing] @ query[b, i, h] / np.sqrt(query.shape[3])
        weights = np.exp(scores - scores.max())
        out[b, i, h] = weights @ value[b, seen, h // sharing] / weights.sum()
    return out


def value_and_gradients(attend, query, key, value, segment=None):
    def loss(query, key, value):
        out = attend(query, key, value, segment)
        return (jnp.sin(out) * jnp.cos(jnp.arange(out.size).reshape(out.shape))).sum(), out

    gradient = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))
    (_, out), gradients = gradient(query, key, value)
    return out, *gradients


def assert_equal_to_reference(attend, query, key, value, segment=None):
    expected = value_and_gradients(BACKENDS["reference"], query, key, value, segment)
    found = value_and_gradients(attend, query, key, value, segment)
    for ours, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, reference, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("queries", [5, 70])
@pytest.mark.parametrize("first", [None, 0, 1])
def test_the_reference_is_the_definition(queries, first):
    query, key, value = arrays(2, queries, 70, heads=4, key_heads=2)
    segment = None if first is None else documents(2, 70, first)
    found = BACKENDS["reference"](query, key, value, segment)
    np.testing.assert_allclose(found, plain(query, key, value, segment), atol=1e-5)


@pytest.mark.parametrize("length", [1, 128, 129, 300])
@pytest.mark.parametrize("key_heads", [2, 4])
def test_blockwise_equals_the_reference_in_values_and_gradients(length, key_heads):
    assert_equal_to_reference(BACKENDS["blockwise"], *arrays(2, length, length, 4, key_heads))


def test_blockwise_of_the_last_queries_equals_the_reference():
    assert_equal_to_reference(BACKENDS["blockwise"], *arrays(2, 70, 130, 2, 1), documents(2, 130, first=0))


@pytest.mark.parametrize("key_heads", [1, 2])
@pytest.mark.parametrize("queries", [40, 300])
def test_splash_equals_the_reference_in_values_and_gradients(queries, key_heads):
    assert_equal_to_reference(RUNNABLE["splash"], *arrays(2, queries, 300, 2, key_heads))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("backend", "length"), [("blockwise", 150), ("splash", 290)])
def test_segments_equal_the_reference_in_values_and_gradients(backend, length, first):
    segment = documents(2, length, first)
    assert segment.max() > 2
    assert_equal_to_reference(RUNNABLE[backend], *arrays(2, length, length, 2, 1), segment)


@pytest.mark.parametrize("backend", RUNNABLE)
def test_a_later_document_does_not_see_an_earlier_one_but_the_shared_prefix(backend):
    query, key, value = arrays(1, 60, 60, 2, 2)
    segment = jnp.asarray([[0] * 10 + [1] * 20 + [2] * 30])
    out = RUNNABLE[backend](query, key, value, segment)
    shifted = RUNNABLE[backend](query, key.at[:, 10:30].add(3), value.at[:, 10:30].add(3), segment)
    np.testing.assert_array_equal(out[:, 30:], shifted[:, 30:])
    prefix = RUNNABLE[backend](query, key, value.at[:, :10].add(3), segment)
    assert np.abs(out[:, 30:] - prefix[:, 30:]).min(axis=(0, 2, 3)).max() > 1e-3


@pytest.mark.parametrize("segmented", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(25, 25), (25, 50), (24, 49), (25, 49), (24, 48)])
def test_cudnns_lengths_are_made_even_and_equal_the_reference(queries, keys, segmented):
    segment = documents(2, keys) if segmented else None
    assert_equal_to_reference(RUNNABLE["cudnn"], *arrays(2, queries, keys, 4, 2), segment)


@pytest.mark.parametrize(
    ("queries", "keys", "segmented"),
    [(1025, 1025, False), (1025, 2050, False), (1025, 1025, True), (24, 49, False)],
)
def test_jax_takes_what_cudnn_is_given_in_training(monkeypatch, queries, keys, segmented):
    """Lowering, which checks types and lengths, needs no GPU, but asks for cuDNN's version."""
    monkeypatch.setattr("jax._src.cudnn.fused_attention_stablehlo.check_cudnn_version", lambda: 91002)
    lengths_heads = (queries, 4), (keys, 2), (keys, 2)
    shapes = [jax.ShapeDtypeStruct((2, length, heads, 64), jnp.bfloat16) for length, heads in lengths_heads]
    segment = [jax.ShapeDtypeStruct((2, keys), jnp.int32)] if segmented else []
    gradient = jax.grad(lambda *inputs: cudnn(*inputs).astype(jnp.float32).sum(), argnums=(0, 1, 2))
    lowered = jax.jit(gradient).trace(*shapes, *segment).lower(lowering_platforms=("cuda",))
    masked = "" if queries == keys and not segmented else "ScaleBias"
    assert f"__cudnn$fmha{masked}SoftmaxBackward" in lowered.as_text()


@pytest.mark.parametrize("segmented", [False, True])
def test_splash_is_a_kernel_that_tpus_compile(segmented):
    """Lowering, which checks the kernel's blocks and layouts, needs no TPU."""
    shapes = [jax.ShapeDtypeStruct((2, 300, heads, 64), jnp.bfloat16) for heads in (4, 2, 2)]
    segment = [jax.ShapeDtypeStruct((2, 300), jnp.int32)] if segmented else []
    gradient = jax.grad(lambda *inputs: splash(*inputs).astype(jnp.float32).sum(), argnums=(0, 1, 2))
    lowered = jax.export.export(jax.jit(gradient), platforms=["tpu"])(*shapes, *segment)
    assert lowered.mlir_module().count("tpu_custom_call") == 3  # forward, and backward of queries and of keys


@pytest.mark.parametrize(("platform", "loops"), [("cpu", 2), ("gpu", 0), ("tpu", 0)])
def test_blockwise_takes_head_after_head_on_cpu_only(monkeypatch, platform, loops):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    inputs, segment = arrays(2, 140, 150, 4, 2), documents(2, 150, first=0)
    jaxpr = jax.make_jaxpr(lambda *x: value_and_gradients(BACKENDS["blockwise"], *x))(*inputs, segment)
    assert str(jaxpr).count("scan[") == loops  # forward and backward
    assert_equal_to_reference(BACKENDS["blockwise"], *inputs, segment)


def test_blockwise_keeps_no_scores_for_the_backward_pass():
    query, key, value = arrays(1, 512, 512, 1, 1)
    _, backward = jax.vjp(BACKENDS["blockwise"], query, key, value)
    assert sum(leaf.size for leaf in jax.tree.leaves(backward)) < 512 * 512 / 4


def test_blockwise_in_bfloat16_is_near_float32():
    exact = arrays(1, 70, 70, 2, 1)
    expected = value_and_gradients(BACKENDS["blockwise"], *exact)
    found = value_and_gradients(BACKENDS["blockwise"], *(x.astype(jnp.bfloat16) for x in exact))
    for ours, reference in zip(found, expected, strict=True):
        assert ours.dtype == jnp.bfloat16
        assert jnp.linalg.norm(ours - reference) < 0.03 * jnp.linalg.norm(reference)


@pytest.mark.parametrize(
    ("sizes", "length", "heads", "key_heads", "segmented"),
    [
        ({"data": 2, "context": 4}, 48, 2, 2, False),
        ({"fsdp": 2, "tensor": 2, "context": 2}, 48, 4, 2, True),
        ({"tensor": 4, "context": 2}, 48, 4, 2, True),  # fewer heads of keys than devices
        ({"data": 1, "tensor": 4, "context": 2}, 47, 6, 1, False),  # neither heads nor positions split evenly
        ({"data": 8}, 30, 2, 2, True),  # nor sequences
    ],
)
def test_every_mesh_attends_as_one_device(sizes, length, heads, key_heads, segmented):
    inputs = arrays(4, length, length, heads, key_heads)
    segment = documents(4, length) if segmented else None
    attend = lambda q, k, v, s: causal_attention(q, k, v, "blockwise", s)  # noqa: E731
    expected = value_and_gradients(attend, *inputs, segment)
    with jax.set_mesh(make_mesh({"data": -1} | sizes)):
        found = value_and_gradients(attend, *inputs, segment)
    for ours, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("backend", "length"), [("splash", 64), ("cudnn", 50)])
def test_kernels_run_on_each_device_of_a_mesh(monkeypatch, backend, length):
    monkeypatch.setitem(BACKENDS, backend, RUNNABLE[backend])
    inputs, segment = arrays(2, length, length, 2, 1), documents(2, length)
    attend = lambda q, k, v, s: causal_attention(q, k, v, backend, s)  # noqa: E731
    with jax.set_mesh(make_mesh({"data": 2, "tensor": 2, "context": 2})):
        found = value_and_gradients(attend, *inputs, segment)
    expected = value_and_gradients(BACKENDS["reference"], *inputs, segment)
    for ours, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, reference, atol=2e-5, rtol=1e-4)


def test_keys_are_gathered_over_the_context_axis_and_scores_are_not():
    """What the devices send each other, forward and backward, is in the compiled program."""
    mesh = make_mesh({"data": 2, "context": 4})
    shape = (2, 64, 2, 8)
    split = NamedSharding(mesh, partition_spec(SEQUENCES, shape, mesh))
    inputs = [jax.ShapeDtypeStruct(shape, jnp.float32, sharding=split)] * 3
    attend = lambda *x: causal_attention(*x, "blockwise")  # noqa: E731
    with jax.set_mesh(mesh):
        forward = jax.jit(attend).lower(*inputs).compile()
        gradient = jax.jit(jax.grad(lambda *x: attend(*x).sum(), argnums=(0, 1, 2)))
        backward = gradient.lower(*inputs).compile()
    assert forward.output_shardings.shard_shape(shape) == (1, 16, 2, 8)
    keys_of_a_sequence = 64 * 2 * 8
    assert sent(forward, "all-gather") == [keys_of_a_sequence] * 2
    assert sent(backward, "all-gather") == [keys_of_a_sequence] * 2
    for program in (forward, backward):
        assert (
            max(sent(program, "all-gather", "all-reduce", "reduce-scatter", "all-to-all"))
            == keys_of_a_sequence
        )
        assert not sent(program, "collective-permute")


def sent(compiled, *operations):
    """Elements of each array that the operations result in, on one device."""
    results = re.findall(rf"= (.*?) (?:{'|'.join(operations)})(?:-start)?\(", compiled.as_text())
    shapes = [shape for result in results for shape in re.findall(r"\w+\[([\d,]*)\]", result)]
    return [math.prod(map(int, filter(None, shape.split(",")))) for shape in shapes]


@pytest.mark.parametrize(
    ("platform", "dtype", "backend"),
    [
        ("cpu", jnp.float32, "blockwise"),
        ("gpu", jnp.bfloat16, "cudnn"),
        ("gpu", jnp.float32, "blockwise"),
        ("tpu", jnp.bfloat16, "splash"),
    ],
)
def test_auto_is_what_the_machine_has(monkeypatch, platform, dtype, backend):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    assert default_backend(jnp.dtype(dtype), 64) == backend
    assert default_backend(jnp.dtype(dtype), 12) == ("blockwise" if backend == "cudnn" else backend)
