"""HuBERT (Hsu et al. 2021) for inference: waveform -> the hidden states of one layer."""

from slm_jax.tokenizer.hubert.encoder import HuBERT

__all__ = ["HuBERT"]
