"""The study's corpora by their published layouts: each a function from a folder to its recordings."""

from collections.abc import Callable, Iterator

from slm_jax.corpora.adapters.librilight import librilight
from slm_jax.corpora.adapters.librispeech import librispeech
from slm_jax.corpora.adapters.peoples_speech import peoples_speech
from slm_jax.corpora.adapters.spoken_wikipedia import spoken_wikipedia
from slm_jax.corpora.adapters.tedlium3 import tedlium3
from slm_jax.corpora.adapters.tinystories import tinystories
from slm_jax.corpora.adapters.voxpopuli import voxpopuli
from slm_jax.corpora.recording import Recording

ADAPTERS: dict[str, Callable[..., Iterator[Recording]]] = {
    "librispeech": librispeech,
    "librilight": librilight,
    "spoken_wikipedia": spoken_wikipedia,
    "tedlium3": tedlium3,
    "peoples_speech": peoples_speech,
    "voxpopuli": voxpopuli,
    "tinystories": tinystories,
}
"""Each yields recordings in the order of their paths and raises InputError when the folder is another one."""

__all__ = ["ADAPTERS", *ADAPTERS]
