"""Eight CPU devices for all tests, so that every mesh runs here as it would on eight chips."""

import jax

jax.config.update("jax_num_cpu_devices", 8)
