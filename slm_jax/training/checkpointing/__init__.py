"""The states of a run on disk: written, sealed, and read back."""
