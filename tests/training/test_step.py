import jax
import numpy as np
import pytest

from slm_jax.model import TransformerConfig, make_mesh
from slm_jax.training import OptimizerConfig
from slm_jax.training.step import program

# 3 heads and 13 tokens do not divide by the mesh axes: those stay whole.
MODEL = TransformerConfig(vocab_size=40, layers=2, dim=24, heads=3, mlp_multiple=16)
OPTIMIZER = OptimizerConfig()


def losses(mesh, updates=6):
    compiled = program(MODEL, OPTIMIZER, mesh)
    state = compiled.initialize(0)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(updates):
        tokens_BxT = jax.device_put(rng.integers(40, size=(8, 33)), compiled.batch_sharding)
        state, metrics = compiled.update(state, tokens_BxT, 1e-2)
        found.append(float(metrics.loss))
    return np.array(found), state


@pytest.fixture(scope="module")
def on_one_device():
    return losses(make_mesh(devices=jax.devices()[:1]))


@pytest.mark.parametrize(
    "sizes",
    [
        {"data": 8},
        {"data": 1, "fsdp": 8},
        {"data": 4, "tensor": 2},
        {"data": 2, "fsdp": 2, "tensor": 2},
        {"data": 1, "fsdp": 4, "tensor": 2},
    ],
    ids=str,
)
def test_every_mesh_gives_the_losses_of_one_device(sizes, on_one_device):
    expected, expected_state = on_one_device
    found, state = losses(make_mesh(sizes))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for ours, theirs in zip(
        jax.tree.leaves(state.params), jax.tree.leaves(expected_state.params), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_the_loss_falls_where_there_is_something_to_learn():
    compiled = program(MODEL, OPTIMIZER, make_mesh())
    state = compiled.initialize(0)
    tokens_BxT = jax.device_put(np.tile(np.arange(33) % 7, (8, 1)), compiled.batch_sharding)
    first = last = None
    for _ in range(30):
        state, metrics = compiled.update(state, tokens_BxT, 1e-2)
        first, last = first or float(metrics.loss), float(metrics.loss)
    assert first == pytest.approx(np.log(40), abs=0.1)  # at first every token is equally likely
    assert last < 0.5


def test_parameters_are_split_as_the_rules_say():
    compiled = program(MODEL, OPTIMIZER, make_mesh({"data": 1, "fsdp": 4, "tensor": 2}))
    state = compiled.initialize(0)
    gate = state.params["blocks"]["gate_NxDxF"]
    assert gate.shape == (2, 24, 64)
    assert gate.addressable_shards[0].data.shape == (2, 6, 32)
    momentum = jax.tree.leaves(state.optimizer)
    assert any(leaf.shape == gate.shape and leaf.sharding == gate.sharding for leaf in momentum)


def test_weight_decay_is_on_matrices_alone():
    """With no gradient an update moves what decays, and nothing else."""
    compiled = program(MODEL, OPTIMIZER, make_mesh(devices=jax.devices()[:1]))
    masked = [leaf.shape for leaf in jax.tree.leaves(compiled.state_shapes.params)]
    assert (2, 24) in masked
    assert (24,) in masked
    one_token = np.zeros((8, 33), int)
    state = compiled.initialize(0)
    before = jax.tree.map(np.asarray, state.params)
    state, _ = compiled.update(state, jax.device_put(one_token, compiled.batch_sharding), 0.0)
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(state.params), strict=True):
        np.testing.assert_array_equal(old, new)  # a rate of nothing moves nothing


@pytest.mark.parametrize("size", [(40, 2, 24, 3)])
def test_updates_equal_pytorchs_adamw_on_the_same_gradients(size):
    """Ours against torch.optim.AdamW with clipping, on transformers' Llama with the same weights."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from slm_jax.model import Transformer, from_llama, to_llama  # noqa: F401
    from slm_jax.training.step import abstract_model, assemble

    compiled = program(MODEL, OPTIMIZER, make_mesh(devices=jax.devices()[:1]))
    state = compiled.initialize(0)
    weights = to_llama(assemble(*abstract_model(MODEL), state.params))
    reference = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=40,
            hidden_size=24,
            intermediate_size=MODEL.mlp_dim,
            num_hidden_layers=2,
            num_attention_heads=3,
            rms_norm_eps=MODEL.norm_eps,
            tie_word_embeddings=True,
        )
    )
    reference.load_state_dict({n: torch.tensor(w) for n, w in weights.items()}, strict=False)
    decayed = [p for p in reference.parameters() if p.ndim >= 2]
    others = [p for p in reference.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    rng = np.random.default_rng(0)
    for _ in range(20):
        tokens = rng.integers(40, size=(8, 33))
        logits = reference(torch.tensor(tokens[:, :-1])).logits
        loss = torch.nn.functional.cross_entropy(
            logits.reshape(-1, 40), torch.tensor(tokens[:, 1:]).reshape(-1)
        )
        adamw.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        adamw.step()
        state, metrics = compiled.update(state, jax.device_put(tokens, compiled.batch_sharding), 1e-2)
        assert float(metrics.loss) == pytest.approx(loss.item(), abs=1e-3)
        assert float(metrics.grad_norm) == pytest.approx(norm.item(), rel=1e-2)
