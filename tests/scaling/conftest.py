"""Fits in a moment: every fifteenth start of the grids."""

import pytest

from slm_jax.scaling.forms.kaplan import Kaplan
from slm_jax.scaling.forms.plain import Plain


@pytest.fixture
def fewer_starts(monkeypatch):
    for form in (Plain, Kaplan):
        every = form.starts
        monkeypatch.setattr(form, "starts", lambda self, center_K, every=every: every(self, center_K)[::15])
