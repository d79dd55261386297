"""One of the 31 published speech language models of Cuervo & Marxer (2024), as endpoint.py:NAME.

endpoints.csv is the table of the models published beside the paper (arXiv 2404.00685) as gslm-scaling-NAME:
parameters, tokens and windows per update. Every run is a whole number of updates of windows of 2,050 tokens.
"""

import csv
import pathlib

from slm_jax.errors import InputError
from slm_jax.model import SIZES
from slm_jax.training import default_config

ENDPOINTS = pathlib.Path(__file__).with_name("endpoints.csv")


def get_config(name=""):
    with ENDPOINTS.open(encoding="utf-8", newline="") as file:
        endpoints = {row["name"]: row for row in csv.DictReader(file)}
    if name not in endpoints:
        raise InputError(
            f"name an endpoint after a colon, as endpoint.py:{next(iter(endpoints))}; there are "
            f"{', '.join(endpoints)}"
        )
    endpoint = endpoints[name]
    config = default_config()
    config.name = f"gslm-scaling-{name}"
    config.tokens = int(endpoint["tokens"])
    config.batch_size = int(endpoint["batch_size"])
    config.model.update(SIZES[endpoint["size"]])
    return config
