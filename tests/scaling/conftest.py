"""Fits in a moment."""

import pytest
from law_tables import thin_grids


@pytest.fixture
def fewer_starts(monkeypatch):
    thin_grids(monkeypatch)
