#!/usr/bin/env bash
# A whole study on this computer: makes an environment in .venv, installs the package, runs the smoke study.
# Ending it at any point and running it again continues it. Further arguments go to `slm study`, as
#   bash launch/local_cpu.sh --config.seed=1 --workdir=runs/seed1
# Relative paths are relative to the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."

source launch/environment.sh
make_environment .venv
export JAX_PLATFORMS="${JAX_PLATFORMS:-cpu}"
.venv/bin/slm study --config=configs/studies/smoke.py --workdir=runs/smoke "$@"
