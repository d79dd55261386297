import pytest
from small_run import write_units


@pytest.fixture(scope="session")
def units(tmp_path_factory):
    """The folder of a small unit dataset."""
    return write_units(tmp_path_factory.mktemp("walks"))
