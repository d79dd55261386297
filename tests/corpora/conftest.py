import pytest

from slm_jax.corpora import write_corpus
from slm_jax.files import read_jsonl


@pytest.fixture(scope="session")
def corpus_dir(tmp_path_factory):
    """A corpus of the size the smoke study uses."""
    return write_corpus(
        tmp_path_factory.mktemp("corpus"), stories=2500, pairs_per_phenomenon=60, cloze_items=100, seed=0
    )


@pytest.fixture(scope="session")
def stories(corpus_dir):
    return read_jsonl(corpus_dir / "stories.jsonl")


@pytest.fixture(scope="session")
def pairs(corpus_dir):
    return read_jsonl(corpus_dir / "pairs.jsonl")


@pytest.fixture(scope="session")
def cloze(corpus_dir):
    return read_jsonl(corpus_dir / "cloze.jsonl")
