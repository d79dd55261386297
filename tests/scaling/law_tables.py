"""Tables with a known law, for the tests of this room."""

import csv

import numpy as np

from slm_jax.scaling.forms.kaplan import Kaplan
from slm_jax.scaling.forms.plain import Plain

LAW = {"E": 1.73, "A": 13.9, "B": 39.8, "alpha": 0.25, "beta": 0.24}  # Cuervo & Marxer 2024


def law_loss(params, tokens):
    return LAW["E"] + LAW["A"] / params ** LAW["alpha"] + LAW["B"] / tokens ** LAW["beta"]


def isoflop_grid(sizes=4, budgets=4):
    """N and D of every size at every budget, as small as a study on a laptop."""
    params, flops = np.meshgrid(np.geomspace(3e4, 1e6, sizes), np.geomspace(1e11, 1e13, budgets))
    return params.ravel(), (flops / (6 * params)).ravel()


def noisy_loss(params, tokens, noise, seed=0):
    return law_loss(params, tokens) * np.exp(noise * np.random.default_rng(seed).standard_normal(len(params)))


def write_table(path, columns: dict):
    """Writes a results.csv from columns of equal length."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def thin_grids(monkeypatch, every=15):
    """Leaves every fifteenth start of the grids."""
    for form in (Plain, Kaplan):
        grid = form.starts
        monkeypatch.setattr(form, "starts", lambda self, center_K, grid=grid: grid(self, center_K)[::every])
