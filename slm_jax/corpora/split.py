"""Which split a recording belongs to when its corpus does not say."""

import hashlib

from slm_jax.corpora.recording import Recording

# The splits by the names that corpora give them.
SPLITS = {"train": "train", **dict.fromkeys(("validation", "valid", "dev"), "validation"), "test": "test"}
ONE_RECORDING_IN = 50  # goes to the validation split, and one to the test split


def assign_split(id: str) -> str:
    """The split by the hash of an id: validation for one recording in 50, test for another, else train."""
    digest = hashlib.sha256(f"split {id}".encode()).digest()
    return {0: "validation", 1: "test"}.get(int.from_bytes(digest[:8], "big") % ONE_RECORDING_IN, "train")


def split_of(recording: Recording) -> str:
    """The split a recording names, or that of the hash of its id; all parts of one recording share theirs."""
    return recording.split or assign_split(recording.parent or recording.id)
