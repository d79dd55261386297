"""Minimizes many small Huber problems at once: every start and every bootstrap resample in one JAX program.

The model is log L = logsumexp(e, a - alpha x, b - beta y) with theta = (e, a, b, alpha, beta). Huber's loss
with a delta of 1e-3 is nearly an absolute value: flat curvature far away, a kink at the optimum. A plain
Newton step has no curvature to use there and L-BFGS zigzags, so each iteration tries two damped steps and
keeps the better one: the reweighted Gauss-Newton step (its quadratic bounds Huber's loss from above: safe far
away) and the exact Newton step (quadratic convergence once the rows inside delta are known). Both are 5x5
solves inside the box of bounds.

Arrays have the problems as their last axis (`_B`), so that the sums over rows run over whole vectors of
problems.
"""

import jax
import jax.numpy as jnp
import numpy as np

from slm_jax.progress import progress

HUBER_DELTA = 1e-3
PROBLEMS_AT_ONCE = 512  # one compiled shape for all calls on a table, small enough to stay in cache
ITERATIONS_AT_ONCE = 25  # then the finished problems leave, so that a few slow ones do not hold up the rest
MAX_ROUNDS = 16
PROGRESS = 1e-7  # relative decrease that counts as progress
PATIENCE = 6  # iterations without progress before a problem is finished


def _terms(theta_5xB, x_Rx1, y_Rx1):
    """The three terms of the law for each row and problem; the box keeps their exponentials finite."""
    e_B, a_B, b_B, alpha_B, beta_B = theta_5xB
    return jnp.exp(e_B), jnp.exp(a_B - alpha_B * x_Rx1), jnp.exp(b_B - beta_B * y_Rx1)


def huber_objective(theta_5xB, x_Rx1, y_Rx1, log_loss_Rx1, weight_RxB):
    """Weighted sum over rows of Huber's loss of the residual in log L (Hoffmann et al. 2022, equation 3)."""
    floor_B, size_RxB, data_RxB = _terms(theta_5xB, x_Rx1, y_Rx1)
    distance_RxB = jnp.abs(jnp.log(floor_B + size_RxB + data_RxB) - log_loss_Rx1)
    near_RxB = jnp.minimum(distance_RxB, HUBER_DELTA)
    return jnp.sum(weight_RxB * near_RxB * (distance_RxB - 0.5 * near_RxB), axis=0)


def _derivatives(theta_5xB, x_Rx1, y_Rx1, log_loss_Rx1, weight_RxB):
    """Gradient and, as dicts of upper entries, the reweighted Gauss-Newton matrix and the exact Hessian."""
    floor_B, size_RxB, data_RxB = _terms(theta_5xB, x_Rx1, y_Rx1)
    loss_RxB = floor_B + size_RxB + data_RxB
    floor_RxB, size_RxB, data_RxB = floor_B / loss_RxB, size_RxB / loss_RxB, data_RxB / loss_RxB
    jacobian = [floor_RxB, size_RxB, data_RxB, -x_Rx1 * size_RxB, -y_Rx1 * data_RxB]

    residual_RxB = jnp.log(loss_RxB) - log_loss_Rx1
    distance_RxB = jnp.abs(residual_RxB)
    pull_RxB = weight_RxB * jnp.clip(residual_RxB, -HUBER_DELTA, HUBER_DELTA)
    bound_RxB = weight_RxB * HUBER_DELTA / jnp.maximum(distance_RxB, HUBER_DELTA)
    curvature_RxB = weight_RxB * (distance_RxB <= HUBER_DELTA) - pull_RxB
    gradient = [jnp.sum(pull_RxB * column, axis=0) for column in jacobian]
    gauss_newton, hessian = {}, {}
    for i in range(5):
        for j in range(i, 5):
            product_RxB = jacobian[i] * jacobian[j]
            gauss_newton[i, j] = jnp.sum(bound_RxB * product_RxB, axis=0)
            hessian[i, j] = jnp.sum(curvature_RxB * product_RxB, axis=0)
    # The second derivative of logsumexp adds, for each of its three terms, the pull times the term's own
    # slopes.
    for i in range(3):
        hessian[i, i] += gradient[i]
    hessian[1, 3] += gradient[3]
    hessian[2, 4] += gradient[4]
    hessian[3, 3] -= jnp.sum(pull_RxB * x_Rx1 * jacobian[3], axis=0)
    hessian[4, 4] -= jnp.sum(pull_RxB * y_Rx1 * jacobian[4], axis=0)
    return gradient, gauss_newton, hessian


def _solve(matrix: dict, right: list) -> list:
    """Solves B symmetric 5x5 systems by elimination without pivoting, whole vectors of problems at a time."""
    size = len(right)
    matrix, right = dict(matrix), list(right)
    for k in range(size):
        for i in range(k + 1, size):
            factor_B = matrix[k, i] / matrix[k, k]
            for j in range(i, size):
                matrix[i, j] = matrix[i, j] - factor_B * matrix[k, j]
            right[i] = right[i] - factor_B * right[k]
    for k in reversed(range(size)):
        for j in range(k + 1, size):
            right[k] = right[k] - matrix[k, j] * right[j]
        right[k] = right[k] / matrix[k, k]
    return right


def _damped_step(matrix: dict, gradient_5xB, held_5xB, damping_5xB):
    """Newton step of the free parameters with `damping` added to the diagonal; zero for the held ones."""
    damped = {}
    for (i, j), entry_B in matrix.items():
        held_B = held_5xB[i] | held_5xB[j]
        extra_B = jnp.where(held_B, 1.0, damping_5xB[i]) if i == j else 0.0
        damped[i, j] = jnp.where(held_B, 0.0, entry_B) + extra_B
    return jnp.stack(_solve(damped, list(jnp.where(held_5xB, 0.0, gradient_5xB))))


@jax.jit
def _iterate(theta_5xB, damping_B, stalled_B, weight_RxB, rows, box):
    """Up to ITERATIONS_AT_ONCE projected damped Newton iterations (Marquardt 1963; Bertsekas 1982)."""
    lower_5x1, upper_5x1 = box

    def unfinished(state):
        _, _, _, stalled_B, iteration = state
        return jnp.any(stalled_B < PATIENCE) & (iteration < ITERATIONS_AT_ONCE)

    def iterate(state):
        theta_5xB, value_B, damping_B, stalled_B, iteration = state
        gradient, gauss_newton, hessian = _derivatives(theta_5xB, *rows, weight_RxB)
        gradient_5xB = jnp.stack(gradient)
        held_5xB = ((theta_5xB <= lower_5x1) & (gradient_5xB > 0)) | (
            (theta_5xB >= upper_5x1) & (gradient_5xB < 0)
        )
        diagonal_5xB = jnp.stack([gauss_newton[i, i] for i in range(5)])
        damping_5xB = damping_B * jnp.maximum(diagonal_5xB, 1e-9 * jnp.max(diagonal_5xB, axis=0) + 1e-300)
        best_5xB, best_B = theta_5xB, value_B
        for matrix in (gauss_newton, hessian):
            step_5xB = _damped_step(matrix, gradient_5xB, held_5xB, damping_5xB)
            candidate_5xB = jnp.clip(theta_5xB - step_5xB, lower_5x1, upper_5x1)
            candidate_B = huber_objective(candidate_5xB, *rows, weight_RxB)
            better_B = candidate_B < best_B  # False for a step that is not finite
            best_5xB = jnp.where(better_B, candidate_5xB, best_5xB)
            best_B = jnp.where(better_B, candidate_B, best_B)
        damping_B = jnp.clip(jnp.where(best_B < value_B, damping_B / 5, damping_B * 5), 1e-12, 1e12)
        stalled_B = jnp.where(best_B < value_B * (1 - PROGRESS), 0, stalled_B + 1)
        return best_5xB, best_B, damping_B, stalled_B, iteration + 1

    value_B = huber_objective(theta_5xB, *rows, weight_RxB)
    state = (theta_5xB, value_B, damping_B, stalled_B, jnp.zeros((), int))
    return jax.lax.while_loop(unfinished, iterate, state)[:4]


def minimize(starts_Bx5, weights_BxR, x_R, y_R, log_loss_R, lower_5, upper_5, *, desc=""):
    """Minimizes the Huber objective from B starts, each with its own row weights, inside the box.

    Args:
      starts_Bx5: (e, a, b, alpha, beta) of each start; clipped into the box.
      weights_BxR: weight of each row in each problem (ones, or the counts of a resample).
      x_R, y_R: log N and log D of the rows, centred; log_loss_R: log of the loss in nats.
      lower_5, upper_5: the box.
      desc: what the progress bar says.

    Returns:
      theta_Bx5 and objective_B, float64 numpy arrays.
    """
    theta_Bx5 = np.clip(np.asarray(starts_Bx5, float), lower_5, upper_5)
    weights_BxR = np.asarray(weights_BxR, float)
    problems = len(theta_Bx5)
    value_B, damping_B, stalled_B = np.zeros(problems), np.full(problems, 1e-2), np.zeros(problems, int)
    rows = tuple(np.asarray(column_R, float)[:, None] for column_R in (x_R, y_R, log_loss_R))
    box = tuple(np.asarray(side_5, float)[:, None] for side_5 in (lower_5, upper_5))
    active = np.arange(problems)
    with jax.enable_x64(True), progress(total=problems, desc=desc, unit="fit") as bar:
        for _ in range(MAX_ROUNDS):
            for first in range(0, len(active), PROBLEMS_AT_ONCE):
                chunk = active[first : first + PROBLEMS_AT_ONCE]
                padded = np.resize(chunk, PROBLEMS_AT_ONCE)  # repeats problems: same answers, one shape
                state = _iterate(
                    theta_Bx5[padded].T,
                    damping_B[padded],
                    stalled_B[padded],
                    weights_BxR[padded].T,
                    rows,
                    box,
                )
                theta_5xB, value, damping, stalled = (np.asarray(part)[..., : len(chunk)] for part in state)
                theta_Bx5[chunk] = theta_5xB.T
                bar.update(int((stalled >= PATIENCE).sum()))
                value_B[chunk], damping_B[chunk], stalled_B[chunk] = value, damping, stalled
            active = active[stalled_B[active] < PATIENCE]
            if not len(active):
                break
        bar.update(len(active))
    return theta_Bx5, value_B
