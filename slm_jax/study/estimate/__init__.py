"""What a study will cost, before anything of it runs."""

from slm_jax.study.estimate.cost import Estimate, estimate_study
from slm_jax.study.estimate.words import format_estimate

__all__ = ["Estimate", "estimate_study", "format_estimate"]
