"""`python -m slm_jax` is the `slm` command."""

import sys

from slm_jax.cli import main

sys.exit(main())
