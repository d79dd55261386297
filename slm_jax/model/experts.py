"""The MLP part of a layer with several experts, of which a router gives each token some.

Shapes: B sequences, L positions, D model width, E experts, C those chosen for a token, F hidden size of each;
a leading N is the stack of layers.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from slm_jax.model.config import GATED_MLPS, ModelConfig
from slm_jax.model.mlp import ACTIVATIONS
from slm_jax.model.parameters import LayerStack


def declare_experts(config: ModelConfig, new: LayerStack) -> dict[str, nnx.Param | None]:
    """The parameters of `experts`; None for those the config does without."""
    d, e, f, axes = config.dim, config.experts, config.mlp_dim, ("embed", "expert", "mlp")
    return {
        "gate_NxDxExF": new.normal((d, e, f), axes) if config.mlp in GATED_MLPS else None,
        "up_NxDxExF": new.normal((d, e, f), axes),
        "down_NxExFxD": new.normal((e, f, d), ("expert", "mlp", "embed"), new.residual_scale),
        "router_NxDxE": new.normal((d, e), ("embed", None)),
    }


def experts(layer: nnx.Module, x_BxLxD: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The chosen experts' outputs, weighted by the router, BxLxD; and the layer's balance loss.

    No token is ever dropped. All experts are computed as one wide MLP whose hidden numbers are scaled by the
    router's weights, 0 for experts not chosen: a few wide matrix products run faster than a gather by expert
    where the experts are few.
    """
    activation, dtype = ACTIVATIONS[layer.config.mlp], x_BxLxD.dtype
    share_BxLxE, balance = route(x_BxLxD, layer.router_NxDxE[...], layer.config.experts_per_token)

    def into_experts(weight: nnx.Param) -> jax.Array:
        return jnp.einsum("bld,def->blef", x_BxLxD, weight[...].astype(dtype))

    hidden_BxLxExF = into_experts(layer.up_NxDxExF)
    if layer.gate_NxDxExF is None:
        hidden_BxLxExF = activation(hidden_BxLxExF)
    else:
        hidden_BxLxExF = activation(into_experts(layer.gate_NxDxExF)) * hidden_BxLxExF
    hidden_BxLxExF *= share_BxLxE[..., None].astype(dtype)
    return jnp.einsum("blef,efd->bld", hidden_BxLxExF, layer.down_NxExFxD[...].astype(dtype)), balance


def route(x_BxLxD: jax.Array, router_DxE: jax.Array, chosen: int) -> tuple[jax.Array, jax.Array]:
    """The weight of each expert for each token (0 if not chosen), and the balance loss; float32.

    Softmax over all experts; the `chosen` largest are kept and sum to 1 (Shazeer et al. 2017), but for a
    single one, which keeps its probability, so that the router learns (Fedus et al. 2022). The balance loss
    is Fedus et al.'s equation 4 without its factor: E times the sum over experts of the share of choices
    times the mean probability; it is 1 when both are even.
    """
    experts = router_DxE.shape[1]
    logits_BxLxE = x_BxLxD.astype(jnp.float32) @ router_DxE
    probability_BxLxE = jax.nn.softmax(logits_BxLxE)
    weight_BxLxC, expert_BxLxC = jax.lax.top_k(probability_BxLxE, chosen)
    if chosen > 1:
        weight_BxLxC /= weight_BxLxC.sum(axis=-1, keepdims=True)
    choice_BxLxCxE = jax.nn.one_hot(expert_BxLxC, experts)
    balance = experts * (choice_BxLxCxE.mean(axis=(0, 1, 2)) * probability_BxLxE.mean(axis=(0, 1))).sum()
    return (weight_BxLxC[..., None] * choice_BxLxCxE).sum(axis=2), balance
