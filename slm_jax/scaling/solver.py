"""Minimizes many small Huber problems at once: every start and every bootstrap resample in one JAX program.

The problem: find theta (P numbers in a box) such that a form's response (log L) is near that of the rows.
Huber's loss with a delta of 1e-3 is nearly an absolute value: flat curvature far away, a kink at the optimum.
A plain Newton step has no curvature to use there and L-BFGS zigzags, so each iteration tries two damped steps
and keeps the better one: the reweighted Gauss-Newton step (its quadratic bounds Huber's loss from above: safe
far away) and the exact Newton step (quadratic convergence once the rows inside delta are known). Both are
P x P solves inside the box of bounds.

Arrays have the problems as their last axis (`_B`), so that the sums over rows run over whole vectors of
problems.
"""

import concurrent.futures
import functools

import jax
import jax.numpy as jnp
import numpy as np

from slm_jax.cores import available_cores
from slm_jax.progress import progress
from slm_jax.scaling.forms.form import Form

HUBER_DELTA = 1e-3
PROBLEMS_AT_ONCE = 64  # one compiled shape for all calls, small enough to stay in cache
ROWS_TOGETHER = 16  # rows are filled up to a multiple of this with rows of no weight: fewer shapes to compile
ITERATIONS_AT_ONCE = 25  # then the finished problems leave, so that a few slow ones do not hold up the rest
MAX_ROUNDS = 16
PROGRESS = 1e-7  # relative decrease that counts as progress
PATIENCE = 6  # iterations without progress before a problem is finished


def huber_objective(form: Form, theta_PxB, columns, response_RxB, weight_RxB):
    """Weighted sum over rows of Huber's loss of the residual in log L (Hoffmann et al. 2022, equation 3)."""
    distance_RxB = jnp.abs(form.response(tuple(theta_PxB), *columns) - response_RxB)
    near_RxB = jnp.minimum(distance_RxB, HUBER_DELTA)
    return jnp.sum(weight_RxB * near_RxB * (distance_RxB - 0.5 * near_RxB), axis=0)


def derivatives(form: Form, theta_PxB, columns, response_RxB, weight_RxB):
    """Gradient and, as dicts of upper entries, the reweighted Gauss-Newton matrix and the exact Hessian."""
    theta = tuple(theta_PxB)
    order = range(len(theta))
    directions = [[jnp.full_like(part_B, i == j) for j, part_B in enumerate(theta)] for i in order]

    def response(*theta):
        return form.response(theta, *columns)

    fitted_RxB, push = jax.linearize(response, *theta)
    jacobian = [push(*direction) for direction in directions]
    residual_RxB = fitted_RxB - response_RxB
    distance_RxB = jnp.abs(residual_RxB)
    pull_RxB = weight_RxB * jnp.clip(residual_RxB, -HUBER_DELTA, HUBER_DELTA)
    bound_RxB = weight_RxB * HUBER_DELTA / jnp.maximum(distance_RxB, HUBER_DELTA)
    near_RxB = weight_RxB * (distance_RxB <= HUBER_DELTA)

    def pulled(*theta):
        return jnp.sum(pull_RxB * response(*theta))

    gradient, curve = jax.linearize(jax.grad(pulled, argnums=tuple(order)), *theta)
    gauss_newton, hessian = {}, {}
    for i in order:
        bend = curve(*directions[i])  # what the law's own second derivatives add to row i of the Hessian
        for j in order[i:]:
            product_RxB = jacobian[i] * jacobian[j]
            gauss_newton[i, j] = jnp.sum(bound_RxB * product_RxB, axis=0)
            hessian[i, j] = jnp.sum(near_RxB * product_RxB, axis=0) + bend[j]
    return gradient, gauss_newton, hessian


def _solve(matrix: dict, right: list) -> list:
    """Solves B symmetric P x P systems by elimination without pivoting, whole vectors of problems at once."""
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


def _damped_step(matrix: dict, gradient_PxB, held_PxB, damping_PxB):
    """Newton step of the free parameters with `damping` added to the diagonal; zero for the held ones."""
    damped = {}
    for (i, j), entry_B in matrix.items():
        held_B = held_PxB[i] | held_PxB[j]
        extra_B = jnp.where(held_B, 1.0, damping_PxB[i]) if i == j else 0.0
        damped[i, j] = jnp.where(held_B, 0.0, entry_B) + extra_B
    return jnp.stack(_solve(damped, list(jnp.where(held_PxB, 0.0, gradient_PxB))))


@functools.partial(jax.jit, static_argnums=0)
def _iterate(form, theta_PxB, damping_B, stalled_B, columns, response_RxB, weight_RxB, box):
    """Up to ITERATIONS_AT_ONCE projected damped Newton iterations (Marquardt 1963; Bertsekas 1982)."""
    lower_Px1, upper_Px1 = box
    rows = (columns, response_RxB, weight_RxB)

    def unfinished(state):
        _, _, _, stalled_B, iteration = state
        return jnp.any(stalled_B < PATIENCE) & (iteration < ITERATIONS_AT_ONCE)

    def iterate(state):
        theta_PxB, value_B, damping_B, stalled_B, iteration = state
        gradient, gauss_newton, hessian = derivatives(form, theta_PxB, *rows)
        gradient_PxB = jnp.stack(gradient)
        held_PxB = ((theta_PxB <= lower_Px1) & (gradient_PxB > 0)) | (
            (theta_PxB >= upper_Px1) & (gradient_PxB < 0)
        )
        diagonal_PxB = jnp.stack([gauss_newton[i, i] for i in range(len(theta_PxB))])
        damping_PxB = damping_B * jnp.maximum(diagonal_PxB, 1e-9 * jnp.max(diagonal_PxB, axis=0) + 1e-300)
        best_PxB, best_B = theta_PxB, value_B
        for matrix in (gauss_newton, hessian):
            step_PxB = _damped_step(matrix, gradient_PxB, held_PxB, damping_PxB)
            candidate_PxB = jnp.clip(theta_PxB - step_PxB, lower_Px1, upper_Px1)
            candidate_B = huber_objective(form, candidate_PxB, *rows)
            better_B = candidate_B < best_B  # False for a step that is not finite
            best_PxB = jnp.where(better_B, candidate_PxB, best_PxB)
            best_B = jnp.where(better_B, candidate_B, best_B)
        damping_B = jnp.clip(jnp.where(best_B < value_B, damping_B / 5, damping_B * 5), 1e-12, 1e12)
        stalled_B = jnp.where(best_B < value_B * (1 - PROGRESS), 0, stalled_B + 1)
        return best_PxB, best_B, damping_B, stalled_B, iteration + 1

    value_B = huber_objective(form, theta_PxB, *rows)
    state = (theta_PxB, value_B, damping_B, stalled_B, jnp.zeros((), int))
    return jax.lax.while_loop(unfinished, iterate, state)[:4]


def minimize(form: Form, starts_BxP, columns_KxR, response_BxR, weight_BxR, box_2xP, *, desc="", leave=True):
    """Minimizes the Huber objective from B starts, each with its own rows, inside the box.

    Args:
      form: the law.
      starts_BxP: theta of each start; clipped into the box.
      columns_KxR: the form's columns of the rows, as centred logarithms.
      response_BxR: what each row measured in each problem (log of the loss), or response_R for all of them.
      weight_BxR: weight of each row in each problem (ones, or the counts of a resample).
      box_2xP: lower and upper bounds.
      desc, leave: what the progress bar says, and whether it stays.

    Returns:
      theta_BxP and objective_B, float64 numpy arrays.
    """
    lower_P, upper_P = np.asarray(box_2xP, float)
    theta_BxP = np.clip(np.asarray(starts_BxP, float), lower_P, upper_P)
    problems, rows = np.shape(weight_BxR)
    response_BxR = np.broadcast_to(np.asarray(response_BxR, float), (problems, rows))
    filled = (0, -rows % ROWS_TOGETHER)
    columns = tuple(np.pad(column_R, filled, mode="edge")[:, None] for column_R in columns_KxR)
    box = (lower_P[:, None], upper_P[:, None])
    value_B, damping_B, stalled_B = np.zeros(problems), np.full(problems, 1e-2), np.zeros(problems, int)

    def iterate(chunk):
        full = np.resize(chunk, PROBLEMS_AT_ONCE)  # repeats problems: same answers, one shape
        response_RxB = np.pad(response_BxR[full].T, (filled, (0, 0)), mode="edge")
        weight_RxB = np.pad(np.asarray(weight_BxR[full], float).T, (filled, (0, 0)))
        state = (theta_BxP[full].T, damping_B[full], stalled_B[full])
        with jax.enable_x64(True):  # a setting of the thread
            state = _iterate(form, *state, columns, response_RxB, weight_RxB, box)
            return [np.asarray(part)[..., : len(chunk)] for part in state]

    active = np.arange(problems)
    with (
        progress(total=problems, desc=desc, unit="fit", leave=leave) as bar,
        concurrent.futures.ThreadPoolExecutor(available_cores()) as pool,
    ):
        for _ in range(MAX_ROUNDS):
            chunks = [active[i : i + PROBLEMS_AT_ONCE] for i in range(0, len(active), PROBLEMS_AT_ONCE)]
            for chunk, state in zip(chunks, pool.map(iterate, chunks), strict=True):
                theta_BxP[chunk], value_B[chunk] = state[0].T, state[1]
                damping_B[chunk], stalled_B[chunk] = state[2:]
                bar.update(int((state[3] >= PATIENCE).sum()))
            active = active[stalled_B[active] < PATIENCE]
            if not len(active):
                break
        bar.update(len(active))
    return theta_BxP, value_B
