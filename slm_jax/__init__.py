"""slm_jax: from raw audio to the scaling laws of speech language models."""

__version__ = "0.1.0"
