"""The versions of what made a result, to be kept beside it."""

import importlib.metadata
import platform

PACKAGES = ("slm_jax", "jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def versions() -> dict[str, str]:
    """Version of Python and of each package that moves a number."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }
