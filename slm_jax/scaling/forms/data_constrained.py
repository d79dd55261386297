"""The data-constrained law: repeated tokens and surplus parameters lose value (Muennighoff et al. 2023)."""

import numpy as np

from slm_jax.scaling.forms.plain import Plain

START_HALF_LIFE = (1.0, 5.0, 25.0)  # of the starts' R_N and R_D
HALF_LIFE_BOUNDS = (np.log(0.05), np.log(1e4))  # of r_n and r_d: from the first repeat worthless to as new
REPEATED = 1.5  # epochs: data are seen again
MIN_REPEATED = 4
MOST_REPEATS = 50.0  # log: far beyond any effect, and still finite


class DataConstrained(Plain):
    """L = E + A / N'^alpha + B / D'^beta, theta = (e, a, b, alpha, beta, log R_N, log R_D).

    D' = U_D (1 + R_D (1 - exp(-r_D / R_D))) with U_D the unique tokens seen and r_D = D / U_D - 1 their
    repetitions; N' likewise with U_N = min(N, N_opt(U_D)), N_opt(U_D) the size for which U_D tokens are
    compute-optimal under the plain law: alpha A / N^alpha = beta B / U_D^beta. The symbols R_N and R_D are
    the paper's R_N* and R_D*; as both grow the form becomes the plain law.
    """

    name = "data_constrained"
    formula = "L(N, D) = E + A / N'^alpha + B / D'^beta, N' and D' from R_N, R_D and the unique tokens"
    symbols = ("E", "A", "B", "alpha", "beta", "R_N", "R_D")
    coordinates = (*Plain.coordinates, "log R_N", "log R_D")
    columns = ("params", "tokens", "unique_tokens")
    min_runs = 10

    def response(self, theta, x, y, unique):
        xp = theta[0].__array_namespace__()
        *five, r_n, r_d = theta
        _, a, b, alpha, beta = five
        seen = xp.minimum(y, unique)
        enough = (xp.log(alpha) + a - xp.log(beta) - b + beta * seen) / alpha
        used = xp.minimum(x, enough)
        return super().response(five, _effective(xp, x, used, r_n), _effective(xp, y, seen, r_d))

    def center(self, log_x_KxR):
        size, tokens, _ = log_x_KxR.mean(axis=1)
        return np.array([size, tokens, tokens])

    def starts(self, center_K):
        """Every ninth start of the plain grid (500), each with the next of nine pairs of R_N and R_D."""
        starts_Sx5 = super().starts(center_K)[::9]
        pairs = [np.log((n, d)) for n in START_HALF_LIFE for d in START_HALF_LIFE]
        return np.concatenate([starts_Sx5, np.resize(pairs, (len(starts_Sx5), 2))], axis=1)

    def box(self, lowest):
        return np.concatenate([super().box(lowest), np.array([HALF_LIFE_BOUNDS, HALF_LIFE_BOUNDS]).T], axis=1)

    def values(self, theta, center_K):
        return np.concatenate([super().values(theta[..., :5], center_K), np.exp(theta[..., 5:])], axis=-1)

    def theta(self, values):
        return np.concatenate([super().theta(values[..., :5]), np.log(values[..., 5:])], axis=-1)

    def why_not_identified(self, params_R, tokens_R, unique_R):
        if np.isnan(unique_R).any():
            return "it needs the unique tokens of every run"
        repeated = int((tokens_R > REPEATED * unique_R).sum())
        if repeated < MIN_REPEATED:
            return (
                f"it needs at least {MIN_REPEATED} runs that saw their data again; the table has {repeated}"
            )
        return super().why_not_identified(params_R, tokens_R)


def _effective(xp, log_amount, log_unique, log_half_life):
    """log(U (1 + R (1 - exp(-r / R)))), r = amount / U - 1 (Muennighoff et al. 2023, equations 5 and 6)."""
    half_life = xp.exp(log_half_life)
    repeats = xp.expm1(xp.minimum(log_amount - log_unique, MOST_REPEATS))
    return log_unique + xp.log1p(-half_life * xp.expm1(-repeats / half_life))


DATA_CONSTRAINED = DataConstrained()
