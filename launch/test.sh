#!/usr/bin/env bash
# Makes the test environment in .venv-test and runs the style checks and all tests; arguments go to pytest, as
#   bash launch/test.sh tests/scaling -m "not slow"
# EXTRAS=test,parity also installs PyTorch and transformers, for live comparisons instead of golden arrays.
set -euo pipefail
cd "$(dirname "$0")/.."

source launch/environment.sh
make_environment .venv-test "${EXTRAS:-test}"
export JAX_PLATFORMS=cpu
.venv-test/bin/ruff check .
.venv-test/bin/ruff format --check .
# At most four processes: each holds compiled programs of a GB or two. In the files' own order, as xdist's puts
# the longest ones last, where all but one process have nothing left to do.
.venv-test/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"
