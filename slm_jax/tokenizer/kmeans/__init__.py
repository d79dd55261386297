"""k-means in JAX at corpus scale: seeding, full-batch and mini-batch iterations, on all local devices."""

from slm_jax.tokenizer.kmeans.fit import choose_algorithm, choose_init, fit_kmeans

__all__ = ["choose_algorithm", "choose_init", "fit_kmeans"]
