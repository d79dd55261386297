"""Compute-optimal allocation under C = 6 N D, and the runs that lie on the frontier of a table."""

import numpy as np

from slm_jax.scaling.forms.plain import five, law_loss
from slm_jax.scaling.table import FLOPS_PER_PARAMETER_AND_TOKEN

SAME_BUDGET = 1.1  # runs whose compute differs by less than 10 % spent the same budget


def allocation_exponents(law):
    """a = beta / (alpha + beta) and b = alpha / (alpha + beta): N_opt ~ C^a, D_opt ~ C^b."""
    _, _, _, alpha, beta = five(law)
    return beta / (alpha + beta), alpha / (alpha + beta)


def optimum(law, flops):
    """The N and D that minimize L(N, D) subject to 6 N D = C, and that loss.

    Closed form of Hoffmann et al. 2022, equation 4: N = G (C/6)^a, D = (C/6)^b / G with
    G = (alpha A / (beta B))^(1 / (alpha + beta)).

    Args:
      law: E, A, B, alpha, beta as a dict of numbers, or an array with them along its last axis.
      flops: C, a number or an array that broadcasts against the law.

    Returns:
      parameters, tokens, loss in nats per token.
    """
    _, A, B, alpha, beta = five(law)
    a, b = allocation_exponents(law)
    ratio = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    spread = np.asarray(flops, float) / FLOPS_PER_PARAMETER_AND_TOKEN
    params, tokens = ratio * spread**a, spread**b / ratio
    return params, tokens, law_loss(law, params, tokens)


def on_frontier(flops_R: np.ndarray, loss_R: np.ndarray) -> np.ndarray:
    """Whether each run is on the frontier: no run beats its loss with the same compute or less."""
    return ~beaten_by(flops_R, loss_R).any(axis=0)


def beaten_by(flops_R: np.ndarray, loss_R: np.ndarray) -> np.ndarray:
    """Whether run i has a lower loss than run j with the same compute or less: beats_RxR[i, j]."""
    return (flops_R[:, None] <= flops_R[None] * SAME_BUDGET) & (loss_R[:, None] < loss_R[None])
