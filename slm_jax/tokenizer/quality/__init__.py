"""How good units are: what they say of phones, what they give away of speakers, and how they are used."""

from slm_jax.tokenizer.quality.measure import measure_quality, quality_table
from slm_jax.tokenizer.quality.unit_quality import quality

__all__ = ["measure_quality", "quality", "quality_table"]
