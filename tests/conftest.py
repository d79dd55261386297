"""Eight CPU devices for all tests, so that every mesh runs here as it would on eight chips."""

import jax

jax.config.update("jax_num_cpu_devices", 8)
# Programs of tests run once or twice, and compiling them is most of the time. Those of other processes, as of
# the command line, are compiled as a user's are.
jax.config.update("jax_disable_most_optimizations", True)
