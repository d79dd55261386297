"""What a study sounds like, in its folder examples/: clips of its data and of its models."""

from slm_jax.study.examples.groups import write_examples

__all__ = ["write_examples"]
