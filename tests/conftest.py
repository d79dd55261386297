"""Eight CPU devices for all tests, so that every mesh runs here as it would on eight chips."""

import os

# Programs of tests run once or twice, and compiling them is most of the time; the processes that tests start
# inherit this.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax

jax.config.update("jax_num_cpu_devices", 8)
