"""Models to and from other projects' formats: a folder with config.json and safetensors, never a pickle.

One file for each family says how it reads the config and where each parameter lies.
"""

from slm_jax.model.conversion.import_model import import_model
from slm_jax.model.conversion.llama import from_llama, llama_config, save_llama, to_llama
from slm_jax.model.conversion.vocabulary import select_tokens

__all__ = ["from_llama", "import_model", "llama_config", "save_llama", "select_tokens", "to_llama"]
